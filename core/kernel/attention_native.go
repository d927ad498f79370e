//go:build !wasm

package kernel

func quantizeKeys(w []int8, scale, sum, x []float32, n, d int) {
	quantizeKeysGeneric(w, scale, sum, x, n, d)
}

func quantizeValues(w []int8, scale, x []float32, n, d int) {
	quantizeValuesGeneric(w, scale, x, n, d)
}

func softmaxU7(q []uint8, rowScale, x []float32, m, n int, scale float32) {
	softmaxU7Generic(q, rowScale, x, m, n, scale)
}
