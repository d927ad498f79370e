package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// reportRate reports n operations for each iteration as a rate in units of 10⁹
// or 10⁶ a second.
func reportRate(b *testing.B, n int, scale float64, unit string) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/scale, unit)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkGemmU7S8 runs the products of a tower of width 256 with 145 tokens.
func BenchmarkGemmU7S8(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, shape := range [][3]int{{145, 256, 256}, {145, 1024, 256}, {145, 256, 1024}, {1, 256, 256}, {5, 1024, 256}} {
		m, n, k := shape[0], shape[1], shape[2]
		b.Run(fmt.Sprintf("%dx%dx%d", m, n, k), func(b *testing.B) {
			a, w, acc := make([]uint8, m*k), make([]int8, PanelLen(n, k)), make([]int32, m*n)
			fillU7(r, a)
			fillS8(r, w)
			var s Scratch
			b.ReportAllocs()
			for b.Loop() {
				GemmU7S8(acc, a, w, m, n, k, &s)
			}
			reportRate(b, m*n*k, 1e9, "GMAC/s")
		})
	}
}

// BenchmarkGemm runs attention's products of one head of 32 over 145 tokens.
func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][3]int{{145, 145, 32}, {145, 32, 145}, {145, 256, 256}, {1, 256, 256}} {
		m, n, k := shape[0], shape[1], shape[2]
		b.Run(fmt.Sprintf("%dx%dx%d", m, n, k), func(b *testing.B) {
			x, w, y := floats(r, m*k).data(), floats(r, k*n).data(), make([]float32, m*n)
			for b.Loop() {
				Gemm(y, n, x, k, w, n, m, n, k)
			}
			reportRate(b, m*n*k, 1e9, "GMAC/s")
		})
	}
}

// BenchmarkRows runs the functions between the products on 145 rows.
func BenchmarkRows(b *testing.B) {
	const m, n = 145, 1024
	r := rand.New(rand.NewPCG(1, 3))
	input := floats(r, m*n).data()
	x, y, row := make([]float32, m*n), make([]float32, m*n), floats(r, n).data()
	q, acc := make([]uint8, m*n), make([]int32, m*n)
	rowScale, rowMin := make([]float32, m), make([]float32, m)
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"QuickGELU", func() { QuickGELU(x) }},
		{"GELU", func() { GELU(x) }},
		{"Softmax", func() { Softmax(x, n, m, n, 0.1) }},
		{"LayerNorm", func() { LayerNorm(y, x, row, row, m, n, 1e-5) }},
		{"QuantizeRows", func() { QuantizeRows(q, rowScale, rowMin, x, m, n) }},
		{"DequantizeRows", func() { DequantizeRows(y, acc, rowScale, rowMin, row, row, row, m, n, true) }},
		{"Transpose", func() { Transpose(y, m, x, n, m, n) }},
		{"Add", func() { Add(y, x) }},
		{"Dot", func() { rowMin[0] = Dot(y, x) }},
		{"Axpy", func() { Axpy(y, 0.5, x) }},
		{"Scale", func() { Scale(y, 1) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var spent time.Duration
			for b.Loop() {
				// Inputs that are worked on in place would reach zero or a limit.
				copy(x, input)
				start := time.Now()
				c.f()
				spent += time.Since(start)
			}
			b.ReportMetric(m*n*float64(b.N)/spent.Seconds()/1e6, "M/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
