package clip

import (
	"github.com/ecor-clip/ecor/core/kernel"
)

// A linear layer computes x·Wᵀ + bias, in float32 or with int8 weights and
// 7-bit activations. Schemes differ only in how the weights come to be there.
type linear struct {
	in, out int
	bias    []float32 // (out), or nil

	// float32 weights, transposed for kernel.Gemm
	f32 []float32 // (in, out)

	// int8 weights: W = scale·w
	w     []int8    // (out, PadK(in)), padding zero; in panels once loaded
	scale []float32 // (out)
	sum   []float32 // (out), sums of w's rows; nil as long as w is not in panels
}

// workspace holds what a linear layer needs for one call. Its buffers grow to
// the largest call and are used again.
type workspace struct {
	q        []uint8   // (m, PadK(in)) quantized activations
	rowScale []float32 // (m)
	rowMin   []float32 // (m)
	tmp      []float32 // (m, out)
	kernel   kernel.Scratch
}

// grow returns a slice of length n that uses s where it is large enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// forward sets y (m, out) to the layer's outputs for x (m, in).
func (l *linear) forward(y, x []float32, m int, ws *workspace) { l.apply(y, x, m, false, ws) }

// accumulate adds the layer's outputs for x (m, in) to y (m, out).
func (l *linear) accumulate(y, x []float32, m int, ws *workspace) { l.apply(y, x, m, true, ws) }

func (l *linear) apply(y, x []float32, m int, add bool, ws *workspace) {
	if l.f32 != nil {
		l.applyFloat(y, x, m, add, ws)
		return
	}
	k := kernel.PadK(l.in)
	ws.q = grow(ws.q, m*k)
	ws.rowScale = grow(ws.rowScale, m)
	ws.rowMin = grow(ws.rowMin, m)
	kernel.QuantizeRows(ws.q, ws.rowScale, ws.rowMin, x, m, l.in)
	kernel.Linear(y, l.out, ws.q, ws.rowScale, ws.rowMin, l.w, l.scale, l.sum, l.bias, m, l.out, k, add, &ws.kernel)
}

// forwardHeads sets y to the layer's outputs for x (m, in), divided into
// matrices (m, d). The weights are int8.
func (l *linear) forwardHeads(y, x []float32, m, d int, ws *workspace) {
	k := kernel.PadK(l.in)
	ws.q = grow(ws.q, m*k)
	ws.rowScale = grow(ws.rowScale, m)
	ws.rowMin = grow(ws.rowMin, m)
	kernel.QuantizeRows(ws.q, ws.rowScale, ws.rowMin, x, m, l.in)
	kernel.LinearHeads(y, d, ws.q, ws.rowScale, ws.rowMin, l.w, l.scale, l.sum, l.bias, m, l.out, k, &ws.kernel)
}

func (l *linear) applyFloat(y, x []float32, m int, add bool, ws *workspace) {
	dst := y[:m*l.out]
	if add {
		ws.tmp = grow(ws.tmp, m*l.out)
		dst = ws.tmp
	}
	kernel.Gemm(dst, l.out, x, l.in, l.f32, l.out, m, l.out, l.in)
	if l.bias != nil {
		kernel.AddBias(dst, l.bias, m, l.out)
	}
	if add {
		kernel.Add(y[:m*l.out], dst)
	}
}

// norm is a LayerNorm.
type norm struct {
	gamma, beta []float32 // (width)
	epsilon     float32
}

// forward sets y (m, width) to the normalised rows of x; y may be x.
func (n *norm) forward(y, x []float32, m int) {
	kernel.LayerNorm(y, x, n.gamma, n.beta, m, len(n.gamma), n.epsilon)
}

// layer is one pre-norm transformer layer:
// x += out(attention(norm1(x))), x += fc2(activation(fc1(norm2(x)))).
type layer struct {
	norm1, norm2 norm
	qkv          linear // (3·width, width): queries, keys, values
	out          linear // (width, width)
	fc1          linear // (intermediate, width)
	fc2          linear // (width, intermediate)
}

// finish adds the output of attention, att (m, width), and then the MLP to the
// residual stream x (m, width). h (m, width) and hidden (at most mlpRows,
// intermediate) are overwritten.
func (y *layer) finish(x, att, h, hidden []float32, m int, a Activation, ws *workspace) {
	y.out.accumulate(x, att, m, ws)
	// Some rows at a time, so that what they expand to stays in the cache.
	w := y.fc2.out
	for ; m > 0; m -= mlpRows {
		rows := min(m, mlpRows)
		y.norm2.forward(h, x, rows)
		y.fc1.forward(hidden, h, rows, ws)
		activate(a, hidden[:rows*y.fc1.out])
		y.fc2.accumulate(x, hidden, rows, ws)
		x = x[rows*w:]
	}
}

// mlpRows is the number of rows that pass through an MLP at a time.
const mlpRows = 64

func activate(a Activation, x []float32) {
	if a == GELU {
		kernel.GELU(x)
		return
	}
	kernel.QuickGELU(x)
}
