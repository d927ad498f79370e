//go:build !wasm

package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// product returns x·b in float64, computed by gorgonia.
func product(t *testing.T, x, b []float64, m, n, k int) []float64 {
	y, err := tensor.MatMul(
		tensor.New(tensor.WithShape(m, k), tensor.WithBacking(x)),
		tensor.New(tensor.WithShape(k, n), tensor.WithBacking(b)))
	require.NoError(t, err)
	return y.Data().([]float64)
}

func TestGemmU7S8AgainstGorgonia(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 5))
	for _, shape := range [][3]int{{2, 2, 16}, {3, 5, 48}, {7, 9, 112}, {16, 32, 256}} {
		m, n, k := shape[0], shape[1], shape[2]
		a, w, acc := make([]uint8, m*k), make([]int8, n*k), make([]int32, m*n)
		fillU7(r, a)
		fillS8(r, w)
		GemmU7S8(acc, a, Pack(slices.Clone(w), n, k), m, n, k, &Scratch{})
		left, right := make([]float64, m*k), make([]float64, k*n)
		for i, v := range a {
			left[i] = float64(v)
		}
		for i, v := range w {
			right[i%k*n+i/k] = float64(v)
		}
		for i, want := range product(t, left, right, m, n, k) {
			require.Equal(t, want, float64(acc[i]), "%v: [%d,%d]", shape, i/n, i%n)
		}
	}
}

func TestGemmAgainstGorgonia(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 6))
	for _, shape := range [][3]int{{2, 2, 2}, {5, 9, 7}, {13, 24, 32}, {16, 33, 145}} {
		m, n, k := shape[0], shape[1], shape[2]
		x, b, y := floats(r, m*k).data(), floats(r, k*n).data(), make([]float32, m*n)
		Gemm(y, n, x, k, b, n, m, n, k)
		left, right := make([]float64, m*k), make([]float64, k*n)
		size, sizes := make([]float64, m*k), make([]float64, k*n)
		for i, v := range x {
			left[i], size[i] = float64(v), math.Abs(float64(v))
		}
		for i, v := range b {
			right[i], sizes[i] = float64(v), math.Abs(float64(v))
		}
		// A float32 sum of k products is off by at most k roundings of the sum of
		// their sizes.
		bound := product(t, size, sizes, m, n, k)
		for i, want := range product(t, left, right, m, n, k) {
			assert.InDelta(t, want, y[i], float64(k+1)*0x1p-24*bound[i], "%v: [%d,%d]", shape, i/n, i%n)
		}
	}
}
