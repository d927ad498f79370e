package kernel

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
)

// TestMain runs every test with each kernel set that this build and processor
// offer.
func TestMain(m *testing.M) {
	code := 0
	eachLevel(func() {
		fmt.Printf("core/kernel on %s/%s: the sweeps run the %s kernels against the generic ones\n", runtime.GOOS, runtime.GOARCH, Name())
		code = max(code, m.Run())
	})
	os.Exit(code)
}

// newSeed returns a random seed and has the log tell it, for a failure to be
// repeated.
func newSeed(t testing.TB) uint64 {
	seed := rand.Uint64()
	t.Logf("%s kernels, seed %d", Name(), seed)
	return seed
}

// implementation is one set of kernels, for a sweep to run.
type implementation struct {
	gemmU7S8       func(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch)
	linear         func(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch)
	gemm           func(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int)
	linearHeads    func(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, s *Scratch)
	attend         func(out []float32, ldo int, q, k, v []float32, rows, tokens, d int, scale float32, s *AttentionScratch)
	quantizeRows   func(q []uint8, rowScale, rowMin []float32, x []float32, m, k int)
	dequantizeRows func(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool)
	add            func(y, x []float32)
	axpy           func(y []float32, a float32, x []float32)
	scale          func(x []float32, a float32)
	dot            func(a, b []float32) float32
	dots           func(dst, q, rows []float32, ld int)
	combine        func(y, a, rows []float32, ld int)
	layerNormRow   func(y, x, gamma, beta []float32, eps float32)
	softmaxRow     func(x []float32, scale float32)
	quickGELU      func(x []float32)
	gelu           func(x []float32)
}

var (
	// dispatched is what this build uses.
	dispatched = implementation{
		gemmU7S8, linear, gemm, LinearHeads, Attend, quantizeRows, dequantizeRows, add, axpy, scale, dot, Dots, Combine,
		layerNormRow, softmaxRow, quickGELU, gelu,
	}
	generic = implementation{
		gemmU7S8Generic, linearGeneric, gemmGeneric, linearHeadsGeneric, attendGeneric, quantizeRowsGeneric, dequantizeRowsGeneric,
		addGeneric, axpyGeneric, scaleGeneric, dotGeneric, dotsGeneric, combineGeneric,
		layerNormRowGeneric, softmaxRowGeneric, quickGELUGeneric, geluGeneric,
	}
)
