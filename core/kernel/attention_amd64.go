//go:build goexperiment.simd

package kernel

import (
	"math"
	"simd/archsimd"
)

func linearHeadsTiles(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, s *Scratch) {
	if _, cols := active.tile(); d%cols == 0 && k > 0 {
		linearBlocks(y, d, d, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, false, s)
		return
	}
	s.whole = grow(s.whole, m*n)
	linearTiles(s.whole, n, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, false, s)
	divide(y, s.whole, d, m, n)
}

func quantizeKeysAVX2(w []int8, scale, sum, x []float32, n, d int) {
	const quad = 4 * panelRows // from four columns of a row to the next four
	for j := range n {
		row, panel := x[j*d:j*d+d], w[packedAt(j, 0, PadK(d)):]
		lo, hi := boundsAVX2(row)
		var inv float32
		scale[j], inv = symmetricScale(max(-lo, hi))
		if sum[j] = 0; inv == 0 {
			for p := 0; p < d; p += 4 {
				clear(panel[p/4*quad:][:4])
			}
			continue
		}
		whole := d &^ 31
		sum[j] = keyAVX2(panel, row[:whole], inv)
		for p := whole; p < d; p++ {
			q, number := roundS8(row[p], inv)
			panel[p/4*quad+p%4] = q
			sum[j] += number
		}
	}
}

// keyAVX2 writes x·inv, rounded, as a row of a panel, and returns the sum. x is a
// multiple of 32 long.
//
//go:noinline
func keyAVX2(panel []int8, x []float32, inv float32) float32 {
	invs, round := archsimd.BroadcastFloat32x8(inv), archsimd.BroadcastFloat32x8(roundToInt)
	var sums archsimd.Float32x8
	var bytes [32]int8
	for len(x) >= 32 {
		a := archsimd.LoadFloat32x8(x).Mul(invs).Add(round)
		b := archsimd.LoadFloat32x8(x[8:]).Mul(invs).Add(round)
		c := archsimd.LoadFloat32x8(x[16:]).Mul(invs).Add(round)
		d := archsimd.LoadFloat32x8(x[24:]).Mul(invs).Add(round)
		sums = sums.Add(a.Sub(round)).Add(b.Sub(round)).Add(c.Sub(round)).Add(d.Sub(round))
		lowBytes(a.AsInt32x8(), b.AsInt32x8(), c.AsInt32x8(), d.AsInt32x8()).AsInt8x32().StoreArray(&bytes)
		for i := 0; i < len(bytes); i += 4 {
			*(*[4]int8)(panel[i*panelRows:]) = *(*[4]int8)(bytes[i:])
		}
		x, panel = x[32:], panel[min(32*panelRows, len(panel)):]
	}
	var lanes [8]float32
	sums.StoreArray(&lanes)
	archsimd.ClearAVXUpperBits()
	return sumExact(&lanes)
}

// sumExact returns a sum that no order changes.
func sumExact(lanes *[8]float32) float32 {
	sum, half := halves(lanes)
	sum = sum.Add(half)
	sum = sum.Add(swapPairs(sum))
	return sum.Add(swapOnes(sum)).GetElem(0)
}

func quantizeValuesAVX2(w []int8, scale, x []float32, n, d int) {
	for c := 0; c < d; c += 8 {
		var sizes, inv [8]float32
		columnSizesAVX2(&sizes, x[c:], n, d)
		for lane, size := range sizes {
			scale[c+lane], inv[lane] = symmetricScale(size)
		}
		valuesAVX2(w[packedAt(c, 0, PadK(n)):], x[c:], &inv, n/4, d)
		for t := n &^ 3; t < n; t++ {
			for lane := range inv {
				w[packedAt(c+lane, t, PadK(n))], _ = roundS8(x[t*d+c+lane], inv[lane])
			}
		}
	}
}

// columnSizesAVX2 sets sizes to the greatest sizes of eight columns of n rows,
// which are d apart; NaN where one is not finite.
//
//go:noinline
func columnSizesAVX2(sizes *[8]float32, x []float32, n, d int) {
	magnitude := archsimd.BroadcastInt32x8(0x7fffffff)
	var most, poison archsimd.Float32x8
	for t := range n {
		v := archsimd.LoadFloat32x8(x[t*d:])
		most = most.Max(v.AsInt32x8().And(magnitude).AsFloat32x8())
		poison = poison.Add(v.Sub(v))
	}
	most.Add(poison).StoreArray(sizes)
	archsimd.ClearAVXUpperBits()
}

// valuesAVX2 writes eight columns of x·inv, rounded, as rows of a panel, groups of
// four elements of each; x's rows are d apart.
//
//go:noinline
func valuesAVX2(panel []int8, x []float32, inv *[8]float32, groups, d int) {
	invs, round := archsimd.LoadFloat32x8Array(inv), archsimd.BroadcastFloat32x8(roundToInt)
	used := invs.NotEqual(archsimd.BroadcastFloat32x8(0)).ToInt32x8()
	low := archsimd.BroadcastInt32x8(0xff)
	for g := range groups {
		rows := x[4*g*d:]
		a := archsimd.LoadFloat32x8(rows).Mul(invs).Add(round).AsInt32x8().And(low)
		b := archsimd.LoadFloat32x8(rows[d:]).Mul(invs).Add(round).AsInt32x8().And(low)
		c := archsimd.LoadFloat32x8(rows[2*d:]).Mul(invs).Add(round).AsInt32x8().And(low)
		e := archsimd.LoadFloat32x8(rows[3*d:]).Mul(invs).Add(round).AsInt32x8()
		ab, ce := a.Or(b.ShiftAllLeft(8)), c.ShiftAllLeft(16).Or(e.ShiftAllLeft(24))
		ab.Or(ce).And(used).AsInt8x32().Store(panel[g*4*panelRows:])
	}
	archsimd.ClearAVXUpperBits()
}

func softmaxU7AVX2(q []uint8, rowScale, x []float32, m, n int, scale float32) {
	var e [geluBlock]float32
	for i := range m {
		row, to := x[i*n:i*n+n], q[i*n:i*n+n]
		top, sum := topAVX2(row, scale), float32(0)
		for len(row) > 0 {
			part := min(len(row), geluBlock)
			// n is a multiple of Align, two vectors.
			expAVX2(e[:part], row[:part], scale, top)
			whole := part &^ 31
			sum += weightsAVX2(to, e[:whole])
			for p := whole; p < part; p++ {
				t := float32(e[p]*127) + roundToInt
				to[p] = uint8(math.Float32bits(t)) & 127
				sum += t - roundToInt
			}
			row, to = row[part:], to[part:]
		}
		rowScale[i] = 1 / sum
	}
}

// weightsAVX2 writes 127·e, rounded, and returns the sum. e is a multiple of 32
// long.
//
//go:noinline
func weightsAVX2(q []uint8, e []float32) float32 {
	most, round := archsimd.BroadcastFloat32x8(127), archsimd.BroadcastFloat32x8(roundToInt)
	var sums archsimd.Float32x8
	for len(e) >= 32 {
		a := archsimd.LoadFloat32x8(e).Mul(most).Add(round)
		b := archsimd.LoadFloat32x8(e[8:]).Mul(most).Add(round)
		c := archsimd.LoadFloat32x8(e[16:]).Mul(most).Add(round)
		d := archsimd.LoadFloat32x8(e[24:]).Mul(most).Add(round)
		sums = sums.Add(a.Sub(round)).Add(b.Sub(round)).Add(c.Sub(round)).Add(d.Sub(round))
		lowBytes(a.AsInt32x8(), b.AsInt32x8(), c.AsInt32x8(), d.AsInt32x8()).Store(q)
		e, q = e[32:], q[32:]
	}
	var lanes [8]float32
	sums.StoreArray(&lanes)
	archsimd.ClearAVXUpperBits()
	return sumExact(&lanes)
}
