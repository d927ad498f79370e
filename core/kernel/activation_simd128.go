//go:build wasm

package kernel

func quickGELUSIMD128(x []float32) {
	if n := len(x) / 4; n > 0 {
		quickGELUVectors(&x[0], n, &vectorConstants[0])
	}
	quickGELUGeneric(tail(x))
}

func geluSIMD128(x []float32) {
	if n := len(x) / 4; n > 0 {
		geluVectors(&x[0], n, &vectorConstants[0])
	}
	geluGeneric(tail(x))
}

func softmaxRowSIMD128(x []float32, scale float32) {
	n := len(x) / 4
	if n == 0 {
		softmaxRowGeneric(x, scale)
		return
	}
	var lanes [4]float32
	maxVectors(&x[0], n, &lanes, scale)
	top := max(lanes[0], lanes[1], lanes[2], lanes[3])
	for _, v := range tail(x) {
		top = max(top, v*scale)
	}
	expVectors(&x[0], n, &vectorConstants[0], &lanes, scale, top)
	expTail(tail(x), &lanes, scale, top)
	scaleSIMD128(x, 1/sumLanes(&lanes))
}

func layerNormRowSIMD128(y, x, gamma, beta []float32, eps float32) {
	n := len(x) / 4
	if n == 0 {
		layerNormRowGeneric(y, x, gamma, beta, eps)
		return
	}
	count := float32(len(x))
	var sum, sq [4]float32
	sumVectors(&x[0], n, &sum)
	sumTail(tail(x), &sum)
	mean := sumLanes(&sum) / count
	squareVectors(&x[0], n, &sq, mean)
	squareTail(tail(x), &sq, mean)
	inv := 1 / sqrt(sumLanes(&sq)/count+eps)
	normVectors(&y[0], &x[0], &gamma[0], &beta[0], n, mean, inv)
	normTail(tail(y), tail(x), tail(gamma), tail(beta), mean, inv)
}
