//go:build !(goexperiment.simd && (wasm || amd64))

package pixels

func resample(dst, src []byte, a *axis)                 { resampleGeneric(dst, src, a) }
func accumulate(sums []int32, row []byte, weight int32) { accumulateGeneric(sums, row, weight) }
