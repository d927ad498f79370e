//go:build wasm

package kernel

func name() string { return moduleName }

func gemmU7S8(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
	gemmU7S8SIMD128(acc, a, w, m, n, k, s)
}

func linear(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch) {
	linearSIMD128(y, ldy, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, accumulate, s)
}

func gemm(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
	gemmSIMD128(y, ldy, x, ldx, b, ldb, m, n, k)
}

func quantizeRows(q []uint8, rowScale, rowMin []float32, x []float32, m, k int) {
	quantizeRowsSIMD128(q, rowScale, rowMin, x, m, k)
}

func dequantizeRows(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool) {
	dequantizeRowsSIMD128(y, acc, rowScale, rowMin, colScale, colSum, bias, m, n, accumulate)
}

func add(y, x []float32)                       { addSIMD128(y, x) }
func axpy(y []float32, a float32, x []float32) { axpySIMD128(y, a, x) }
func scale(x []float32, a float32)             { scaleSIMD128(x, a) }
func dot(a, b []float32) float32               { return dotSIMD128(a, b) }
func softmaxRow(x []float32, scale float32)    { softmaxRowSIMD128(x, scale) }
func quickGELU(x []float32)                    { quickGELUSIMD128(x) }
func gelu(x []float32)                         { geluSIMD128(x) }

func layerNormRow(y, x, gamma, beta []float32, eps float32) {
	layerNormRowSIMD128(y, x, gamma, beta, eps)
}
