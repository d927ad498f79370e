//go:build wasm

package kernel

func quantizeRowsSIMD128(q []uint8, rowScale, rowMin []float32, x []float32, m, k int) {
	kp := PadK(k)
	whole := k &^ 15
	for i := range m {
		xi := x[i*k : i*k+k]
		qi := q[i*kp : i*kp+kp]
		scale, inv, offset := rowScales(bounds(xi))
		rowScale[i], rowMin[i] = scale, offset
		if inv == 0 {
			clear(qi)
			continue
		}
		if whole > 0 {
			quantizeVectors(&qi[0], &xi[0], whole/16, &vectorConstants[0], offset, inv)
		}
		quantizeTail(qi[whole:], xi[whole:], offset, inv)
		clear(qi[k:])
	}
}

// bounds is boundsGeneric, but both results are NaN, too, where one of x's whole
// vectors has an infinity.
func bounds(x []float32) (lo, hi float32) {
	n := len(x) / 4
	if n == 0 {
		return boundsGeneric(x)
	}
	var lohi [3][4]float32
	boundVectors(&x[0], n, &vectorConstants[0], &lohi)
	lo, hi = boundsGeneric(tail(x))
	for lane := range 4 {
		lo, hi = min(lo, lohi[0][lane]), max(hi, lohi[1][lane])
	}
	poison := sumLanes(&lohi[2])
	return lo + poison, hi + poison
}

func dequantizeRowsSIMD128(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool) {
	whole := n &^ 3
	var firstBias *float32
	biasTail := bias
	if bias != nil {
		biasTail = bias[whole:n]
	}
	row := dequantizeVectors
	switch {
	case n > 0 && bias != nil && accumulate:
		row, firstBias = dequantizeBiasAddVectors, &bias[0]
	case n > 0 && bias != nil:
		row, firstBias = dequantizeBiasVectors, &bias[0]
	case accumulate:
		row = dequantizeAddVectors
	}
	for i := range m {
		yi, ai := y[i*n:i*n+n], acc[i*n:i*n+n]
		if whole > 0 {
			row(&yi[0], &ai[0], &colScale[0], &colSum[0], firstBias, whole/4, rowScale[i], rowMin[i])
		}
		dequantizeTail(yi[whole:], ai[whole:], rowScale[i], rowMin[i], colScale[whole:n], colSum[whole:n], biasTail, accumulate)
	}
}
