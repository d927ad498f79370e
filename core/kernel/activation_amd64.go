//go:build goexperiment.simd

package kernel

import "simd/archsimd"

// expAVX2 is Exp of each element.
func expAVX2(x archsimd.Float32x8) archsimd.Float32x8 {
	splat := archsimd.BroadcastFloat32x8
	below := x.Less(splat(expMin)).ToInt32x8()
	x = splat(expMax).Min(x) // a NaN stays
	t := x.Mul(splat(expLog2e)).Add(splat(roundToInt))
	n := t.Sub(splat(roundToInt))
	r := x.Sub(n.Mul(splat(expLn2Hi)))
	r = r.Sub(n.Mul(splat(expLn2Lo)))
	p := splat(expC4).Mul(r).Add(splat(expC3))
	p = p.Mul(r).Add(splat(expC2))
	p = p.Mul(r).Add(splat(expC1))
	p = p.Mul(r).Add(splat(expC0))
	p = p.Mul(r.Mul(r)).Add(r)
	p = p.Add(splat(1))
	power := t.AsInt32x8().ShiftAllLeft(23).Add(archsimd.BroadcastInt32x8(127 << 23))
	return p.Mul(power.AsFloat32x8()).AsInt32x8().AndNot(below).AsFloat32x8()
}

func quickGELUAVX2(x []float32) {
	splat := archsimd.BroadcastFloat32x8
	for len(x) >= 8 {
		v := archsimd.LoadFloat32x8(x)
		e := expAVX2(v.Mul(splat(quickGELUSlope)))
		v.Div(splat(1).Add(e)).Store(x)
		x = x[8:]
	}
	archsimd.ClearAVXUpperBits()
	quickGELUGeneric(x)
}

func geluAVX2(x []float32) {
	splat := archsimd.BroadcastFloat32x8
	magnitude := archsimd.BroadcastInt32x8(0x7fffffff)
	for len(x) >= 8 {
		v := archsimd.LoadFloat32x8(x)
		a := v.AsInt32x8().And(magnitude).AsFloat32x8()
		t := splat(1).Div(splat(1).Add(splat(geluP).Mul(a)))
		p := splat(geluC5).Mul(t).Add(splat(geluC4))
		p = p.Mul(t).Add(splat(geluC3))
		p = p.Mul(t).Add(splat(geluC2))
		p = p.Mul(t).Add(splat(geluC1))
		p = p.Mul(t).Add(splat(geluC0))
		p = p.Mul(t)
		tail := expAVX2(a.Mul(a).Mul(splat(-0.5))).Mul(p)
		v.Max(splat(0)).Sub(a.Mul(tail)).Store(x)
		x = x[8:]
	}
	archsimd.ClearAVXUpperBits()
	geluGeneric(x)
}

func softmaxRowAVX2(x []float32, scale float32) {
	s := archsimd.BroadcastFloat32x8(scale)
	tops := archsimd.BroadcastFloat32x8(x[0]).Mul(s)
	rest := x
	for ; len(rest) >= 8; rest = rest[8:] {
		tops = tops.Max(archsimd.LoadFloat32x8(rest).Mul(s))
	}
	var lanes [8]float32
	tops.StoreArray(&lanes)
	top := lanes[0]
	for _, v := range lanes {
		top = max(top, v)
	}
	for _, v := range rest {
		top = max(top, float32(v*scale))
	}
	tops = archsimd.BroadcastFloat32x8(top)
	var sums archsimd.Float32x4
	for rest = x; len(rest) >= 8; rest = rest[8:] {
		e := expAVX2(archsimd.LoadFloat32x8(rest).Mul(s).Sub(tops))
		e.Store(rest)
		sums = sums.Add(e.GetLo()).Add(e.GetHi())
	}
	var sum [4]float32
	sums.StoreArray(&sum)
	archsimd.ClearAVXUpperBits()
	expTail(rest, &sum, scale, top)
	scaleAVX2(x, 1/sumLanes(&sum))
}

func layerNormRowAVX2(y, x, gamma, beta []float32, eps float32) {
	n := float32(len(x))
	var sum, sq [4]float32
	var sums archsimd.Float32x4
	rest := x
	for ; len(rest) >= 4; rest = rest[4:] {
		sums = sums.Add(archsimd.LoadFloat32x4(rest))
	}
	sums.StoreArray(&sum)
	sumTail(rest, &sum)
	mean := sumLanes(&sum) / n

	m4 := archsimd.BroadcastFloat32x4(mean)
	sums = archsimd.Float32x4{}
	for rest = x; len(rest) >= 4; rest = rest[4:] {
		d := archsimd.LoadFloat32x4(rest).Sub(m4)
		sums = sums.Add(d.Mul(d))
	}
	sums.StoreArray(&sq)
	squareTail(rest, &sq, mean)
	inv := 1 / sqrt(sumLanes(&sq)/n+eps)

	m8, i8 := archsimd.BroadcastFloat32x8(mean), archsimd.BroadcastFloat32x8(inv)
	for len(x) >= 8 && len(y) >= 8 && len(gamma) >= 8 && len(beta) >= 8 {
		d := archsimd.LoadFloat32x8(x).Sub(m8).Mul(i8)
		d.Mul(archsimd.LoadFloat32x8(gamma)).Add(archsimd.LoadFloat32x8(beta)).Store(y)
		x, y, gamma, beta = x[8:], y[8:], gamma[8:], beta[8:]
	}
	archsimd.ClearAVXUpperBits()
	normTail(y, x, gamma, beta, mean, inv)
}
