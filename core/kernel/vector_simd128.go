//go:build wasm

package kernel

// tail returns the up to three elements after x's whole vectors.
func tail(x []float32) []float32 { return x[len(x)&^3:] }

func addSIMD128(y, x []float32) {
	if n := len(y) / 4; n > 0 {
		addVectors(&y[0], &x[0], n)
	}
	addGeneric(tail(y), tail(x))
}

func axpySIMD128(y []float32, a float32, x []float32) {
	if n := len(y) / 4; n > 0 {
		axpyVectors(&y[0], &x[0], n, a)
	}
	axpyGeneric(tail(y), a, tail(x))
}

func scaleSIMD128(x []float32, a float32) {
	if n := len(x) / 4; n > 0 {
		scaleVectors(&x[0], n, a)
	}
	scaleGeneric(tail(x), a)
}

func dotSIMD128(a, b []float32) float32 {
	var sum [4]float32
	if n := len(a) / 4; n > 0 {
		dotVectors(&a[0], &b[0], n, &sum)
	}
	b = tail(b)
	for i, v := range tail(a) {
		sum[i] += float32(v * b[i])
	}
	return sumLanes(&sum)
}
