package kernel

import "math"

// LayerNorm normalises each row of x (m×n) to mean 0 and variance 1, then
// scales by gamma (n) and shifts by beta (n). Mean and variance are sums in
// four-lane order divided by n. y may be x.
func LayerNorm(y, x, gamma, beta []float32, m, n int, eps float32) {
	checkMatrix(len(y), n, m, n, shortDst)
	checkMatrix(len(x), n, m, n, shortSrc)
	if len(gamma) < n || len(beta) < n {
		panic(shortCol)
	}
	for i := range m {
		layerNormRow(y[i*n:i*n+n], x[i*n:i*n+n], gamma[:n], beta[:n], eps)
	}
}

// Softmax replaces each row of x (m×n, leading dimension ld) by the softmax of
// scale·row. The greatest value is subtracted first, exponentials are Exp's, and
// their sum is in four-lane order.
func Softmax(x []float32, ld, m, n int, scale float32) {
	checkMatrix(len(x), ld, m, n, shortDst)
	if n == 0 {
		return
	}
	for i := range m {
		softmaxRow(x[i*ld:i*ld+n], scale)
	}
}

// QuickGELU replaces x by x·σ(1.702x), computed as x / (1 + Exp(-1.702x)).
// The absolute error is at most 1e-6.
func QuickGELU(x []float32) { quickGELU(x) }

// GELU replaces x by x·Φ(x), Φ being the standard normal distribution. The
// absolute error is at most 3e-7.
func GELU(x []float32) { gelu(x) }

// Exp returns e^x with a relative error of at most 1e-7 between expMin and
// expMax. Below it is 0, above it is Exp(expMax), a NaN gives NaN.
func Exp(x float32) float32 {
	if x < expMin {
		return 0
	}
	x = min(x, expMax)
	// x = n·ln2 + r with |r| ≤ ln2/2: adding roundToInt leaves n in the low bits.
	t := float32(x*expLog2e) + roundToInt
	n := t - roundToInt
	r := x - float32(n*expLn2Hi)
	r -= float32(n * expLn2Lo)
	p := float32(expC4*r) + expC3
	p = float32(p*r) + expC2
	p = float32(p*r) + expC1
	p = float32(p*r) + expC0
	p = float32(p*float32(r*r)) + r
	p += 1
	return p * math.Float32frombits(math.Float32bits(t)<<23+127<<23)
}

// Exp's range: the least x whose result is a normal number, and the greatest
// whose power of two is.
const (
	expMin = -87.3
	expMax = 88.3
)

// Exp's reduction: ln 2 in two parts, the first short enough that its product
// with n is exact.
const (
	expLog2e = 1.44269504
	expLn2Hi = 0.693359375
	expLn2Lo = -2.12194440e-4
)

// Minimax coefficients of e^r ≈ 1 + r + r²·(C0 + C1·r + … + C4·r⁴) for
// |r| ≤ ln2/2, by relative error.
const (
	expC0 = 0.4999999403953552
	expC1 = 0.1666652113199234
	expC2 = 0.04166838899254799
	expC3 = 0.008368724025785923
	expC4 = 0.0013814583653584123
)

const quickGELUSlope = -1.702

// Minimax coefficients of Φ(-a) ≈ e^(-a²/2)·t·(C0 + C1·t + … + C5·t⁵) with
// t = 1/(1 + P·a), for a ≥ 0, by the error of GELU.
const (
	geluP  = 0.28
	geluC0 = 0.11695925146341324
	geluC1 = 0.064766526222229
	geluC2 = 0.2756611406803131
	geluC3 = -0.24528174102306366
	geluC4 = 0.39492762088775635
	geluC5 = -0.10703282058238983
)
