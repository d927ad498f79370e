//go:build goexperiment.simd && wasm

package kernel

import (
	"simd/archsimd"
	"unsafe"
)

// byteTranspose gathers byte 0 of each 32-bit lane, then byte 1, 2 and 3.
var byteTranspose = [16]int8{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15}

func quantizeRowsSIMD128(q []uint8, rowScale, rowMin []float32, x []float32, m, k int) {
	kp := PadK(k)
	for i := range m {
		xi := x[i*k : i*k+k]
		qi := q[i*kp : i*kp+kp]
		lo, hi := bounds(xi)
		scale, inv, offset := rowScales(lo, hi)
		rowScale[i], rowMin[i] = scale, offset
		if inv == 0 {
			clear(qi)
			continue
		}
		whole := k &^ 15
		quantizeWhole(qi[:whole], xi[:whole], offset, inv)
		quantizeTail(qi[whole:], xi[whole:], offset, inv)
		clear(qi[k:])
	}
}

// bounds returns the least and the greatest element of x, NaN where one is NaN.
func bounds(x []float32) (lo, hi float32) {
	xq := quads(x)
	los := archsimd.BroadcastFloat32x4(x[0])
	his := los
	for i := range xq {
		v := archsimd.LoadFloat32x4Array(&xq[i])
		los, his = los.Min(v), his.Max(v)
	}
	var l, h [4]float32
	los.StoreArray(&l)
	his.StoreArray(&h)
	lo, hi = min(l[0], l[1], l[2], l[3]), max(h[0], h[1], h[2], h[3])
	for _, v := range rest(x) {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// quantizeWhole quantizes x to q, sixteen elements at a time.
func quantizeWhole(q []uint8, x []float32, offset, inv float32) {
	ov, iv := archsimd.BroadcastFloat32x4(offset), archsimd.BroadcastFloat32x4(inv)
	half, top := archsimd.BroadcastFloat32x4(0.5), archsimd.BroadcastInt32x4(127)
	order := archsimd.LoadInt8x16Array(&byteTranspose)
	xs := unsafe.Slice((*[4][4]float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/16)
	qs := unsafe.Slice((*[16]int8)(unsafe.Pointer(unsafe.SliceData(q))), len(q)/16)[:len(xs)]
	for i := range xs {
		q0 := archsimd.LoadFloat32x4Array(&xs[i][0]).Sub(ov).Mul(iv).Add(half).ConvertToInt32().Min(top)
		q1 := archsimd.LoadFloat32x4Array(&xs[i][1]).Sub(ov).Mul(iv).Add(half).ConvertToInt32().Min(top)
		q2 := archsimd.LoadFloat32x4Array(&xs[i][2]).Sub(ov).Mul(iv).Add(half).ConvertToInt32().Min(top)
		q3 := archsimd.LoadFloat32x4Array(&xs[i][3]).Sub(ov).Mul(iv).Add(half).ConvertToInt32().Min(top)
		low, high := q0.Or(q1.ShiftAllLeft(8)), q2.Or(q3.ShiftAllLeft(8))
		bytes := low.Or(high.ShiftAllLeft(16)).ToBits().ReshapeToUint8s().BitsToInt8()
		bytes.LookupOrZero(order).StoreArray(&qs[i])
	}
}

func dequantizeRowsSIMD128(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool) {
	whole := n &^ 3
	colTail, sumTail, biasTail := colScale[whole:n], colSum[whole:n], bias
	if bias != nil {
		biasTail = bias[whole:n]
	}
	for i := range m {
		yi, ai := y[i*n:i*n+n], acc[i*n:i*n+n]
		dequantizeWhole(yi[:whole], ai[:whole], rowScale[i], rowMin[i], colScale, colSum, bias, accumulate)
		dequantizeTail(yi[whole:], ai[whole:], rowScale[i], rowMin[i], colTail, sumTail, biasTail, accumulate)
	}
}

// dequantizeWhole is dequantizeTail for a multiple of four columns.
func dequantizeWhole(y []float32, acc []int32, rowScale, rowMin float32, colScale, colSum, bias []float32, accumulate bool) {
	yq := quads(y)
	aq := unsafe.Slice((*[4]int32)(unsafe.Pointer(unsafe.SliceData(acc))), len(acc)/4)[:len(yq)]
	cq, sq, bq := quads(colScale)[:len(yq)], quads(colSum)[:len(yq)], quads(bias)
	scale, offset := archsimd.BroadcastFloat32x4(rowScale), archsimd.BroadcastFloat32x4(rowMin)
	for i := range yq {
		v := scale.Mul(archsimd.LoadInt32x4Array(&aq[i]).ConvertToFloat32())
		v = v.Add(offset.Mul(archsimd.LoadFloat32x4Array(&sq[i])))
		v = v.Mul(archsimd.LoadFloat32x4Array(&cq[i]))
		if bias != nil {
			v = v.Add(archsimd.LoadFloat32x4Array(&bq[i]))
		}
		if accumulate {
			v = v.Add(archsimd.LoadFloat32x4Array(&yq[i]))
		}
		v.StoreArray(&yq[i])
	}
}
