package kernel

import "unsafe"

// PanelLen returns the length in panels of n rows of weights with k columns.
func PanelLen(n, k int) int { return (n + panelRows - 1) / panelRows * panelRows * k }

// Pack brings weights w (n×k), k a multiple of Align, into the order in which
// this build's products read them: panels of panelRows rows, in which four
// columns of each row follow one another. Rows that the last panel lacks are
// zero. Where w has room for them the result is w.
func Pack(w []int8, n, k int) []int8 {
	if k%Align != 0 {
		panic(badPad)
	}
	checkMatrix(len(w), k, n, k, shortSrc)
	size := PanelLen(n, k)
	if size > cap(w) {
		w = append(make([]int8, 0, size), w[:n*k]...)
	}
	w = w[:size]
	clear(w[n*k:])
	if panelRows == 1 || size == 0 {
		return w
	}
	quads := k / 4
	panels := unsafe.Slice((*[4]int8)(unsafe.Pointer(&w[0])), size/4)
	rows := make([][4]int8, panelRows*quads)
	for ; len(panels) > 0; panels = panels[len(rows):] {
		copy(rows, panels)
		for j := range panelRows {
			for p, quad := range rows[j*quads : (j+1)*quads] {
				panels[p*panelRows+j] = quad
			}
		}
	}
	return w
}

// packedAt returns the place of weight (j, p) among panels of k columns.
func packedAt(j, p, k int) int {
	return j/panelRows*panelRows*k + p/4*4*panelRows + j%panelRows*4 + p%4
}

// GemmU7S8 computes acc[i,j] = Σ_k a[i,k]·w[j,k]. a is m×k with values 0..127,
// w is n×k (a row per output channel) with values -127..127, in panels, acc is
// m×n. k is a multiple of Align; pad with zeros. The result is exact for k ≤ 131072.
func GemmU7S8(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
	if k%Align != 0 {
		panic(badPad)
	}
	checkMatrix(len(acc), n, m, n, shortDst)
	checkMatrix(len(a), k, m, k, shortSrc)
	checkPanels(len(w), n, k)
	gemmU7S8(acc, a, w, m, n, k, s)
}

// Linear is GemmU7S8 followed by DequantizeRows, to y with leading dimension
// ldy:
//
//	v = colScale[j]·(rowScale[i]·Σ_k a[i,k]·w[j,k] + rowMin[i]·colSum[j]) + bias[j]
//
// and y[i,j] = v, or y[i,j] += v with accumulate.
func Linear(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch) {
	if k%Align != 0 {
		panic(badPad)
	}
	checkMatrix(len(y), ldy, m, n, shortDst)
	checkMatrix(len(a), k, m, k, shortSrc)
	checkPanels(len(w), n, k)
	checkScales(rowScale, rowMin, colScale, colSum, bias, m, n)
	linear(y, ldy, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, accumulate, s)
}

// LinearHeads is Linear to an output whose columns are divided into heads of d:
// y is n/d matrices (m×d), one after another. n is a multiple of d, d of 8.
func LinearHeads(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, s *Scratch) {
	if k%Align != 0 {
		panic(badPad)
	}
	if d%8 != 0 || d == 0 || n%d != 0 {
		panic(badHead)
	}
	checkMatrix(len(y), n, m, n, shortDst)
	checkMatrix(len(a), k, m, k, shortSrc)
	checkPanels(len(w), n, k)
	checkScales(rowScale, rowMin, colScale, colSum, bias, m, n)
	linearHeads(y, d, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, s)
}

// checkPanels panics where there are fewer than n rows of weights in panels.
func checkPanels(have, n, k int) {
	if n < 0 {
		panic(badDim)
	}
	if have < PanelLen(n, k) {
		panic(shortSrc)
	}
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
