package tower

import (
	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/tools/quantize/internal/work"
)

// linearRows is the number of rows that one goroutine computes at a time.
const linearRows = 64

// Linear computes x·Wᵀ + bias in float32.
type Linear struct {
	In, Out   int
	weight    []float32 // (in, out)
	bias      []float32 // (out), or nil
	quantizes bool
}

// NewLinear returns a layer with weights w (out, in) and a bias, which may be nil. With quantizes, inputs are first
// rounded to seven bits a row as the engine does; it computes with the same integers in another order.
func NewLinear(w, bias []float32, out int, quantizes bool) *Linear {
	in := len(w) / out
	l := &Linear{In: in, Out: out, weight: make([]float32, len(w)), bias: bias, quantizes: quantizes}
	work.Blocks(out, linearRows, func(first, end int) {
		kernel.Transpose(l.weight[first:], out, w[first*in:], in, end-first, in)
	})
	return l
}

// Apply writes the outputs for x (rows, in) to y (rows, out).
func (l *Linear) Apply(y, x []float32, rows int) {
	work.Blocks(rows, linearRows, func(first, end int) {
		n, part := end-first, x[first*l.In:end*l.In]
		if l.quantizes {
			part = Rounded(part, n, l.In)
		}
		dst := y[first*l.Out : end*l.Out]
		kernel.Gemm(dst, l.Out, part, l.In, l.weight, l.Out, n, l.Out, l.In)
		if l.bias != nil {
			kernel.AddBias(dst, l.bias, n, l.Out)
		}
	})
}

// Rounded returns what seven bits keep of x (rows, in).
func Rounded(x []float32, rows, in int) []float32 {
	stride := kernel.PadK(in)
	q := make([]uint8, rows*stride)
	scale, low := make([]float32, rows), make([]float32, rows)
	kernel.QuantizeRows(q, scale, low, x, rows, in)
	out := make([]float32, rows*in)
	for i := range rows {
		for j, v := range q[i*stride : i*stride+in] {
			out[i*in+j] = low[i] + float32(scale[i]*float32(v))
		}
	}
	return out
}
