//go:build goexperiment.simd && wasm

package kernel

func dots(dst, q, rows []float32, ld int)  { dotsVectors(dst, q, rows, ld) }
func combine(y, a, rows []float32, ld int) { combineVectors(y, a, rows, ld) }
