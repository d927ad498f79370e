//go:build !wasm && !(amd64 && goexperiment.simd)

package kernel

func quantizeKeys(w []int8, scale, sum, x []float32, n, d int) {
	quantizeKeysGeneric(w, scale, sum, x, n, d)
}

func quantizeValues(w []int8, scale, x []float32, n, d int) {
	quantizeValuesGeneric(w, scale, x, n, d)
}

func linearHeads(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, s *Scratch) {
	linearHeadsGeneric(y, d, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, s)
}

func softmaxU7(q []uint8, rowScale, x []float32, m, n int, scale float32) {
	softmaxU7Generic(q, rowScale, x, m, n, scale)
}
