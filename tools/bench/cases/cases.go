// Package cases lists the kernel calls that tools/bench measures: those of
// ecor-mini's image tower (96 px, patches of 8, width 256, 4 heads, 8 layers).
package cases

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/ecor-clip/ecor/core/kernel"
)

// Shape of the tower.
const (
	tokens = 145
	width  = 256
	hidden = 1024
	heads  = 4
	head   = width / heads
	layers = 8
	full   = layers - 1 // the last layer works on one token where it can
)

// A Case is one kernel call.
type Case struct {
	Name     string
	Ops      int  // multiply-adds or elements of one call
	Product  bool // whether Ops counts multiply-adds
	PerPhoto int  // calls in one photo's image tower, those on one token left out

	// New allocates the operands. reset prepares them for a call and is not
	// measured.
	New func() (reset, call func())
}

// All lists the cases. Hosts and the module refer to them by index.
var All = []Case{
	product8(144, 192, width, 1, "patches"),
	product8(tokens, width, 3*width, layers, "q, k, v"),
	product8(tokens, width, width, full, "attention's output"),
	product8(tokens, width, hidden, full, "fc1"),
	product8(tokens, hidden, width, full, "fc2"),
	product32(tokens, head, tokens, full*heads, "Q·Kᵀ of a head"),
	product32(tokens, tokens, head, full*heads, "P·V of a head"),
	rows("softmax", tokens, tokens, full*heads, func(x, _ []float32) {
		kernel.Softmax(x, tokens, tokens, tokens, 0.125)
	}),
	rows("transpose", tokens, head, layers*heads, func(x, y []float32) {
		kernel.Transpose(y, tokens, x, head, tokens, head)
	}),
	rows("quick-GELU", tokens, hidden, full, func(x, _ []float32) { kernel.QuickGELU(x) }),
	rows("GELU", tokens, hidden, 0, func(x, _ []float32) { kernel.GELU(x) }),
	layerNorm(tokens, width, 1+layers+full),
	quantize(tokens, width, 1+layers+2*full),
	quantize(tokens, hidden, full),
	dequantize(tokens, 3*width, layers, false),
	dequantize(tokens, width, 1+2*full, true),
	dequantize(tokens, hidden, full, false),
}

func product8(m, k, n, perPhoto int, what string) Case {
	return Case{"int8 GEMM " + shape(m, k, n) + ", " + what, m * k * n, true, perPhoto, func() (reset, call func()) {
		a, w, acc := make([]uint8, m*k), make([]int8, kernel.PanelLen(n, k)), make([]int32, m*n)
		r := rand.New(rand.NewPCG(1, 1))
		for i := range a {
			a[i] = uint8(r.IntN(128))
		}
		for i := range w {
			w[i] = int8(r.IntN(255) - 127)
		}
		var s kernel.Scratch
		return func() {}, func() { kernel.GemmU7S8(acc, a, w, m, n, k, &s) }
	}}
}

func product32(m, k, n, perPhoto int, what string) Case {
	return Case{"float GEMM " + shape(m, k, n) + ", " + what, m * k * n, true, perPhoto, func() (reset, call func()) {
		x, b, y := normal(m*k), normal(k*n), make([]float32, m*n)
		return func() {}, func() { kernel.Gemm(y, n, x, k, b, n, m, n, k) }
	}}
}

// rows is a case that works on x (m×n), in place or with the result in y.
func rows(name string, m, n, perPhoto int, f func(x, y []float32)) Case {
	return Case{name + " " + shape(m, n), m * n, false, perPhoto, func() (reset, call func()) {
		input, x, y := normal(m*n), make([]float32, m*n), make([]float32, m*n)
		return func() { copy(x, input) }, func() { f(x, y) }
	}}
}

func layerNorm(m, n, perPhoto int) Case {
	gamma, beta := normal(n), normal(n)
	return rows("LayerNorm", m, n, perPhoto, func(x, y []float32) { kernel.LayerNorm(y, x, gamma, beta, m, n, 1e-5) })
}

func quantize(m, n, perPhoto int) Case {
	q, scale, least := make([]uint8, m*n), make([]float32, m), make([]float32, m)
	return rows("quantize rows", m, n, perPhoto, func(x, _ []float32) { kernel.QuantizeRows(q, scale, least, x, m, n) })
}

func dequantize(m, n, perPhoto int, add bool) Case {
	name := "dequantize rows"
	if add {
		name = "dequantize and add rows"
	}
	acc, row, column := make([]int32, m*n), normal(m), normal(n)
	return rows(name, m, n, perPhoto, func(_, y []float32) {
		kernel.DequantizeRows(y, acc, row, row, column, column, column, m, n, add)
	})
}

func shape(dims ...int) string {
	texts := make([]string, len(dims))
	for i, n := range dims {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, "×")
}

func normal(n int) []float32 {
	r := rand.New(rand.NewPCG(2, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}
