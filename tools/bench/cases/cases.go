// Package cases lists the kernel calls that tools/bench measures: those of
// the image towers of ViT-8M/16 at 224 pixels and of ecor-mini.
package cases

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/ecor-clip/ecor/core/kernel"
)

// A Tower is the shape of an image tower with int8 weights.
type Tower struct {
	Name                                                 string
	tokens, patch, width, hidden, head, layers, batchMLP int
}

// Towers lists the shapes. batchMLP is core/clip's mlpRows.
var Towers = []Tower{
	{"ViT-8M/16, 224 px", 197, 3 * 16 * 16, 256, 1024, 64, 10, 64},
	{"ecor-mini", 37, 3 * 16 * 16, 256, 1024, 64, 8, 64},
}

// A Case is one kernel call.
type Case struct {
	Tower    string
	Name     string
	Ops      int  // multiply-adds or elements of one call
	Product  bool // whether Ops counts multiply-adds of a linear layer
	PerPhoto int  // calls in one photo's image tower, those on one token left out

	// New allocates the operands. reset prepares them for a call and is not
	// measured.
	New func() (reset, call func())
}

// All lists the cases. Hosts and the module refer to them by index.
var All = all()

func all() []Case {
	var list []Case
	for _, t := range Towers {
		// The last layer works on one token where it can.
		full, heads := t.layers-1, t.width/t.head
		for _, c := range []Case{
			linear("patches", t.tokens-1, t.patch, t.width, t.batchMLP, 1, false),
			linear("q, k, v", t.tokens, t.width, 3*t.width, t.tokens, t.layers, false),
			linear("attention's output", t.tokens, t.width, t.width, t.tokens, full, true),
			linear("fc1", t.tokens, t.width, t.hidden, t.batchMLP, full, false),
			linear("fc2", t.tokens, t.hidden, t.width, t.batchMLP, full, true),
			attention(t.tokens, t.head, full*heads),
			rows("quick-GELU", t.tokens, t.hidden, full, func(x, _ []float32) { kernel.QuickGELU(x) }),
			layerNorm(t.tokens, t.width, 1+t.layers+full),
			quantize(t.tokens, t.width, t.layers+2*full),
			quantize(t.tokens, t.hidden, full),
		} {
			c.Tower = t.Name
			list = append(list, c)
		}
	}
	return list
}

// linear is a layer with int8 weights on quantized rows, at most batch of them at
// a time.
func linear(what string, m, k, n, batch, perPhoto int, accumulate bool) Case {
	name := "int8 linear layer " + shape(m, k, n) + ", " + what
	return Case{"", name, m * k * n, true, perPhoto, func() (reset, call func()) {
		a, w, y := make([]uint8, m*k), make([]int8, kernel.PanelLen(n, k)), make([]float32, m*n)
		r := rand.New(rand.NewPCG(1, 1))
		for i := range a {
			a[i] = uint8(r.IntN(128))
		}
		for i := range w {
			w[i] = int8(r.IntN(255) - 127)
		}
		row, column := normal(m), normal(n)
		var s kernel.Scratch
		return func() { clear(y) }, func() {
			for i := 0; i < m; i += batch {
				b := min(batch, m-i)
				kernel.Linear(y[i*n:], n, a[i*k:(i+b)*k], row[i:], row[i:], w, column, column, column, b, n, k, accumulate, &s)
			}
		}
	}}
}

// attention is that of one head, quantizing and softmax included.
func attention(tokens, head, perPhoto int) Case {
	keys, values := normal(tokens*head), normal(tokens*head)
	var s kernel.AttentionScratch
	return rows("integer attention of a head", tokens, head, perPhoto, func(x, y []float32) {
		kernel.Attend(y, head, x, keys, values, tokens, tokens, head, 0.125, &s)
	})
}

// rows is a case that works on x (m×n), in place or with the result in y.
func rows(name string, m, n, perPhoto int, f func(x, y []float32)) Case {
	return Case{"", name + " " + shape(m, n), m * n, false, perPhoto, func() (reset, call func()) {
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
