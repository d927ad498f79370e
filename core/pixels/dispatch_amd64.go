//go:build goexperiment.simd

package pixels

import "simd/archsimd"

// vectors says whether the processor has the instructions of the vector kernels.
var vectors = archsimd.X86.AVX2()

func resample(dst, src []byte, a *axis) {
	if vectors {
		resampleSIMD128(dst, src, a)
		return
	}
	resampleGeneric(dst, src, a)
}

func accumulate(sums []int32, row []byte, weight int32) {
	if vectors {
		accumulateSIMD128(sums, row, weight)
		return
	}
	accumulateGeneric(sums, row, weight)
}
