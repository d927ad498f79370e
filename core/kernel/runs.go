package kernel

// Dots sets dst[i] = Dot(q, row i) for the len(dst) rows of a matrix with leading
// dimension ld, each as long as q.
func Dots(dst, q, rows []float32, ld int) {
	checkMatrix(len(rows), ld, len(dst), len(q), shortSrc)
	dots(dst, q, rows, ld)
}

// Combine computes y += Σ_i a[i]·row i, in increasing order of i, for the len(a)
// rows of a matrix with leading dimension ld, each as long as y. y does not overlap
// the rows.
func Combine(y, a, rows []float32, ld int) {
	checkMatrix(len(rows), ld, len(a), len(y), shortSrc)
	combine(y, a, rows, ld)
}

func dotsGeneric(dst, q, rows []float32, ld int) {
	for i := range dst {
		dst[i] = dotGeneric(q, rows[i*ld:i*ld+len(q)])
	}
}

func combineGeneric(y, a, rows []float32, ld int) {
	for i, v := range a {
		axpyGeneric(y, v, rows[i*ld:i*ld+len(y)])
	}
}
