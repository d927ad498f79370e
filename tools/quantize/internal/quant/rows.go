package quant

import (
	"math"

	"gorgonia.org/tensor"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
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
func Rows(w *tensor.Dense) (*Int8, error) {
	rows, cols := w.Shape()[0], w.Shape()[1]
	largest, err := magnitudes(w, 1)
	if err != nil {
		return nil, err
	}
	out := &Int8{Rows: rows, Cols: cols, Q: make([]int8, rows*cols), Scale: make([]float32, rows)}
	values := checkpoint.Values(w)
	for i := range rows {
		scale := largest[i] / maxInt8
		if scale == 0 {
			scale = 1
		}
		out.Scale[i] = scale
		q := out.Q[i*cols : (i+1)*cols]
		for j, v := range values[i*cols : (i+1)*cols] {
			q[j] = int8(max(-maxInt8, min(maxInt8, math.RoundToEven(float64(v)/float64(scale)))))
		}
	}
	return out, nil
}

// Dequantize returns Scale·Q (Rows, Cols).
func (m *Int8) Dequantize() *tensor.Dense {
	values := make([]float32, len(m.Q))
	for i, q := range m.Q {
		values[i] = m.Scale[i/m.Cols] * float32(q)
	}
	return tensor.New(tensor.WithShape(m.Rows, m.Cols), tensor.WithBacking(values))
}

// magnitudes returns the largest magnitudes of w (rows, cols) along an axis: with axis 0 of each column, with axis 1
// of each row.
func magnitudes(w *tensor.Dense, axis int) ([]float32, error) {
	abs, err := tensor.Abs(w)
	if err != nil {
		return nil, err
	}
	largest, err := abs.(*tensor.Dense).Max(axis)
	if err != nil {
		return nil, err
	}
	return checkpoint.Values(largest), nil
}

// SQNR returns the signal-to-quantization-noise ratio of approx in decibels: +Inf where it equals exact.
func SQNR(exact, approx *tensor.Dense) float64 {
	var signal, noise float64
	got := checkpoint.Values(approx)
	for i, v := range checkpoint.Values(exact) {
		d := float64(v) - float64(got[i])
		signal += float64(v) * float64(v)
		noise += d * d
	}
	if noise == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(signal/noise)
}
