package kernel

func gemmU7S8Generic(acc []int32, a []uint8, w []int8, m, n, k int, _ *Scratch) {
	for i := range m {
		ai := a[i*k : i*k+k]
		for j := range n {
			var sum int32
			for p := 0; p < k; p += 4 {
				x, y := ai[p:p+4], w[packedAt(j, p, k):][:4]
				sum += int32(x[0])*int32(y[0]) + int32(x[1])*int32(y[1]) + int32(x[2])*int32(y[2]) + int32(x[3])*int32(y[3])
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

func linearGeneric(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch) {
	s.acc = grow(s.acc, m*n)
	gemmU7S8Generic(s.acc, a, w, m, n, k, s)
	for i := range m {
		dequantizeRowsGeneric(y[i*ldy:], s.acc[i*n:], rowScale[i:], rowMin[i:], colScale, colSum, bias, 1, n, accumulate)
	}
}

func linearHeadsGeneric(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, s *Scratch) {
	s.whole = grow(s.whole, m*n)
	linearGeneric(s.whole, n, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, false, s)
	divide(y, s.whole, d, m, n)
}

// divide divides the columns of x (m×n) into matrices (m×d), one after another.
func divide(y, x []float32, d, m, n int) {
	for j := 0; j < n; j += d {
		for i := range m {
			copy(y[j*m+i*d:j*m+(i+1)*d], x[i*n+j:])
		}
	}
}
