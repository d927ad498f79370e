//go:build goexperiment.simd

package pixels

import "simd/archsimd"

// widen returns 16 bytes as four vectors, in order.
func widen(v archsimd.Uint8x16) (a, b, c, d archsimd.Int32x4) {
	lo, hi := v.ExtendLo8ToUint16(), v.ExtendHi8ToUint16()
	return lo.ExtendLo4ToUint32().BitsToInt32(), lo.ExtendHi4ToUint32().BitsToInt32(),
		hi.ExtendLo4ToUint32().BitsToInt32(), hi.ExtendHi4ToUint32().BitsToInt32()
}
