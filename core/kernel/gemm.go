package kernel

// GemmU7S8 computes acc[i,j] = Σ_k a[i,k]·w[j,k]. a is m×k with values 0..127,
// w is n×k (a row per output channel) with values -127..127, acc is m×n. k is a
// multiple of Align; pad with zeros. The result is exact for k ≤ 131072.
func GemmU7S8(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
	if k%Align != 0 {
		panic(badPad)
	}
	checkMatrix(len(acc), n, m, n, shortDst)
	checkMatrix(len(a), k, m, k, shortSrc)
	checkMatrix(len(w), k, n, k, shortSrc)
	gemmU7S8(acc, a, w, m, n, k, s)
}

// Gemm computes y = x·b: x is m×k, b is k×n, y is m×n, with leading dimensions
// ldx, ldb and ldy. Each output is summed from 0 over k in increasing order. y
// overlaps neither x nor b.
func Gemm(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
	checkMatrix(len(y), ldy, m, n, shortDst)
	checkMatrix(len(x), ldx, m, k, shortSrc)
	checkMatrix(len(b), ldb, k, n, shortSrc)
	gemm(y, ldy, x, ldx, b, ldb, m, n, k)
}

// Transpose writes the transpose of src (rows×cols, leading dimension lds) to
// dst (cols×rows, leading dimension ldd). They do not overlap.
func Transpose(dst []float32, ldd int, src []float32, lds int, rows, cols int) {
	checkMatrix(len(dst), ldd, cols, rows, shortDst)
	checkMatrix(len(src), lds, rows, cols, shortSrc)
	for i := range rows {
		for j, v := range src[i*lds : i*lds+cols] {
			dst[j*ldd+i] = v
		}
	}
}
