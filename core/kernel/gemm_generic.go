package kernel

func gemmU7S8Generic(acc []int32, a []uint8, w []int8, m, n, k int, _ *Scratch) {
	for i := range m {
		ai := a[i*k : i*k+k]
		for j := range n {
			wj := w[j*k : j*k+k][:len(ai)]
			var sum int32
			for p, v := range ai {
				sum += int32(v) * int32(wj[p])
			}
			acc[i*n+j] = sum
		}
	}
}

func gemmGeneric(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
	for i := range m {
		yi := y[i*ldy : i*ldy+n]
		clear(yi)
		for p, v := range x[i*ldx : i*ldx+k] {
			bp := b[p*ldb : p*ldb+n][:len(yi)]
			for j := range yi {
				yi[j] += float32(v * bp[j])
			}
		}
	}
}
