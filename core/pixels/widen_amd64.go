//go:build goexperiment.simd

package pixels

import "simd/archsimd"

// widen returns 16 bytes as four vectors, in order.
func widen(v archsimd.Uint8x16) (a, b, c, d archsimd.Int32x4) {
	w := v.AsUint32x4()
	return widenLow(w), widenLow(w.PermuteScalars(1, 1, 1, 1)), widenLow(w.PermuteScalars(2, 2, 2, 2)), widenLow(w.PermuteScalars(3, 3, 3, 3))
}

func widenLow(v archsimd.Uint32x4) archsimd.Int32x4 {
	return v.AsUint8x16().ExtendLo4ToUint32().BitsToInt32()
}
