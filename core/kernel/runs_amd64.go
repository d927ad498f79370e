//go:build goexperiment.simd

package kernel

import "simd/archsimd"

func dotsVectors(dst, q, rows []float32, ld int) {
	whole := len(q) &^ 3
	for ; len(dst) >= 4; dst = dst[4:] {
		r0, r1, r2, r3 := rows[:len(q)], rows[ld:ld+len(q)], rows[2*ld:2*ld+len(q)], rows[3*ld:3*ld+len(q)]
		var s0, s1, s2, s3 archsimd.Float32x4
		a, b0, b1, b2, b3 := q, r0, r1, r2, r3
		for len(a) >= 4 && len(b0) >= 4 && len(b1) >= 4 && len(b2) >= 4 && len(b3) >= 4 {
			v := archsimd.LoadFloat32x4(a)
			s0 = s0.Add(v.Mul(archsimd.LoadFloat32x4(b0)))
			s1 = s1.Add(v.Mul(archsimd.LoadFloat32x4(b1)))
			s2 = s2.Add(v.Mul(archsimd.LoadFloat32x4(b2)))
			s3 = s3.Add(v.Mul(archsimd.LoadFloat32x4(b3)))
			a, b0, b1, b2, b3 = a[4:], b0[4:], b1[4:], b2[4:], b3[4:]
		}
		dst[0] = dotEnd(s0, q[whole:], r0[whole:])
		dst[1] = dotEnd(s1, q[whole:], r1[whole:])
		dst[2] = dotEnd(s2, q[whole:], r2[whole:])
		dst[3] = dotEnd(s3, q[whole:], r3[whole:])
		rows = rows[min(4*ld, len(rows)):]
	}
	for i := range dst {
		var s archsimd.Float32x4
		a, b := q, rows[i*ld:i*ld+len(q)]
		for len(a) >= 4 && len(b) >= 4 {
			s = s.Add(archsimd.LoadFloat32x4(a).Mul(archsimd.LoadFloat32x4(b)))
			a, b = a[4:], b[4:]
		}
		dst[i] = dotEnd(s, a, b)
	}
}

// dotEnd ends a sum in four-lane order with the up to three elements after the
// whole vectors.
func dotEnd(s archsimd.Float32x4, a, b []float32) float32 {
	var lanes [4]float32
	s.StoreArray(&lanes)
	for i, v := range a {
		lanes[i] += float32(v * b[i])
	}
	return sumLanes(&lanes)
}

func combineVectors(y, a, rows []float32, ld int) {
	at := 0
	for ; len(y)-at >= 16; at += 16 {
		block := y[at : at+16]
		s0, s1 := archsimd.LoadFloat32x4(block), archsimd.LoadFloat32x4(block[4:])
		s2, s3 := archsimd.LoadFloat32x4(block[8:]), archsimd.LoadFloat32x4(block[12:])
		for i, v := range a {
			x, r := archsimd.BroadcastFloat32x4(v), rows[i*ld+at:][:16]
			s0 = s0.Add(x.Mul(archsimd.LoadFloat32x4(r)))
			s1 = s1.Add(x.Mul(archsimd.LoadFloat32x4(r[4:])))
			s2 = s2.Add(x.Mul(archsimd.LoadFloat32x4(r[8:])))
			s3 = s3.Add(x.Mul(archsimd.LoadFloat32x4(r[12:])))
		}
		s0.Store(block)
		s1.Store(block[4:])
		s2.Store(block[8:])
		s3.Store(block[12:])
	}
	for i, v := range a {
		axpyGeneric(y[at:], v, rows[i*ld+at:i*ld+len(y)])
	}
}
