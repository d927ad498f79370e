package quant

import "math"

// Bounds of a channel's factor. They keep folded LayerNorms far from float32's limits.
const (
	minFactor = 1e-4
	maxFactor = 1e4
)

// Smooth returns the factors that move outliers of activations into the weights (SmoothQuant, Xiao et al., arXiv
// 2211.10438): input channel j of the linear layers that read one LayerNorm is divided by
//
//	s[j] = x[j]^alpha / w[j]^(1-alpha)
//
// where x[j] is the largest magnitude of the channel in calibration and w[j] that of its weights, and its weights are
// multiplied by s[j]. weights holds the layers' (out, in) values. A channel that is never active or that no weight
// reads gets 1.
func Smooth(x []float32, weights [][]float32, alpha float64) []float32 {
	w := make([]float32, len(x))
	for _, values := range weights {
		for i, v := range values {
			j := i % len(w)
			w[j] = max(w[j], v, -v)
		}
	}
	s := make([]float32, len(x))
	for j := range s {
		s[j] = 1
		if x[j] != 0 && w[j] != 0 {
			s[j] = float32(max(minFactor, min(maxFactor, math.Pow(float64(x[j]), alpha)/math.Pow(float64(w[j]), 1-alpha))))
		}
	}
	return s
}

// Multiply multiplies the rows of w by factors, which are as long as a row.
func Multiply(w, factors []float32) {
	for i := range w {
		w[i] *= factors[i%len(factors)]
	}
}

// Divide divides the rows of w by factors.
func Divide(w, factors []float32) {
	for i := range w {
		w[i] /= factors[i%len(factors)]
	}
}
