package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGemmU7S8Extremes multiplies operands at the ends of their ranges, with an
// inner dimension as large as is promised to be exact.
func TestGemmU7S8Extremes(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 10))
	for name, c := range map[string]struct {
		a uint8
		w int8
	}{
		"highest": {127, 127}, "lowest": {127, -127}, "zero rows": {0, 127}, "zero weights": {127, 0}, "lowest byte": {127, -128},
	} {
		t.Run(name, func(t *testing.T) {
			fillA := func(_ *rand.Rand, a []uint8) { fill(a, c.a) }
			fillW := func(_ *rand.Rand, w []int8) { fill(w, c.w) }
			for _, k := range []int{16, 4096, 131072} {
				require.NoError(t, checkGemmU7S8(dispatched, r, fillA, fillW, 3, 5, k, &Scratch{}))
			}
		})
	}
}

func fill[T any](x []T, v T) {
	for i := range x {
		x[i] = v
	}
}

// TestGemmU7S8Scratch runs large and small products with one Scratch, whose
// contents must not reach from one to the next, and without allocation after
// the largest.
func TestGemmU7S8Scratch(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 11))
	var s Scratch
	for range 40 {
		m, n, k := r.IntN(20), r.IntN(20), 1+r.IntN(100)
		require.NoError(t, checkGemmU7S8(dispatched, r, fillU7, fillS8, m, n, k, &s))
	}
	a, w, acc := make([]uint8, 5*64), make([]int8, PanelLen(7, 64)), make([]int32, 5*7)
	GemmU7S8(acc, a, w, 5, 7, 64, &s)
	assert.Zero(t, testing.AllocsPerRun(10, func() { GemmU7S8(acc, a, w, 5, 7, 64, &s) }))
}

// TestQuantizeRowsExtremes covers the rows that are not ordinary numbers.
func TestQuantizeRowsExtremes(t *testing.T) {
	inf, n := float32(math.Inf(1)), nan()
	const denormal = math.SmallestNonzeroFloat32
	for _, c := range []struct {
		name     string
		row      []float32
		scale    float32
		min      float32
		first, q uint8 // of the first element and the greatest of the row
	}{
		{"constant", []float32{5, 5, 5}, 0, 5, 0, 0},
		{"one", []float32{-2}, 0, -2, 0, 0},
		{"zeros of both signs", []float32{0, float32(math.Copysign(0, -1))}, 0, 0, 0, 0},
		{"denormal range", []float32{denormal, 9 * denormal}, 0, denormal, 0, 0},
		{"range just too small", []float32{0, math.Nextafter32(minRange, 0)}, 0, 0, 0, 0},
		{"smallest range", []float32{0, minRange}, 0x1p-126, 0, 0, 127},
		{"unit range", []float32{127, 0, 63.5}, 1, 0, 127, 127},
		{"largest range", []float32{math.MaxFloat32, 0}, math.MaxFloat32 / 127, 0, 127, 127},
		{"range too large", []float32{math.MaxFloat32, -math.MaxFloat32}, 0, n, 0, 0},
		{"NaN", []float32{1, n, 2}, 0, n, 0, 0},
		{"first NaN", []float32{n, 1, 2}, 0, n, 0, 0},
		{"infinity", []float32{1, inf, 2}, 0, n, 0, 0},
		{"negative infinity", []float32{1, -inf, 2}, 0, n, 0, 0},
		{"infinities", []float32{inf, inf}, 0, n, 0, 0},
	} {
		// The row as it is, and repeated so that every path of a kernel meets it.
		for _, repeat := range []int{1, 7, 16, 33} {
			t.Run(fmt.Sprintf("%s×%d", c.name, repeat), func(t *testing.T) {
				x := guard(len(c.row)*repeat, floatGuard)
				for i := range x.data() {
					x.data()[i] = c.row[i%len(c.row)]
				}
				require.NoError(t, checkQuantize(dispatched, x, 1, len(x.data())))
				q, scale, min := make([]uint8, PadK(len(x.data()))), make([]float32, 1), make([]float32, 1)
				QuantizeRows(q, scale, min, x.data(), 1, len(x.data()))
				assert.NoError(t, sameBits("scale", scale, []float32{c.scale}))
				if c.min != 0 || min[0] != 0 {
					assert.NoError(t, sameBits("min", min, []float32{c.min}))
				}
				assert.Equal(t, c.first, q[0])
				greatest := uint8(0)
				for _, v := range q {
					greatest = max(greatest, v)
				}
				assert.Equal(t, c.q, greatest)
			})
		}
	}
	var scale, min [2]float32
	fill(scale[:], n)
	QuantizeRows(nil, scale[:], min[:], nil, 2, 0)
	assert.Equal(t, [2]float32{}, scale, "rows without elements")
}

// TestQuantizeRowsFloats quantizes rows of arbitrary bits: the result is in range
// whatever they are, and near what it stands for where they are numbers.
func TestQuantizeRowsFloats(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 12))
	const k = 37
	for round := range 2000 {
		x := guard(k, floatGuard)
		exponent := 1 + r.IntN(255)
		for i := range x.data() {
			bits := r.Uint32()
			if round%2 == 0 { // numbers of about one size
				bits = bits&0x807fffff | uint32(exponent-exponent/255)<<23
			}
			x.data()[i] = math.Float32frombits(bits)
		}
		require.NoError(t, checkQuantize(dispatched, x, 1, k))
		q, scale, min := make([]uint8, PadK(k)), make([]float32, 1), make([]float32, 1)
		QuantizeRows(q, scale, min, x.data(), 1, k)
		for i, v := range q {
			if v > 127 {
				t.Fatalf("q[%d] = %d", i, v)
			}
			if i < k && scale[0] > 0 {
				off := float64(min[0]) + float64(scale[0])*float64(v) - float64(x.data()[i])
				if limit := 0.50005*float64(scale[0]) + 0x1p-24*math.Abs(float64(min[0])); math.Abs(off) > limit {
					t.Fatalf("row %v: q[%d] = %d is off by %v, limit %v", x.data(), i, v, off, limit)
				}
			}
		}
	}
}

// TestLinearLayer runs a quantized layer and holds it to the float64 product of
// the same weights and the activations before quantization.
func TestLinearLayer(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 13))
	const m, n, k = 5, 11, 70
	kp := PadK(k)
	x, colScale, bias := floats(r, m*k).data(), make([]float32, n), floats(r, n).data()
	w := make([]int8, n*kp)
	for j := range n {
		fillS8(r, w[j*kp:j*kp+k])
		colScale[j] = 0.01 + 0.001*float32(j)
	}
	q, rowScale, rowMin := make([]uint8, m*kp), make([]float32, m), make([]float32, m)
	acc, colSum, y := make([]int32, m*n), make([]float32, n), make([]float32, m*n)
	QuantizeRows(q, rowScale, rowMin, x, m, k)
	packed := Pack(slices.Clone(w), n, kp)
	GemmU7S8(acc, q, packed, m, n, kp, &Scratch{})
	RowSums(colSum, packed, n, kp, &Scratch{})
	for j := range n {
		var sum float32
		for _, v := range w[j*kp : j*kp+k] {
			sum += float32(v)
		}
		require.Equal(t, sum, colSum[j])
	}
	DequantizeRows(y, acc, rowScale, rowMin, colScale, colSum, bias, m, n, false)
	whole := make([]float32, m*n)
	Linear(whole, n, q, rowScale, rowMin, packed, colScale, colSum, bias, m, n, kp, false, &Scratch{})
	require.NoError(t, sameBits("Linear", whole, y))
	for i := range m {
		for j := range n {
			want, weight := float64(bias[j]), 0.0
			for p := range k {
				wp := float64(colScale[j]) * float64(w[j*kp+p])
				want += float64(x[i*k+p]) * wp
				weight += math.Abs(wp)
			}
			// Each activation is off by at most half a step.
			bound := 0.501*float64(rowScale[i])*weight + 1e-5*weight*math.Abs(float64(rowMin[i])) + 1e-6*math.Abs(want)
			assert.InDelta(t, want, y[i*n+j], bound, "[%d,%d]", i, j)
		}
	}
	twice := append([]float32(nil), y...)
	DequantizeRows(twice, acc, rowScale, rowMin, colScale, colSum, bias, m, n, true)
	Axpy(twice, -2, y)
	assert.Equal(t, make([]float32, m*n), twice, "accumulate adds the same values")
}

// TestMisusePanics calls each function with a slice that is too short.
func TestMisusePanics(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	for name, c := range map[string]struct {
		text string
		call func()
	}{
		"GemmU7S8 k":   {badPad, func() { GemmU7S8(nil, nil, nil, 1, 1, 15, &Scratch{}) }},
		"GemmU7S8 m":   {badDim, func() { GemmU7S8(nil, nil, nil, -1, 1, 16, &Scratch{}) }},
		"GemmU7S8 acc": {shortDst, func() { GemmU7S8(make([]int32, 3), make([]uint8, 32), make([]int8, 32), 2, 2, 16, &Scratch{}) }},
		"GemmU7S8 a":   {shortSrc, func() { GemmU7S8(make([]int32, 4), make([]uint8, 31), make([]int8, 32), 2, 2, 16, &Scratch{}) }},
		"GemmU7S8 w":   {shortSrc, func() { GemmU7S8(make([]int32, 4), make([]uint8, 32), make([]int8, 31), 2, 2, 16, &Scratch{}) }},
		"GemmU7S8 panels": {shortSrc, func() {
			GemmU7S8(make([]int32, 4), make([]uint8, 32), make([]int8, PanelLen(2, 16)-1), 2, 2, 16, &Scratch{})
		}},
		"Linear y": {shortDst, func() {
			Linear(f(3), 2, make([]uint8, 32), f(2), f(2), make([]int8, PanelLen(2, 16)), f(2), f(2), nil, 2, 2, 16, false, &Scratch{})
		}},
		"Linear w": {shortSrc, func() {
			Linear(f(4), 2, make([]uint8, 32), f(2), f(2), make([]int8, 31), f(2), f(2), nil, 2, 2, 16, false, &Scratch{})
		}},
		"Linear row": {shortRow, func() {
			Linear(f(4), 2, make([]uint8, 32), f(1), f(2), make([]int8, PanelLen(2, 16)), f(2), f(2), nil, 2, 2, 16, false, &Scratch{})
		}},
		"Linear col": {shortCol, func() {
			Linear(f(4), 2, make([]uint8, 32), f(2), f(2), make([]int8, PanelLen(2, 16)), f(2), f(1), nil, 2, 2, 16, false, &Scratch{})
		}},
		"Pack":               {badPad, func() { Pack(make([]int8, 15), 1, 15) }},
		"Gemm y":             {shortDst, func() { Gemm(f(3), 2, f(4), 2, f(4), 2, 2, 2, 2) }},
		"Gemm x":             {shortSrc, func() { Gemm(f(4), 2, f(3), 2, f(4), 2, 2, 2, 2) }},
		"Gemm b":             {shortSrc, func() { Gemm(f(4), 2, f(4), 2, f(3), 2, 2, 2, 2) }},
		"Gemm ldb":           {badLd, func() { Gemm(f(4), 2, f(4), 2, f(4), 1, 2, 2, 2) }},
		"QuantizeRows q":     {shortDst, func() { QuantizeRows(make([]uint8, 15), f(1), f(1), f(3), 1, 3) }},
		"QuantizeRows x":     {shortSrc, func() { QuantizeRows(make([]uint8, 16), f(1), f(1), f(2), 1, 3) }},
		"QuantizeRows min":   {shortRow, func() { QuantizeRows(make([]uint8, 16), f(1), nil, f(3), 1, 3) }},
		"DequantizeRows y":   {shortDst, func() { DequantizeRows(f(1), make([]int32, 2), f(1), f(1), f(2), f(2), nil, 1, 2, false) }},
		"DequantizeRows acc": {shortSrc, func() { DequantizeRows(f(2), make([]int32, 1), f(1), f(1), f(2), f(2), nil, 1, 2, false) }},
		"DequantizeRows row": {shortRow, func() { DequantizeRows(f(2), make([]int32, 2), nil, f(1), f(2), f(2), nil, 1, 2, false) }},
		"DequantizeRows col": {shortCol, func() { DequantizeRows(f(2), make([]int32, 2), f(1), f(1), f(2), f(2), f(1), 1, 2, false) }},
		"RowSums":            {shortDst, func() { RowSums(nil, make([]int8, 16), 1, 16, &Scratch{}) }},
		"Transpose":          {shortDst, func() { Transpose(f(5), 2, f(6), 3, 2, 3) }},
		"Add":                {badLen, func() { Add(f(2), f(3)) }},
		"AddBias":            {shortCol, func() { AddBias(f(4), f(1), 2, 2) }},
		"Axpy":               {badLen, func() { Axpy(f(2), 1, f(3)) }},
		"Dot":                {badLen, func() { Dot(f(2), f(3)) }},
		"LayerNorm":          {shortCol, func() { LayerNorm(f(4), f(4), f(1), f(2), 2, 2, 0) }},
		"Softmax":            {shortDst, func() { Softmax(f(5), 3, 2, 3, 1) }},
	} {
		assert.PanicsWithValue(t, c.text, c.call, name)
	}
}

func TestPadK(t *testing.T) {
	for k, want := range map[int]int{0: 0, 1: 16, 15: 16, 16: 16, 17: 32, 192: 192} {
		assert.Equal(t, want, PadK(k), "%d", k)
	}
}
