//go:build goexperiment.simd

package kernel

import "simd/archsimd"

func quantizeRowsAVX2(q []uint8, rowScale, rowMin []float32, x []float32, m, k int) {
	kp := PadK(k)
	for i := range m {
		xi := x[i*k : i*k+k]
		qi := q[i*kp : i*kp+kp]
		scale, inv, offset := rowScales(boundsAVX2(xi))
		rowScale[i], rowMin[i] = scale, offset
		if inv == 0 {
			clear(qi)
			continue
		}
		clear(qi[k:])
		quantizeVectorsAVX2(qi, xi, offset, inv)
	}
}

// boundsAVX2 is boundsGeneric.
func boundsAVX2(x []float32) (lo, hi float32) {
	if len(x) < 8 {
		return boundsGeneric(x)
	}
	first := archsimd.LoadFloat32x8(x)
	los, his := first, first
	// x-x is 0 for a number, NaN for an infinity or a NaN.
	poison := first.Sub(first)
	for x = x[8:]; len(x) >= 8; x = x[8:] {
		v := archsimd.LoadFloat32x8(x)
		los, his = los.Min(v), his.Max(v)
		poison = poison.Add(v.Sub(v))
	}
	var lows, highs, poisons [8]float32
	los.StoreArray(&lows)
	his.StoreArray(&highs)
	poison.StoreArray(&poisons)
	archsimd.ClearAVXUpperBits()
	lo, hi = boundsGeneric(x)
	// The minimum of a NaN and a number may be the number; their sum is NaN.
	low, low2 := halves(&lows)
	high, high2 := halves(&highs)
	bad, bad2 := halves(&poisons)
	low, high, bad = low.Min(low2), high.Max(high2), bad.Add(bad2)
	low, high, bad = low.Min(swapPairs(low)), high.Max(swapPairs(high)), bad.Add(swapPairs(bad))
	low, high, bad = low.Min(swapOnes(low)), high.Max(swapOnes(high)), bad.Add(swapOnes(bad))
	return min(lo, low.GetElem(0)) + bad.GetElem(0), max(hi, high.GetElem(0)) + bad.GetElem(0)
}

// halves returns eight floats as two vectors. They are in memory for
// ClearAVXUpperBits to come between.
func halves(x *[8]float32) (lo, hi archsimd.Float32x4) {
	return archsimd.LoadFloat32x4(x[:4]), archsimd.LoadFloat32x4(x[4:])
}

// swapPairs and swapOnes return lanes 2, 3, 0, 1 and 1, 0, 3, 2.
func swapPairs(x archsimd.Float32x4) archsimd.Float32x4 {
	return x.AsUint32x4().PermuteScalars(2, 3, 0, 1).AsFloat32x4()
}

func swapOnes(x archsimd.Float32x4) archsimd.Float32x4 {
	return x.AsUint32x4().PermuteScalars(1, 0, 3, 2).AsFloat32x4()
}

// quantizeVectorsAVX2 is quantizeTail.
func quantizeVectorsAVX2(q []uint8, x []float32, offset, inv float32) {
	offsets, invs := archsimd.BroadcastFloat32x8(offset), archsimd.BroadcastFloat32x8(inv)
	round := archsimd.BroadcastFloat32x8(roundToInt)
	for len(x) >= 32 && len(q) >= 32 {
		a := archsimd.LoadFloat32x8(x).Sub(offsets).Mul(invs).Add(round).AsInt32x8()
		b := archsimd.LoadFloat32x8(x[8:]).Sub(offsets).Mul(invs).Add(round).AsInt32x8()
		c := archsimd.LoadFloat32x8(x[16:]).Sub(offsets).Mul(invs).Add(round).AsInt32x8()
		d := archsimd.LoadFloat32x8(x[24:]).Sub(offsets).Mul(invs).Add(round).AsInt32x8()
		lowBytes(a, b, c, d).Store(q)
		x, q = x[32:], q[32:]
	}
	archsimd.ClearAVXUpperBits()
	quantizeTail(q, x, offset, inv)
}

// Indices that bring the bytes of lowBytes into order: those of each four lanes,
// one of each lane in turn, and then the lanes of both halves in turn.
var (
	turnBytes = [32]int8{
		0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,
		0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,
	}
	turnHalves = [8]uint32{0, 4, 1, 5, 2, 6, 3, 7}
)

// lowBytes returns the low bytes of all lanes, in order.
func lowBytes(a, b, c, d archsimd.Int32x8) archsimd.Uint8x32 {
	low := archsimd.BroadcastInt32x8(0xff)
	ab := a.And(low).Or(b.And(low).ShiftAllLeft(8))
	abcd := ab.Or(c.And(low).ShiftAllLeft(16)).Or(d.ShiftAllLeft(24))
	inTurn := abcd.AsUint8x32().PermuteOrZeroGrouped(archsimd.LoadInt8x32Array(&turnBytes))
	return inTurn.AsUint32x8().Permute(archsimd.LoadUint32x8Array(&turnHalves)).AsUint8x32()
}

func dequantizeRowsAVX2(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool) {
	for i := range m {
		dequantizeRowAVX2(y[i*n:i*n+n], acc[i*n:i*n+n], rowScale[i], rowMin[i], colScale[:n], colSum[:n], bias, accumulate)
	}
}

// dequantizeRowAVX2 is dequantizeTail.
func dequantizeRowAVX2(y []float32, acc []int32, rowScale, rowMin float32, colScale, colSum, bias []float32, accumulate bool) {
	scales, mins := archsimd.BroadcastFloat32x8(rowScale), archsimd.BroadcastFloat32x8(rowMin)
	for len(acc) >= 8 && len(y) >= 8 && len(colScale) >= 8 && len(colSum) >= 8 {
		c := archsimd.LoadInt32x8(acc).ConvertToFloat32()
		v := scales.Mul(c).Add(mins.Mul(archsimd.LoadFloat32x8(colSum))).Mul(archsimd.LoadFloat32x8(colScale))
		if bias != nil {
			v = v.Add(archsimd.LoadFloat32x8(bias))
			bias = bias[8:]
		}
		if accumulate {
			v = v.Add(archsimd.LoadFloat32x8(y))
		}
		v.Store(y)
		acc, y, colScale, colSum = acc[8:], y[8:], colScale[8:], colSum[8:]
	}
	archsimd.ClearAVXUpperBits()
	dequantizeTail(y, acc, rowScale, rowMin, colScale, colSum, bias, accumulate)
}
