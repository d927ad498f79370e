//go:build goexperiment.simd

package kernel

import "simd/archsimd"

// The compiler copies floats and 128-bit vectors with instructions that are slow
// while the upper halves of registers are in use, and a call in a loop costs more
// than Exp itself. So loops over 256-bit vectors are functions of their own, with
// nothing else alive in them.

// expConstants are Exp's constants, one for each lane.
var expConstants = struct {
	lowest, highest, log2e, round, ln2Hi, ln2Lo, c0, c1, c2, c3, c4, one [8]float32
	bias                                                                 [8]int32
}{
	eight[float32](expMin), eight[float32](expMax), eight[float32](expLog2e), eight[float32](roundToInt),
	eight[float32](expLn2Hi), eight[float32](expLn2Lo),
	eight[float32](expC0), eight[float32](expC1), eight[float32](expC2), eight[float32](expC3), eight[float32](expC4),
	eight[float32](1), eight[int32](127 << 23),
}

func eight[T float32 | int32](x T) [8]T { return [8]T{x, x, x, x, x, x, x, x} }

// expAVX2 sets y to Exp(x·scale - top); x has y's length, whole vectors, and may
// be y.
//
//go:noinline
func expAVX2(y, x []float32, scale, top float32) {
	c := &expConstants
	scales, tops := archsimd.BroadcastFloat32x8(scale), archsimd.BroadcastFloat32x8(top)
	for len(y) >= 8 && len(x) >= 8 {
		v := archsimd.LoadFloat32x8(x).Mul(scales).Sub(tops)
		below := v.Less(archsimd.LoadFloat32x8Array(&c.lowest)).ToInt32x8()
		// Unlike Min's, a comparison's result is known for a NaN: it stays.
		highest := archsimd.LoadFloat32x8Array(&c.highest)
		v = highest.IfElse(v.Greater(highest), v)
		round := archsimd.LoadFloat32x8Array(&c.round)
		t := v.Mul(archsimd.LoadFloat32x8Array(&c.log2e)).Add(round)
		n := t.Sub(round)
		r := v.Sub(n.Mul(archsimd.LoadFloat32x8Array(&c.ln2Hi)))
		r = r.Sub(n.Mul(archsimd.LoadFloat32x8Array(&c.ln2Lo)))
		p := r.Mul(archsimd.LoadFloat32x8Array(&c.c4)).Add(archsimd.LoadFloat32x8Array(&c.c3))
		p = p.Mul(r).Add(archsimd.LoadFloat32x8Array(&c.c2))
		p = p.Mul(r).Add(archsimd.LoadFloat32x8Array(&c.c1))
		p = p.Mul(r).Add(archsimd.LoadFloat32x8Array(&c.c0))
		p = p.Mul(r.Mul(r)).Add(r).Add(archsimd.LoadFloat32x8Array(&c.one))
		power := t.AsInt32x8().ShiftAllLeft(23).Add(archsimd.LoadInt32x8Array(&c.bias))
		p.Mul(power.AsFloat32x8()).AsInt32x8().AndNot(below).AsFloat32x8().Store(y)
		x, y = x[8:], y[8:]
	}
	archsimd.ClearAVXUpperBits()
}

// geluBlock is the number of elements whose exponentials are kept at a time,
// whole vectors.
const geluBlock = 256

func quickGELUAVX2(x []float32) {
	var e [geluBlock]float32
	for len(x) >= 8 {
		n := min(len(x)&^7, geluBlock)
		expAVX2(e[:n], x[:n], quickGELUSlope, 0)
		logisticAVX2(x[:n], e[:n])
		x = x[n:]
	}
	quickGELUGeneric(x)
}

// logisticAVX2 divides x by 1+e; both are whole vectors.
//
//go:noinline
func logisticAVX2(x, e []float32) {
	one := archsimd.BroadcastFloat32x8(1)
	for len(x) >= 8 && len(e) >= 8 {
		archsimd.LoadFloat32x8(x).Div(one.Add(archsimd.LoadFloat32x8(e))).Store(x)
		x, e = x[8:], e[8:]
	}
	archsimd.ClearAVXUpperBits()
}

func geluAVX2(x []float32) {
	var e [geluBlock]float32
	for len(x) >= 8 {
		n := min(len(x)&^7, geluBlock)
		squaresAVX2(e[:n], x[:n])
		expAVX2(e[:n], e[:n], -0.5, 0)
		normalAVX2(x[:n], e[:n])
		x = x[n:]
	}
	geluGeneric(x)
}

// squaresAVX2 sets y to x²; both are whole vectors.
//
//go:noinline
func squaresAVX2(y, x []float32) {
	for len(y) >= 8 && len(x) >= 8 {
		v := archsimd.LoadFloat32x8(x)
		v.Mul(v).Store(y)
		x, y = x[8:], y[8:]
	}
	archsimd.ClearAVXUpperBits()
}

// normalAVX2 replaces x by its GELU; e holds Exp(-x²/2). Both are whole vectors.
//
//go:noinline
func normalAVX2(x, e []float32) {
	splat := archsimd.BroadcastFloat32x8
	one, zero, magnitude := splat(1), splat(0), archsimd.BroadcastInt32x8(0x7fffffff)
	for len(x) >= 8 && len(e) >= 8 {
		v := archsimd.LoadFloat32x8(x)
		a := v.AsInt32x8().And(magnitude).AsFloat32x8()
		t := one.Div(one.Add(splat(geluP).Mul(a)))
		p := splat(geluC5).Mul(t).Add(splat(geluC4))
		p = p.Mul(t).Add(splat(geluC3))
		p = p.Mul(t).Add(splat(geluC2))
		p = p.Mul(t).Add(splat(geluC1))
		p = p.Mul(t).Add(splat(geluC0))
		tail := archsimd.LoadFloat32x8(e).Mul(p.Mul(t))
		v.Max(zero).Sub(a.Mul(tail)).Store(x)
		x, e = x[8:], e[8:]
	}
	archsimd.ClearAVXUpperBits()
}

func softmaxRowAVX2(x []float32, scale float32) {
	top, whole := topAVX2(x, scale), len(x)&^7
	expAVX2(x[:whole], x[:whole], scale, top)
	for i, v := range x[whole:] {
		x[whole+i] = Exp(float32(v*scale) - top)
	}
	scaleAVX2(x, 1/sumAVX2(x))
}

// topAVX2 returns the greatest x·scale.
func topAVX2(x []float32, scale float32) float32 {
	tops, s := archsimd.BroadcastFloat32x8(x[0]*scale), archsimd.BroadcastFloat32x8(scale)
	for ; len(x) >= 8; x = x[8:] {
		tops = tops.Max(archsimd.LoadFloat32x8(x).Mul(s))
	}
	var lanes [8]float32
	tops.StoreArray(&lanes)
	archsimd.ClearAVXUpperBits()
	most, half := halves(&lanes)
	most = most.Max(half)
	most = most.Max(swapPairs(most))
	top := most.Max(swapOnes(most)).GetElem(0)
	for _, v := range x {
		top = max(top, float32(v*scale))
	}
	return top
}

// sumAVX2 returns the sum of x in four-lane order.
func sumAVX2(x []float32) float32 {
	var sums archsimd.Float32x4
	for ; len(x) >= 4; x = x[4:] {
		sums = sums.Add(archsimd.LoadFloat32x4(x))
	}
	var lanes [4]float32
	sums.StoreArray(&lanes)
	sumTail(x, &lanes)
	return sumLanes(&lanes)
}

// squareAVX2 returns the sum of (x-mean)² in four-lane order.
func squareAVX2(x []float32, mean float32) float32 {
	var sums archsimd.Float32x4
	means := archsimd.BroadcastFloat32x4(mean)
	for ; len(x) >= 4; x = x[4:] {
		d := archsimd.LoadFloat32x4(x).Sub(means)
		sums = sums.Add(d.Mul(d))
	}
	var lanes [4]float32
	sums.StoreArray(&lanes)
	squareTail(x, &lanes, mean)
	return sumLanes(&lanes)
}

func layerNormRowAVX2(y, x, gamma, beta []float32, eps float32) {
	n := float32(len(x))
	mean := sumAVX2(x) / n
	inv := 1 / sqrt(squareAVX2(x, mean)/n+eps)
	means, invs := archsimd.BroadcastFloat32x8(mean), archsimd.BroadcastFloat32x8(inv)
	for len(x) >= 8 && len(y) >= 8 && len(gamma) >= 8 && len(beta) >= 8 {
		d := archsimd.LoadFloat32x8(x).Sub(means).Mul(invs)
		d.Mul(archsimd.LoadFloat32x8(gamma)).Add(archsimd.LoadFloat32x8(beta)).Store(y)
		x, y, gamma, beta = x[8:], y[8:], gamma[8:], beta[8:]
	}
	archsimd.ClearAVXUpperBits()
	normTail(y, x, gamma, beta, mean, inv)
}
