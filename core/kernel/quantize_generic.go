package kernel

import "math"

func quantizeRowsGeneric(q []uint8, rowScale, rowMin []float32, x []float32, m, k int) {
	kp := PadK(k)
	for i := range m {
		xi := x[i*k : i*k+k]
		qi := q[i*kp : i*kp+kp]
		scale, inv, offset := rowScales(boundsGeneric(xi))
		rowScale[i], rowMin[i] = scale, offset
		if inv == 0 {
			clear(qi)
			continue
		}
		quantizeTail(qi, xi, offset, inv)
		clear(qi[k:])
	}
}

// boundsGeneric returns the least and the greatest element of x, infinities where
// it is empty; both are NaN where x has one.
func boundsGeneric(x []float32) (lo, hi float32) {
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// quantizeTail quantizes x to q[:len(x)]. (x-offset)·inv is below 127.5 for every
// x of the row, roundings included.
func quantizeTail(q []uint8, x []float32, offset, inv float32) {
	q = q[:len(x)]
	for p, v := range x {
		q[p] = uint8(math.Float32bits(float32((v-offset)*inv) + roundToInt))
	}
}

func dequantizeRowsGeneric(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool) {
	for i := range m {
		dequantizeTail(y[i*n:i*n+n], acc[i*n:i*n+n], rowScale[i], rowMin[i], colScale, colSum, bias, accumulate)
	}
}

// dequantizeTail dequantizes the columns of acc to y, all of one row.
func dequantizeTail(y []float32, acc []int32, rowScale, rowMin float32, colScale, colSum, bias []float32, accumulate bool) {
	for j, c := range acc {
		v := float32(colScale[j] * (float32(rowScale*float32(c)) + float32(rowMin*colSum[j])))
		if bias != nil {
			v += bias[j]
		}
		if accumulate {
			v += y[j]
		}
		y[j] = v
	}
}
