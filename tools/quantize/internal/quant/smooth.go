package quant

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
)

// A Fold is a LayerNorm and the linear layers that read its output: dividing the one's channels and multiplying the
// others' columns by the same factors leaves every output as it is.
type Fold struct {
	Norm    string
	Linears []string
}

// Folds lists the folds of a model's layers.
func Folds(c *checkpoint.Config) []Fold {
	var out []Fold
	for _, tower := range []struct {
		model  string
		layers int
	}{{"text_model", c.Text.Layers}, {"vision_model", c.Vision.Layers}} {
		for i := range tower.layers {
			l := checkpoint.LayerName(tower.model, i)
			out = append(out,
				Fold{l + ".layer_norm1", []string{l + ".self_attn.q_proj", l + ".self_attn.k_proj", l + ".self_attn.v_proj"}},
				Fold{l + ".layer_norm2", []string{l + ".mlp.fc1"}})
		}
	}
	return out
}

// Factors are multipliers along the last axis of tensors, by tensor name.
type Factors map[string][]float32

// Loader returns a tensor of the checkpoint.
type Loader func(name string) (*tensor.Dense, error)

// Smooth returns the factors that move outliers of activations into the weights (SmoothQuant, Xiao et al., arXiv
// 2211.10438): input channel j of a fold's linear layers is divided by
//
//	s[j] = x[j]^alpha / w[j]^(1-alpha)
//
// where x[j] is the largest magnitude of the channel in calibration and w[j] that of its weights. Folds without
// calibrated ranges are left out; n counts the others.
func Smooth(folds []Fold, ranges map[string][]float32, alpha float64, load Loader) (factors Factors, n int, err error) {
	factors = Factors{}
	for _, f := range folds {
		x := sharedRange(f, ranges)
		if x == nil {
			continue
		}
		n++
		w := make([]float32, len(x))
		for _, name := range f.Linears {
			t, err := load(name + ".weight")
			if err != nil {
				return nil, 0, err
			}
			columns, err := magnitudes(t, 0)
			if err != nil {
				return nil, 0, fmt.Errorf("%s: %w", name, err)
			}
			grow(w, columns)
		}
		multiply := make([]float32, len(x))
		divide := make([]float32, len(x))
		for j := range x {
			s := smoothing(float64(x[j]), float64(w[j]), alpha)
			multiply[j], divide[j] = float32(s), float32(1/s)
		}
		factors[f.Norm+".weight"], factors[f.Norm+".bias"] = divide, divide
		for _, name := range f.Linears {
			factors[name+".weight"] = multiply
		}
	}
	return factors, n, nil
}

// sharedRange returns the largest calibrated range of each of a fold's channels, nil where there is none.
func sharedRange(f Fold, ranges map[string][]float32) []float32 {
	var x []float32
	for _, name := range f.Linears {
		r, ok := ranges[name]
		if !ok {
			continue
		}
		if x == nil {
			x = make([]float32, len(r))
		}
		grow(x, r)
	}
	return x
}

// grow sets each element of dst to the larger of dst and src.
func grow(dst, src []float32) {
	for i, v := range src {
		dst[i] = max(dst[i], v)
	}
}

// Bounds of a channel's factor. They keep folded LayerNorms far from float32's limits.
const (
	minFactor = 1e-4
	maxFactor = 1e4
)

// smoothing returns a channel's factor, 1 for a channel that is never active or that no weight reads.
func smoothing(x, w, alpha float64) float64 {
	if x == 0 || w == 0 {
		return 1
	}
	return max(minFactor, min(maxFactor, math.Pow(x, alpha)/math.Pow(w, 1-alpha)))
}

// Apply multiplies t in place along its last axis.
func (f Factors) Apply(name string, t *tensor.Dense) {
	factors, ok := f[name]
	if !ok {
		return
	}
	values := checkpoint.Values(t)
	for i := range values {
		values[i] *= factors[i%len(factors)]
	}
}
