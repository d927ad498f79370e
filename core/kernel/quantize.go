package kernel

// QuantizeRows quantizes each row of x (m×k) to seven bits: min is the row's
// minimum, scale is (maximum-min)/127 and q is (x-min)·(1/scale) rounded to the
// nearest integer, ties to even, so that x ≈ min + scale·q with an error of about scale/2. A row of q
// has PadK(k) elements, the last of them zero padding.
//
// A row whose range is below 127·2⁻¹²⁶ counts as constant: scale 0, q 0. A row
// with a NaN, an infinity or a range above the largest float32 gets q 0, scale 0
// and min NaN, so that what is computed from it is NaN. With k = 0, min is 0.
func QuantizeRows(q []uint8, scale, min []float32, x []float32, m, k int) {
	kp := PadK(k)
	checkMatrix(len(q), kp, m, kp, shortDst)
	checkMatrix(len(x), k, m, k, shortSrc)
	if len(scale) < m || len(min) < m {
		panic(shortRow)
	}
	if k == 0 {
		clear(scale[:m])
		clear(min[:m])
		return
	}
	quantizeRows(q, scale, min, x, m, k)
}

// DequantizeRows turns the product of quantized rows back into floats:
//
//	v = colScale[j]·(rowScale[i]·acc[i,j] + rowMin[i]·colSum[j]) + bias[j]
//
// and y[i,j] = v, or y[i,j] += v with accumulate. y and acc are m×n; colSum
// comes from RowSums of the weights; bias may be nil.
func DequantizeRows(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool) {
	checkMatrix(len(y), n, m, n, shortDst)
	checkMatrix(len(acc), n, m, n, shortSrc)
	checkScales(rowScale, rowMin, colScale, colSum, bias, m, n)
	dequantizeRows(y, acc, rowScale, rowMin, colScale, colSum, bias, m, n, accumulate)
}

func checkScales(rowScale, rowMin, colScale, colSum, bias []float32, m, n int) {
	if len(rowScale) < m || len(rowMin) < m {
		panic(shortRow)
	}
	if len(colScale) < n || len(colSum) < n || bias != nil && len(bias) < n {
		panic(shortCol)
	}
}

// RowSums sets dst[j] = Σ_k w[j,k] for w (n×k) in panels, exact for k ≤ 131072: it
// is the Linear of a row of ones. k is a multiple of Align.
func RowSums(dst []float32, w []int8, n, k int, s *Scratch) {
	row := make([]uint8, k)
	for i := range row {
		row[i] = 1
	}
	scale := make([]float32, max(n, 1))
	for i := range scale {
		scale[i] = 1
	}
	Linear(dst, n, row, scale, make([]float32, 1), w, scale, make([]float32, n), nil, 1, n, k, false, s)
}

// minRange is the smallest row range that is quantized: its scale is the
// smallest normal float32, whose reciprocal is finite.
const minRange = 127 * 0x1p-126

// rowScales returns the scale, its reciprocal and the offset of a row with
// minimum lo and maximum hi, both NaN if there is one among them. inv is 0 where
// every q is 0; offset is never -0.
func rowScales(lo, hi float32) (scale, inv, offset float32) {
	span := hi - lo
	if !(span <= maxFloat32) {
		return 0, 0, nan()
	}
	if span < minRange {
		return 0, 0, lo + 0
	}
	scale = span / 127
	return scale, 1 / scale, lo + 0
}
