package kernel

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// expStep is how far apart, in units in the last place, the arguments are at
// which Exp is measured; tests that run on wazero take fewer.
const expStep = 997

func TestExp(t *testing.T) {
	worst, at := 0.0, float32(0)
	measure := func(x float32) {
		want := math.Exp(float64(x))
		if e := math.Abs(float64(Exp(x))-want) / want; e > worst {
			worst, at = e, x
		}
	}
	for bits := uint32(0); ; bits += expStep {
		x := math.Float32frombits(bits)
		if x > -expMin {
			break
		}
		measure(-x)
		measure(x)
	}
	t.Logf("largest relative error %.3g at %v", worst, at)
	assert.LessOrEqual(t, worst, 1e-7)

	inf := float32(math.Inf(1))
	assert.Equal(t, float32(1), Exp(0))
	assert.Equal(t, float32(0), Exp(math.Nextafter32(expMin, -inf)))
	assert.Equal(t, float32(0), Exp(-inf))
	assert.Equal(t, Exp(expMax), Exp(inf))
	assert.Equal(t, Exp(expMax), Exp(math.MaxFloat32))
	assert.Less(t, Exp(expMax), inf)
	assert.True(t, math.IsNaN(float64(Exp(nan()))))
}

// measureActivation returns the largest absolute error of f against want.
func measureActivation(f func([]float32), want func(float64) float64) (worst float64, at float32) {
	x := make([]float32, 8191)
	for bits := uint32(0); bits < math.Float32bits(200); {
		for i := range x {
			x[i] = math.Float32frombits(bits ^ uint32(i&1)<<31)
			bits += 2 * expStep
		}
		y := append([]float32(nil), x...)
		f(y)
		for i, v := range x {
			if e := math.Abs(float64(y[i]) - want(float64(v))); !(e <= worst) {
				worst, at = e, v
			}
		}
	}
	return worst, at
}

func TestGELU(t *testing.T) {
	worst, at := measureActivation(GELU, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 })
	t.Logf("largest error %.3g at %v", worst, at)
	assert.LessOrEqual(t, worst, 3e-7)
}

func TestQuickGELU(t *testing.T) {
	worst, at := measureActivation(QuickGELU, func(x float64) float64 { return x / (1 + math.Exp(-1.702*x)) })
	t.Logf("largest error %.3g at %v", worst, at)
	assert.LessOrEqual(t, worst, 1e-6)
}

func TestSoftmax(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 7))
	const m, n, ld, scale = 3, 37, 41, 0.125
	x := floats(r, m*ld).data()
	y := append([]float32(nil), x...)
	Softmax(y, ld, m, n, scale)
	for i := range m {
		row, sum := x[i*ld:i*ld+n], 0.0
		top := float64(row[0])
		for _, v := range row {
			top = max(top, float64(v))
		}
		for _, v := range row {
			sum += math.Exp(scale * (float64(v) - top))
		}
		for j, v := range row {
			assert.InDelta(t, math.Exp(scale*(float64(v)-top))/sum, y[i*ld+j], 1e-6)
		}
		assert.Equal(t, x[i*ld+n:(i+1)*ld], y[i*ld+n:(i+1)*ld], "between the rows")
	}
	// Scores far apart, and all the same, do not overflow.
	y = []float32{-3e38, 3e38, 0, 5, 5, 5}
	Softmax(y, 3, 2, 3, 1)
	assert.Equal(t, []float32{0, 1, 0}, y[:3])
	assert.InDeltaSlice(t, []float32{1. / 3, 1. / 3, 1. / 3}, y[3:], 1e-7)
}

func TestLayerNorm(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 8))
	const m, n, eps = 4, 67, 1e-5
	x, gamma, beta := floats(r, m*n).data(), floats(r, n).data(), floats(r, n).data()
	y := make([]float32, m*n)
	LayerNorm(y, x, gamma, beta, m, n, eps)
	for i := range m {
		mean, variance := 0.0, 0.0
		for _, v := range x[i*n : i*n+n] {
			mean += float64(v) / n
		}
		for _, v := range x[i*n : i*n+n] {
			variance += (float64(v) - mean) * (float64(v) - mean) / n
		}
		for j, v := range x[i*n : i*n+n] {
			normal := (float64(v) - mean) / math.Sqrt(variance+eps)
			want := normal*float64(gamma[j]) + float64(beta[j])
			size := math.Abs(float64(gamma[j]))*8 + math.Abs(float64(beta[j]))
			assert.InDelta(t, want, y[i*n+j], 1e-6*size)
		}
	}
	constant := []float32{3, 3, 3, 3, 3}
	LayerNorm(constant, constant, gamma, beta, 1, 5, eps)
	assert.Equal(t, beta[:5], constant, "a constant row gives beta")
}

func TestNormalize(t *testing.T) {
	x := []float32{3, 0, 0, -4, 0}
	Normalize(x)
	assert.InDeltaSlice(t, []float32{0.6, 0, 0, -0.8, 0}, x, 1e-7)
	zero := make([]float32, 7)
	Normalize(zero)
	assert.Equal(t, make([]float32, 7), zero)
	r := rand.New(rand.NewPCG(newSeed(t), 9))
	y := floats(r, 515).data()
	Normalize(y)
	assert.InDelta(t, 1, Dot(y, y), 1e-6)
}

func TestTransposeAndAddBias(t *testing.T) {
	src := []float32{1, 2, 3, -1, 4, 5, 6, -1}
	dst := guard(3*5, floatGuard)
	Transpose(dst.data(), 5, src, 4, 2, 3)
	g := floatGuard
	assert.Equal(t, []float32{1, 4, g, g, g, 2, 5, g, g, g, 3, 6, g, g, g}, dst.data())
	require.NoError(t, dst.check("transpose"))
	y := []float32{1, 2, 3, 4, 5, 6}
	AddBias(y, []float32{10, 20, 30}, 2, 3)
	assert.Equal(t, []float32{11, 22, 33, 14, 25, 36}, y)
}

// goldenHash is of the results of TestSameBitsEverywhere.
const goldenHash uint64 = 0xa8a79349b1b6c3e1

// TestSameBitsEverywhere holds every build, native and WebAssembly, to one hash.
func TestSameBitsEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const m, n, k = 7, 37, 45
	h := fnv.New64a()
	add := func(x []float32) {
		for _, v := range x {
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
			h.Write(b[:])
		}
	}
	x, b, y := floats(r, m*k).data(), floats(r, k*n).data(), make([]float32, m*n)
	Gemm(y, n, x, k, b, n, m, n, k)
	add(y)
	q, rowScale, rowMin := make([]uint8, m*PadK(k)), make([]float32, m), make([]float32, m)
	QuantizeRows(q, rowScale, rowMin, x, m, k)
	h.Write(q)
	w, acc, colSum := make([]int8, n*PadK(k)), make([]int32, m*n), make([]float32, n)
	fillS8(r, w)
	w = Pack(w, n, PadK(k))
	RowSums(colSum, w, n, PadK(k), &Scratch{})
	GemmU7S8(acc, q, w, m, n, PadK(k), &Scratch{})
	DequantizeRows(y, acc, rowScale, rowMin, b[:n], colSum, b[n:2*n], m, n, true)
	add(y)
	for _, f := range []func([]float32){
		GELU, QuickGELU, Normalize,
		func(z []float32) { Scale(z, 0.3) },
		func(z []float32) { Add(z, y) },
		func(z []float32) { Axpy(z, 1.7, y) },
		func(z []float32) { Softmax(z, n, m, n, 2) },
		func(z []float32) { LayerNorm(z, z, b[:n], b[n:2*n], m, n, 1e-6) },
		func(z []float32) { z[0] = Dot(z, y) },
	} {
		z := append([]float32(nil), b[:m*n]...)
		f(z)
		add(z)
	}
	Linear(y, n, q, rowScale, rowMin, w, b[:n], colSum, b[n:2*n], m, n, PadK(k), true, &Scratch{})
	add(y)
	const d, heads, tokens = 24, 3, 21
	wide, heady := make([]int8, d*heads*PadK(k)), make([]float32, tokens*d*heads)
	fillS8(r, wide)
	LinearHeads(heady[:m*d*heads], d, q, rowScale, rowMin, Pack(wide, d*heads, PadK(k)), b[:d*heads], b[n:n+d*heads], nil, m, d*heads, PadK(k), &Scratch{})
	add(heady[:m*d*heads])
	Attend(heady, d*heads, x[:m*d], b[:tokens*d], b[tokens*d:2*tokens*d], m, tokens, d, 0.003, &AttentionScratch{})
	add(heady[:span(m, d, d*heads)])
	Dots(y[:m], x[:k], b, k+3)
	Combine(y[m:m+k], y[:m], b, k+3)
	add(y)
	assert.Equal(t, goldenHash, h.Sum64(), "%s kernels", Name())
}
