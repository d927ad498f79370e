//go:build goexperiment.simd && wasm

package pixels

func resample(dst, src []byte, a *axis)                 { resampleSIMD128(dst, src, a) }
func accumulate(sums []int32, row []byte, weight int32) { accumulateSIMD128(sums, row, weight) }
