//go:build goexperiment.simd

package kernel

func name() string { return "generic" }

func gemmU7S8(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
	gemmU7S8Generic(acc, a, w, m, n, k, s)
}

func gemm(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
	gemmGeneric(y, ldy, x, ldx, b, ldb, m, n, k)
}

func quantizeRows(q []uint8, rowScale, rowMin []float32, x []float32, m, k int) {
	quantizeRowsGeneric(q, rowScale, rowMin, x, m, k)
}

func dequantizeRows(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool) {
	dequantizeRowsGeneric(y, acc, rowScale, rowMin, colScale, colSum, bias, m, n, accumulate)
}

func add(y, x []float32)                       { addGeneric(y, x) }
func axpy(y []float32, a float32, x []float32) { axpyGeneric(y, a, x) }
func scale(x []float32, a float32)             { scaleGeneric(x, a) }
func dot(a, b []float32) float32               { return dotGeneric(a, b) }
func softmaxRow(x []float32, scale float32)    { softmaxRowGeneric(x, scale) }
func quickGELU(x []float32)                    { quickGELUGeneric(x) }
func gelu(x []float32)                         { geluGeneric(x) }

func layerNormRow(y, x, gamma, beta []float32, eps float32) {
	layerNormRowGeneric(y, x, gamma, beta, eps)
}
