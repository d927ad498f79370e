package quant

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
)

func matrix(rows, cols int, values ...float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(values))
}

func random(rows, cols int) *tensor.Dense {
	rng := rand.New(rand.NewPCG(1, uint64(rows*cols)))
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	return matrix(rows, cols, values...)
}

func TestRows(t *testing.T) {
	q, err := Rows(matrix(3, 3, 127, -254, 1, 0, 0, 0, 0.5, -0.25, 1))
	require.NoError(t, err)
	assert.Equal(t, []float32{2, 1, 1.0 / 127}, q.Scale)
	// 63.5, 0.5 and 31.75 steps: halves go to the even neighbour.
	assert.Equal(t, []int8{64, -127, 0, 0, 0, 0, 64, -32, 127}, q.Q)
}

// A weight is at most half a step away from what is stored for it.
func TestRowsError(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {1, 7}, {5, 1}, {3, 16}, {64, 257}} {
		w := random(shape[0], shape[1])
		q, err := Rows(w)
		require.NoError(t, err)
		got := checkpoint.Values(q.Dequantize())
		for i, v := range checkpoint.Values(w) {
			scale := q.Scale[i/shape[1]]
			assert.InDelta(t, v, got[i], float64(scale)*0.5001, "shape %v, element %d", shape, i)
			assert.NotEqual(t, int8(-128), q.Q[i])
		}
	}
}

func TestSQNR(t *testing.T) {
	exact := matrix(1, 2, 1, 1)
	assert.InDelta(t, 20, SQNR(exact, matrix(1, 2, 0.9, 1.1)), 1e-4)
	assert.True(t, math.IsInf(SQNR(exact, exact), 1))
}

func TestSmoothing(t *testing.T) {
	for _, c := range []struct{ x, w, alpha, want float64 }{
		{4, 1, 0.5, 2},
		{16, 4, 0.5, 2},
		{16, 4, 1, 16},
		{16, 4, 0, 0.25},
		{0, 1, 0.5, 1}, // never active
		{1, 0, 0.5, 1}, // never read
		{1e30, 1, 0.5, maxFactor},
		{1e-30, 1, 0.5, minFactor},
	} {
		assert.InDelta(t, c.want, smoothing(c.x, c.w, c.alpha), 1e-12, "%+v", c)
	}
}

func TestSmooth(t *testing.T) {
	weights := map[string]*tensor.Dense{
		"q.weight": matrix(2, 2, 1, 0.5, -0.25, 1),
		"k.weight": matrix(2, 2, -4, 0.5, 0, 0),
		"p.weight": matrix(1, 2, 1, 1),
	}
	load := func(name string) (*tensor.Dense, error) { return weights[name], nil }
	folds := []Fold{{"norm1", []string{"q", "k"}}, {"norm2", []string{"p"}}}
	ranges := map[string][]float32{"q": {1, 9}, "k": {16, 4}}

	factors, n, err := Smooth(folds, ranges, 0.5, load)
	require.NoError(t, err)
	assert.Equal(t, 1, n, "norm2 has no ranges")
	// x = {16, 9} and w = {4, 1} over both layers.
	multiply, divide := []float32{2, 3}, []float32{0.5, 1.0 / 3}
	assert.Equal(t, Factors{
		"q.weight": multiply, "k.weight": multiply, "norm1.weight": divide, "norm1.bias": divide,
	}, factors)

	factors.Apply("q.weight", weights["q.weight"])
	assert.Equal(t, []float32{2, 1.5, -0.5, 3}, checkpoint.Values(weights["q.weight"]))
	factors.Apply("p.weight", weights["p.weight"])
	assert.Equal(t, []float32{1, 1}, checkpoint.Values(weights["p.weight"]))
}

func TestEncode(t *testing.T) {
	tensors := []checkpoint.Tensor{
		{Name: "scale", Kind: checkpoint.Other},
		{Name: "patch.weight", Shape: []int{2, 3, 1, 1}, Kind: checkpoint.Linear},
		{Name: "token.weight", Shape: []int{1, 2}, Kind: checkpoint.Embedding},
	}
	load := func(name string) (*tensor.Dense, error) {
		return map[string]*tensor.Dense{
			"scale":        tensor.New(tensor.FromScalar(float32(3))),
			"patch.weight": tensor.New(tensor.WithShape(2, 3, 1, 1), tensor.WithBacking([]float32{1, 2, 127, -254, 0, 2})),
			"token.weight": matrix(1, 2, 254, 2),
		}[name], nil
	}
	steps := 0
	e := Encoder{Scheme: W8A7, Load: load}
	data, stored, err := e.Encode(t.Context(), tensors, func() { steps++ })
	require.NoError(t, err)
	assert.Equal(t, 3, steps)
	assert.Equal(t, []safetensors.TensorData{
		{Name: "scale", DType: safetensors.F32, Data: floats(3)},
		{Name: "patch.weight", DType: safetensors.I8, Shape: []int{2, 3}, Data: []byte{1, 2, 127, 0x81, 0, 1}},
		{Name: "patch.scale", DType: safetensors.F32, Shape: []int{2}, Data: floats(1, 2)},
		{Name: "token.weight", DType: safetensors.I8, Shape: []int{1, 2}, Data: []byte{127, 1}},
		{Name: "token.scale", DType: safetensors.F32, Shape: []int{1}, Data: floats(2)},
	}, data)
	inf := math.Inf(1)
	assert.Equal(t, []Stored{
		{"scale", nil, "float32", 4, inf},
		{"patch.weight", []int{2, 3}, "int8 per row", 14, inf},
		{"token.weight", []int{1, 2}, "int8 per row", 6, inf},
	}, stored)

	e.Scheme = Float32
	data, _, err = e.Encode(t.Context(), tensors[1:2], func() {})
	require.NoError(t, err)
	assert.Equal(t, []safetensors.TensorData{
		{Name: "patch.weight", DType: safetensors.F32, Shape: []int{2, 3}, Data: floats(1, 2, 127, -254, 0, 2)},
	}, data)
}

func floats(values ...float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func TestParseScheme(t *testing.T) {
	s, err := ParseScheme("w8a7")
	require.NoError(t, err)
	assert.Equal(t, W8A7, s)
	_, err = ParseScheme("int4")
	require.ErrorContains(t, err, `unknown scheme "int4": want w8a7 or float32`)
}
