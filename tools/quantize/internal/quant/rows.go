package quant

import (
	"math"

	"github.com/ecor-clip/ecor/tools/quantize/internal/work"
)

// maxInt8 is the largest magnitude of a quantized weight; -128 is not used.
const maxInt8 = 127

// Int8 is a matrix quantized symmetrically with one scale per row: w[i,j] ≈ Scale[i]·Q[i,j].
type Int8 struct {
	Rows, Cols int
	Q          []int8    // (Rows, Cols), -127..127
	Scale      []float32 // (Rows), positive
}

// Rows quantizes w (rows, cols). A row's scale is its largest magnitude divided by 127, so that no weight is clipped; a
// row of zeros gets scale 1.
func Rows(w []float32, rows, cols int) *Int8 {
	out := &Int8{Rows: rows, Cols: cols, Q: make([]int8, rows*cols), Scale: make([]float32, rows)}
	work.Blocks(rows, 64, func(first, end int) {
		for i := first; i < end; i++ {
			row := w[i*cols : (i+1)*cols]
			var most float32
			for _, v := range row {
				most = max(most, v, -v)
			}
			scale := most / maxInt8
			if scale == 0 {
				scale = 1
			}
			out.Scale[i] = scale
			q := out.Q[i*cols : (i+1)*cols]
			for j, v := range row {
				q[j] = int8(max(-maxInt8, min(maxInt8, math.RoundToEven(float64(v)/float64(scale)))))
			}
		}
	})
	return out
}

// Dequantize returns Scale·Q (Rows, Cols).
func (m *Int8) Dequantize() []float32 {
	values := make([]float32, len(m.Q))
	for i := range m.Rows {
		for j := i * m.Cols; j < (i+1)*m.Cols; j++ {
			values[j] = m.Scale[i] * float32(m.Q[j])
		}
	}
	return values
}

// SQNR returns the signal-to-quantization-noise ratio of approx in decibels: +Inf where it equals exact.
func SQNR(exact, approx []float32) float64 {
	var signal, noise float64
	for i, v := range exact {
		d := float64(v) - float64(approx[i])
		signal += float64(v) * float64(v)
		noise += d * d
	}
	if noise == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(signal/noise)
}
