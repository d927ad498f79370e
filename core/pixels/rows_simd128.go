//go:build goexperiment.simd && (wasm || amd64)

package pixels

import "simd/archsimd"

func resampleSIMD128(dst, src []byte, a *axis) {
	for o := range a.count {
		w := a.weights(o)
		p := src[4*a.start[o]:][:4*len(w)]
		even, odd := archsimd.BroadcastInt32x4(half), archsimd.BroadcastInt32x4(0)
		for ; len(w) >= 4 && len(p) >= 16; w, p = w[4:], p[16:] {
			p0, p1, p2, p3 := widen(archsimd.LoadUint8x16Array((*[16]byte)(p)))
			even = even.Add(p0.Mul(archsimd.BroadcastInt32x4(w[0])))
			odd = odd.Add(p1.Mul(archsimd.BroadcastInt32x4(w[1])))
			even = even.Add(p2.Mul(archsimd.BroadcastInt32x4(w[2])))
			odd = odd.Add(p3.Mul(archsimd.BroadcastInt32x4(w[3])))
		}
		sum := even.Add(odd)
		r, g, b := sum.GetElem(0), sum.GetElem(1), sum.GetElem(2)
		for i, w := range w {
			q := p[4*i:][:4]
			r += w * int32(q[0])
			g += w * int32(q[1])
			b += w * int32(q[2])
		}
		q := dst[4*o:][:4]
		q[0], q[1], q[2], q[3] = clip8(r), clip8(g), clip8(b), 0
	}
}

func accumulateSIMD128(sums []int32, row []byte, weight int32) {
	w := archsimd.BroadcastInt32x4(weight)
	for ; len(row) >= 16 && len(sums) >= 16; sums, row = sums[16:], row[16:] {
		s := (*[16]int32)(sums)
		s0, s1, s2, s3 := (*[4]int32)(s[0:]), (*[4]int32)(s[4:]), (*[4]int32)(s[8:]), (*[4]int32)(s[12:])
		p0, p1, p2, p3 := widen(archsimd.LoadUint8x16Array((*[16]byte)(row)))
		archsimd.LoadInt32x4Array(s0).Add(p0.Mul(w)).StoreArray(s0)
		archsimd.LoadInt32x4Array(s1).Add(p1.Mul(w)).StoreArray(s1)
		archsimd.LoadInt32x4Array(s2).Add(p2.Mul(w)).StoreArray(s2)
		archsimd.LoadInt32x4Array(s3).Add(p3.Mul(w)).StoreArray(s3)
	}
	accumulateGeneric(sums, row, weight)
}
