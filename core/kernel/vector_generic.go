package kernel

func addGeneric(y, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += x[i]
	}
}

func axpyGeneric(y []float32, a float32, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += float32(a * x[i])
	}
}

func scaleGeneric(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}

func dotGeneric(a, b []float32) float32 {
	var lanes [4]float32
	b = b[:len(a)]
	for i, v := range a {
		lanes[i&3] += float32(v * b[i])
	}
	return sumLanes(&lanes)
}

// sumLanes ends a sum in four-lane order.
func sumLanes(l *[4]float32) float32 { return (l[0] + l[1]) + (l[2] + l[3]) }
