package quant

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
)

func TestRows(t *testing.T) {
	q := Rows([]float32{127, -254, 1, 0, 0, 0, 0.5, -0.25, 1}, 3, 3)
	assert.Equal(t, []float32{2, 1, 1.0 / 127}, q.Scale)
	// 63.5, 0.5 and 31.75 steps: halves go to the even neighbour.
	assert.Equal(t, []int8{64, -127, 0, 0, 0, 0, 64, -32, 127}, q.Q)
}

// A weight is at most half a step away from what is stored for it.
func TestRowsError(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {1, 7}, {5, 1}, {3, 16}, {100, 257}} {
		w := normal(shape[0]*shape[1], 1)
		q := Rows(w, shape[0], shape[1])
		got := q.Dequantize()
		for i, v := range w {
			scale := q.Scale[i/shape[1]]
			assert.InDelta(t, v, got[i], float64(scale)*0.5001, "shape %v, element %d", shape, i)
			assert.NotEqual(t, int8(-128), q.Q[i])
		}
	}
}

func TestSQNR(t *testing.T) {
	exact := []float32{1, 1}
	assert.InDelta(t, 20, SQNR(exact, []float32{0.9, 1.1}), 1e-4)
	assert.True(t, math.IsInf(SQNR(exact, exact), 1))
}

func TestSmooth(t *testing.T) {
	for _, c := range []struct {
		x, w  float32
		alpha float64
		want  float64
	}{
		{4, 1, 0.5, 2},
		{16, 4, 0.5, 2},
		{16, 4, 1, 16},
		{16, 4, 0, 0.25},
		{0, 1, 0.5, 1}, // never active
		{1, 0, 0.5, 1}, // never read
		{1e30, 1, 0.5, maxFactor},
		{1e-30, 1, 0.5, minFactor},
	} {
		assert.InEpsilon(t, c.want, Smooth([]float32{c.x}, [][]float32{{-c.w}}, c.alpha)[0], 1e-6, "%+v", c)
	}
	// The largest weight of a channel is taken over all rows of all layers.
	s := Smooth([]float32{16, 9}, [][]float32{{1, 0.5, -0.25, 1}, {-4, 0.5, 0, 0}}, 0.5)
	assert.Equal(t, []float32{2, 3}, s)
	w := []float32{1, 0.5, -0.25, 1}
	Multiply(w, s)
	assert.Equal(t, []float32{2, 1.5, -0.5, 3}, w)
	Divide(w, s)
	assert.Equal(t, []float32{1, 0.5, -0.25, 1}, w)
}

func TestEncode(t *testing.T) {
	scale := checkpoint.Tensor{Name: "scale", Kind: checkpoint.Other}
	patch := checkpoint.Tensor{Name: "patch.weight", Shape: []int{2, 3, 1, 1}, Kind: checkpoint.Linear}
	token := checkpoint.Tensor{Name: "token.weight", Shape: []int{1, 2}, Kind: checkpoint.Embedding}
	values := map[string][]float32{"scale": {3}, "patch.weight": {1, 2, 127, -254, 0, 2}, "token.weight": {254, 2}}
	f32, i8, u8 := safetensors.F32, safetensors.I8, safetensors.U8
	for _, c := range []struct {
		format Format
		tensor checkpoint.Tensor
		layout []safetensors.Tensor
		data   [][]byte
	}{
		{Format{Scheme: W8A7}, scale, []safetensors.Tensor{{Name: "scale", DType: f32}}, [][]byte{Float32Bytes([]float32{3})}},
		{Format{Scheme: W8A7}, patch, []safetensors.Tensor{
			{Name: "patch.weight", DType: i8, Shape: []int{2, 3}}, {Name: "patch.scale", DType: f32, Shape: []int{2}},
		}, [][]byte{{1, 2, 127, 0x81, 0, 1}, Float32Bytes([]float32{1, 2})}},
		{Format{Scheme: W8}, token, []safetensors.Tensor{
			{Name: "token.weight", DType: i8, Shape: []int{1, 2}}, {Name: "token.scale", DType: f32, Shape: []int{1}},
		}, [][]byte{{127, 1}, Float32Bytes([]float32{2})}},
		{Format{Scheme: Float32}, patch, []safetensors.Tensor{{Name: "patch.weight", DType: f32, Shape: []int{2, 3}}},
			[][]byte{Float32Bytes([]float32{1, 2, 127, -254, 0, 2})}},
		{Format{Scheme: W4A7, Group: 32}, token, []safetensors.Tensor{
			{Name: "token.weight", DType: i8, Shape: []int{1, 2}}, {Name: "token.scale", DType: f32, Shape: []int{1}},
		}, [][]byte{{127, 1}, Float32Bytes([]float32{2})}},
		{Format{Scheme: W4A7, Group: 2, Embed4: true}, patch, []safetensors.Tensor{
			{Name: "patch.weight", DType: u8, Shape: []int{2, 2}},
			{Name: "patch.group", DType: i8, Shape: []int{2, 2}},
			{Name: "patch.scale", DType: f32, Shape: []int{2}},
		}, nil},
		{Format{Scheme: W4A7, Group: 32, Embed4: true}, token, []safetensors.Tensor{
			{Name: "token.weight", DType: u8, Shape: []int{1, 1}},
			{Name: "token.group", DType: i8, Shape: []int{1, 1}},
			{Name: "token.scale", DType: f32, Shape: []int{1}},
		}, nil},
	} {
		layout := c.format.Layout(c.tensor)
		assert.Equal(t, c.layout, layout)
		e := c.format.Encode(c.tensor, values[c.tensor.Name], nil)
		require.Len(t, e.Data, len(layout))
		bytes := 0
		for i, d := range e.Data {
			elements := 1
			for _, n := range layout[i].Shape {
				elements *= n
			}
			assert.Len(t, d, elements*layout[i].DType.Size())
			bytes += len(d)
		}
		assert.Equal(t, bytes, e.Bytes)
		if c.data != nil {
			assert.Equal(t, c.data, e.Data)
		}
		assert.Equal(t, SQNR(values[c.tensor.Name], e.Values), e.SQNR)
	}
}

// The codes of a row lie two to a byte, the first in the low half.
func TestPacked(t *testing.T) {
	m := &Int4{Rows: 2, Cols: 3, Code: []int8{-8, 7, -1, 0, 1, 2}}
	assert.Equal(t, []byte{0x78, 0x0f, 0x10, 0x02}, m.packed())
}

func TestParseScheme(t *testing.T) {
	for _, name := range []string{"w8a7", "w8", "w4a7", "float32"} {
		s, err := ParseScheme(name)
		require.NoError(t, err)
		assert.Equal(t, Scheme(name), s)
	}
	_, err := ParseScheme("int4")
	require.ErrorContains(t, err, `unknown scheme "int4": want w8a7, w8, w4a7 or float32`)
}
