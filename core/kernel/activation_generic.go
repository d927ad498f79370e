package kernel

func layerNormRowGeneric(y, x, gamma, beta []float32, eps float32) {
	n := float32(len(x))
	var sum, sq [4]float32
	sumTail(x, &sum)
	mean := sumLanes(&sum) / n
	squareTail(x, &sq, mean)
	inv := 1 / sqrt(sumLanes(&sq)/n+eps)
	normTail(y, x, gamma, beta, mean, inv)
}

// sumTail adds x to the lanes of sum, squareTail adds (x-mean)².
func sumTail(x []float32, sum *[4]float32) {
	for i, v := range x {
		sum[i&3] += v
	}
}

func squareTail(x []float32, sum *[4]float32, mean float32) {
	for i, v := range x {
		d := v - mean
		sum[i&3] += float32(d * d)
	}
}

func normTail(y, x, gamma, beta []float32, mean, inv float32) {
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
	expTail(x, &sum, scale, top)
	scaleGeneric(x, 1/sumLanes(&sum))
}

// expTail replaces x by Exp(x·scale - top) and adds it to the lanes of sum.
func expTail(x []float32, sum *[4]float32, scale, top float32) {
	for i, v := range x {
		e := Exp(float32(v*scale) - top)
		x[i] = e
		sum[i&3] += e
	}
}

func quickGELUGeneric(x []float32) {
	for i, v := range x {
		x[i] = v / (1 + Exp(v*quickGELUSlope))
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
