//go:build !wasm && !(amd64 && goexperiment.simd)

package kernel

func dots(dst, q, rows []float32, ld int)  { dotsGeneric(dst, q, rows, ld) }
func combine(y, a, rows []float32, ld int) { combineGeneric(y, a, rows, ld) }
