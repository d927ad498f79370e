package kernel

import "math"

// Add computes y += x. y may be x; otherwise they do not overlap.
func Add(y, x []float32) {
	if len(y) != len(x) {
		panic(badLen)
	}
	add(y, x)
}

// AddBias adds bias (n) to each row of y (m×n).
func AddBias(y, bias []float32, m, n int) {
	checkMatrix(len(y), n, m, n, shortDst)
	if len(bias) < n {
		panic(shortCol)
	}
	for i := range m {
		add(y[i*n:i*n+n], bias[:n])
	}
}

// Axpy computes y += a·x. x and y do not overlap.
func Axpy(y []float32, a float32, x []float32) {
	if len(y) != len(x) {
		panic(badLen)
	}
	axpy(y, a, x)
}

// Dot returns Σ a[i]·b[i], in four-lane order.
func Dot(a, b []float32) float32 {
	if len(a) != len(b) {
		panic(badLen)
	}
	return dot(a, b)
}

// Scale computes x *= a.
func Scale(x []float32, a float32) { scale(x, a) }

// Normalize divides x by its L2 length, which is computed with Dot. A vector
// whose squared length rounds to zero is left as it is.
func Normalize(x []float32) {
	if sq := dot(x, x); sq != 0 {
		scale(x, 1/sqrt(sq))
	}
}

// sqrt returns the correctly rounded square root.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func nan() float32 { return math.Float32frombits(0x7fc00000) }

// roundToInt is 1.5·2²³. A float32 of at most 2²² plus it is rounded to an
// integer, ties to even, which is then in the low bits.
const roundToInt = 0x1.8p23

const maxFloat32 = math.MaxFloat32
