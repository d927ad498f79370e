package kernel

func layerNormRowGeneric(y, x, gamma, beta []float32, eps float32) {
	n := float32(len(x))
	var sum, sq [4]float32
	for i, v := range x {
		sum[i&3] += v
	}
	mean := sumLanes(&sum) / n
	for i, v := range x {
		d := v - mean
		sq[i&3] += float32(d * d)
	}
	inv := 1 / sqrt(sumLanes(&sq)/n+eps)
	layerNormTail(y, x, gamma, beta, mean, inv)
}

func layerNormTail(y, x, gamma, beta []float32, mean, inv float32) {
	for i, v := range x {
		y[i] = float32(float32((v-mean)*inv)*gamma[i]) + beta[i]
	}
}

func softmaxRowGeneric(x []float32, scale float32) {
	top := float32(x[0] * scale)
	for _, v := range x {
		top = max(top, float32(v*scale))
	}
	var sum [4]float32
	for i, v := range x {
		e := Exp(float32(v*scale) - top)
		x[i] = e
		sum[i&3] += e
	}
	scaleGeneric(x, 1/sumLanes(&sum))
}

func quickGELUGeneric(x []float32) {
	for i, v := range x {
		x[i] = v / (1 + Exp(v*-1.702))
	}
}

func geluGeneric(x []float32) {
	for i, v := range x {
		a := max(v, -v)
		t := 1 / (1 + float32(geluP*a))
		p := float32(geluC5*t) + geluC4
		p = float32(p*t) + geluC3
		p = float32(p*t) + geluC2
		p = float32(p*t) + geluC1
		p = float32(p*t) + geluC0
		p = float32(p * t)
		tail := float32(Exp(float32(a*a)*-0.5) * p)
		x[i] = max(v, 0) - float32(a*tail)
	}
}
