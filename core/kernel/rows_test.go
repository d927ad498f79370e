package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// sweepLengths lie around a vector, the sixteen elements that quantization takes
// at a time, and the block of the GELUs.
var sweepLengths = []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 64, 97, 255, 256, 257, 515}

// sweepVectors holds the elementwise functions of impl to the generic ones, bit
// for bit.
func sweepVectors(impl implementation, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 3))
	for _, n := range append([]int{0}, sweepLengths...) {
		x, a := floats(r, n), floats(r, 1).data()[0]
		for _, c := range []struct {
			name string
			run  func(k implementation, y, x []float32)
		}{
			{"add", func(k implementation, y, x []float32) { k.add(y, x) }},
			{"axpy", func(k implementation, y, x []float32) { k.axpy(y, a, x) }},
			{"scale", func(k implementation, y, _ []float32) { k.scale(y, a) }},
			{"quickGELU", func(k implementation, y, _ []float32) { k.quickGELU(y) }},
			{"gelu", func(k implementation, y, _ []float32) { k.gelu(y) }},
		} {
			y := floats(r, n)
			want := y.clone()
			xBefore := x.clone()
			c.run(impl, y.data(), x.data())
			c.run(generic, want.data(), x.data())
			what := fmt.Sprintf("%s of %d", c.name, n)
			if err := sameBits(what, y.data(), want.data()); err != nil {
				return err
			}
			if err := y.check(what); err != nil {
				return err
			}
			if !slices.Equal(x.all, xBefore.all) {
				return fmt.Errorf("%s: the source was changed", what)
			}
		}
		y := floats(r, n)
		got, want := impl.dot(x.data(), y.data()), dotGeneric(x.data(), y.data())
		if err := sameBits(fmt.Sprintf("dot of %d", n), []float32{got}, []float32{want}); err != nil {
			return err
		}
	}
	return nil
}

// sweepRows holds the functions that reduce a row, and those of quantization, to
// the generic ones, bit for bit.
func sweepRows(impl implementation, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 4))
	for _, n := range sweepLengths {
		x, gamma, beta := floats(r, n), floats(r, n), floats(r, n)
		y, want := x.clone(), x.clone()
		what := fmt.Sprintf("softmaxRow of %d", n)
		impl.softmaxRow(y.data(), 0.25)
		softmaxRowGeneric(want.data(), 0.25)
		if err := firstError(sameBits(what, y.data(), want.data()), y.check(what)); err != nil {
			return err
		}

		what = fmt.Sprintf("layerNormRow of %d", n)
		y, want = floats(r, n), floats(r, n)
		impl.layerNormRow(y.data(), x.data(), gamma.data(), beta.data(), 1e-5)
		layerNormRowGeneric(want.data(), x.data(), gamma.data(), beta.data(), 1e-5)
		if err := firstError(sameBits(what, y.data(), want.data()), y.check(what)); err != nil {
			return err
		}
		impl.layerNormRow(x.data(), x.data(), gamma.data(), beta.data(), 1e-5)
		if err := sameBits(what+" in place", x.data(), want.data()); err != nil {
			return err
		}
		for _, m := range []int{0, 1, 2, 3} {
			if err := firstError(checkQuantize(impl, floats(r, m*n), m, n), checkDequantize(impl, r, m, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkQuantize(impl implementation, x guarded[float32], m, k int) error {
	what := fmt.Sprintf("quantizeRows of %d×%d", m, k)
	q, want := guard(m*PadK(k), uint8(201)), make([]uint8, m*PadK(k))
	rowScale, rowMin := guard(m, floatGuard), guard(m, floatGuard)
	wantScale, wantMin := make([]float32, m), make([]float32, m)
	impl.quantizeRows(q.data(), rowScale.data(), rowMin.data(), x.data(), m, k)
	quantizeRowsGeneric(want, wantScale, wantMin, x.data(), m, k)
	if !slices.Equal(q.data(), want) {
		return fmt.Errorf("%s: q = %v, want %v", what, q.data(), want)
	}
	return firstError(
		sameBits(what+": scale", rowScale.data(), wantScale),
		sameBits(what+": min", rowMin.data(), wantMin),
		q.check(what), rowScale.check(what+": scale"), rowMin.check(what+": min"))
}

func checkDequantize(impl implementation, r *rand.Rand, m, n int) error {
	acc := guard(m*n, int32(math.MinInt32))
	for i := range acc.data() {
		acc.data()[i] = int32(r.Uint32()) >> r.IntN(20)
	}
	rowScale, rowMin := floats(r, m).data(), floats(r, m).data()
	colScale, colSum := floats(r, n).data(), floats(r, n).data()
	for _, bias := range [][]float32{nil, floats(r, n).data()} {
		for _, accumulate := range []bool{false, true} {
			what := fmt.Sprintf("dequantizeRows of %d×%d, bias %t, accumulate %t", m, n, bias != nil, accumulate)
			y := floats(r, m*n)
			want := y.clone()
			impl.dequantizeRows(y.data(), acc.data(), rowScale, rowMin, colScale, colSum, bias, m, n, accumulate)
			dequantizeRowsGeneric(want.data(), acc.data(), rowScale, rowMin, colScale, colSum, bias, m, n, accumulate)
			if err := firstError(sameBits(what, y.data(), want.data()), y.check(what)); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestVectors(t *testing.T) {
	require.NoError(t, sweepVectors(dispatched, newSeed(t)))
}

func TestRows(t *testing.T) {
	require.NoError(t, sweepRows(dispatched, newSeed(t)))
}
