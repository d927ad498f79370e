//go:build goexperiment.simd && wasm

package kernel

import "simd/archsimd"

// expRow replaces x by Exp(x·a - b).
func expRow(x []float32, a, b float32) {
	xq := quads(x)
	av, bv := archsimd.BroadcastFloat32x4(a), archsimd.BroadcastFloat32x4(b)
	lowest, highest := archsimd.BroadcastFloat32x4(expMin), archsimd.BroadcastFloat32x4(expMax)
	log2e, round := archsimd.BroadcastFloat32x4(expLog2e), archsimd.BroadcastFloat32x4(expRound)
	ln2Hi, ln2Lo := archsimd.BroadcastFloat32x4(expLn2Hi), archsimd.BroadcastFloat32x4(expLn2Lo)
	c0, c1, c2 := archsimd.BroadcastFloat32x4(expC0), archsimd.BroadcastFloat32x4(expC1), archsimd.BroadcastFloat32x4(expC2)
	c3, c4 := archsimd.BroadcastFloat32x4(expC3), archsimd.BroadcastFloat32x4(expC4)
	one := archsimd.BroadcastFloat32x4(1)
	for i := range xq {
		x := archsimd.LoadFloat32x4Array(&xq[i]).Mul(av).Sub(bv)
		zero := x.Less(lowest)
		x = x.Min(highest)
		t := x.Mul(log2e).Add(round)
		n := t.Sub(round)
		r := x.Sub(n.Mul(ln2Hi)).Sub(n.Mul(ln2Lo))
		p := c4.Mul(r).Add(c3).Mul(r).Add(c2).Mul(r).Add(c1).Mul(r).Add(c0)
		p = p.Mul(r.Mul(r)).Add(r).Add(one)
		power := t.ToBits().ShiftAllLeft(23).Add(one.ToBits()).BitsToFloat32()
		p.Mul(power).ToBits().AndNot(zero.ToInt32x4().ToBits()).BitsToFloat32().StoreArray(&xq[i])
	}
	tail := rest(x)
	for i, v := range tail {
		tail[i] = Exp(float32(v*a) - b)
	}
}

// chunk is the number of elements whose exponentials are kept on the stack.
const chunk = 256

func quickGELUSIMD128(x []float32) {
	var buffer [chunk]float32
	one := archsimd.BroadcastFloat32x4(1)
	for len(x) > 0 {
		n := min(len(x), chunk)
		e := buffer[:n]
		copy(e, x)
		expRow(e, -1.702, 0)
		xq := quads(x[:n])
		eq := quads(e)[:len(xq)]
		for i := range xq {
			d := one.Add(archsimd.LoadFloat32x4Array(&eq[i]))
			archsimd.LoadFloat32x4Array(&xq[i]).Div(d).StoreArray(&xq[i])
		}
		for i := n &^ 3; i < n; i++ {
			x[i] /= 1 + e[i]
		}
		x = x[n:]
	}
}

func geluSIMD128(x []float32) {
	var buffer [chunk]float32
	one, zero := archsimd.BroadcastFloat32x4(1), archsimd.BroadcastFloat32x4(0)
	slope := archsimd.BroadcastFloat32x4(geluP)
	c0, c1, c2 := archsimd.BroadcastFloat32x4(geluC0), archsimd.BroadcastFloat32x4(geluC1), archsimd.BroadcastFloat32x4(geluC2)
	c3, c4, c5 := archsimd.BroadcastFloat32x4(geluC3), archsimd.BroadcastFloat32x4(geluC4), archsimd.BroadcastFloat32x4(geluC5)
	whole := len(x) &^ 3
	geluGeneric(x[whole:])
	x = x[:whole]
	for len(x) > 0 {
		n := min(len(x), chunk)
		e := buffer[:n]
		xq := quads(x[:n])
		eq := quads(e)[:len(xq)]
		for i := range xq {
			v := archsimd.LoadFloat32x4Array(&xq[i])
			v.Mul(v).StoreArray(&eq[i])
		}
		expRow(e, -0.5, 0)
		for i := range xq {
			v := archsimd.LoadFloat32x4Array(&xq[i])
			a := v.Abs()
			t := one.Div(one.Add(slope.Mul(a)))
			p := c5.Mul(t).Add(c4).Mul(t).Add(c3).Mul(t).Add(c2).Mul(t).Add(c1).Mul(t).Add(c0).Mul(t)
			tail := archsimd.LoadFloat32x4Array(&eq[i]).Mul(p)
			v.Max(zero).Sub(a.Mul(tail)).StoreArray(&xq[i])
		}
		x = x[n:]
	}
}

func softmaxRowSIMD128(x []float32, scale float32) {
	xq := quads(x)
	sv := archsimd.BroadcastFloat32x4(scale)
	tops := archsimd.BroadcastFloat32x4(x[0] * scale)
	for i := range xq {
		tops = tops.Max(archsimd.LoadFloat32x4Array(&xq[i]).Mul(sv))
	}
	var lanes [4]float32
	tops.StoreArray(&lanes)
	top := max(lanes[0], lanes[1], lanes[2], lanes[3])
	for _, v := range rest(x) {
		top = max(top, v*scale)
	}
	expRow(x, scale, top)
	scaleSIMD128(x, 1/laneSum(x))
}

// laneSum returns the sum of x in four-lane order.
func laneSum(x []float32) float32 {
	xq := quads(x)
	var sum archsimd.Float32x4
	for i := range xq {
		sum = sum.Add(archsimd.LoadFloat32x4Array(&xq[i]))
	}
	var lanes [4]float32
	sum.StoreArray(&lanes)
	for i, v := range rest(x) {
		lanes[i] += v
	}
	return sumLanes(&lanes)
}

func layerNormRowSIMD128(y, x, gamma, beta []float32, eps float32) {
	n := float32(len(x))
	mean := laneSum(x) / n
	xq := quads(x)
	mv := archsimd.BroadcastFloat32x4(mean)
	var sq archsimd.Float32x4
	for i := range xq {
		d := archsimd.LoadFloat32x4Array(&xq[i]).Sub(mv)
		sq = sq.Add(d.Mul(d))
	}
	var lanes [4]float32
	sq.StoreArray(&lanes)
	for i, v := range rest(x) {
		d := v - mean
		lanes[i] += float32(d * d)
	}
	inv := 1 / sqrt(sumLanes(&lanes)/n+eps)
	iv := archsimd.BroadcastFloat32x4(inv)
	yq, gq, bq := quads(y)[:len(xq)], quads(gamma)[:len(xq)], quads(beta)[:len(xq)]
	for i := range xq {
		d := archsimd.LoadFloat32x4Array(&xq[i]).Sub(mv).Mul(iv)
		d.Mul(archsimd.LoadFloat32x4Array(&gq[i])).Add(archsimd.LoadFloat32x4Array(&bq[i])).StoreArray(&yq[i])
	}
	layerNormTail(rest(y), rest(x), rest(gamma), rest(beta), mean, inv)
}
