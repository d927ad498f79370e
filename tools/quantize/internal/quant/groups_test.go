package quant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// correlated returns inputs (rows, in) that depend on each other, some much larger than others, with a mean.
func correlated(rows, in int) []float32 {
	rng := rand.New(rand.NewPCG(3, uint64(in)))
	mix := make([]float64, in*in)
	for i := range mix {
		mix[i] = rng.NormFloat64() * math.Exp(rng.NormFloat64()) / float64(1+i%in)
	}
	x := make([]float32, rows*in)
	source := make([]float64, in)
	for i := range rows {
		for j := range source {
			source[j] = rng.NormFloat64()
		}
		for j := range in {
			v := 0.5 * float64(j%5)
			for k, s := range source {
				v += mix[j*in+k] * s
			}
			x[i*in+j] = float32(v)
		}
	}
	return x
}

func normal(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

func TestGram(t *testing.T) {
	const rows, in = 700, 67 // neither a multiple of its block
	x := correlated(rows, in)
	g := NewGram(x, rows, in)
	for _, at := range [][2]int{{0, 0}, {3, 66}, {64, 65}, {66, 66}, {12, 40}} {
		i, j := at[0], at[1]
		var mean, cross float64
		for r := range rows {
			mean += float64(x[r*in+i]) / rows
			cross += float64(x[r*in+i]) * float64(x[r*in+j]) / rows
		}
		assert.InDelta(t, mean, g.Mean[i], 1e-6)
		assert.InEpsilon(t, cross, g.Cross[i*in+j], 1e-4)
	}
}

// U·diag(D)·Uᵀ is the matrix of the inputs, with more on its diagonal, in the factor's order.
func TestFactor(t *testing.T) {
	const rows, in, group = 900, 150, 32
	x := correlated(rows, in)
	g := NewGram(x, rows, in)
	for _, centred := range []bool{false, true} {
		f, err := NewFactor(g, centred, group)
		require.NoError(t, err)
		h := func(i, j int) float64 {
			v := g.Cross[min(i, j)*in+max(i, j)]
			if centred {
				v -= g.Mean[i] * g.Mean[j]
			}
			return v
		}
		var mean float64
		for i := range in {
			mean += h(i, i) / in
		}
		for a := range in {
			for b := range in {
				var got float64
				for k := max(a, b); k < in; k++ {
					u := func(i int) float64 {
						if i == k {
							return 1
						}
						return float64(f.U[i*in+k])
					}
					got += u(a) * float64(f.D[k]) * u(b)
				}
				want := h(f.Order[a], f.Order[b])
				if a == b {
					want += damping * mean
				} else {
					want *= rows / (rows + shrinker*in)
				}
				require.InDelta(t, want, got, 1e-4*mean, "%d %d", a, b)
			}
		}
		// Groups stay together, the one with the larger variance first.
		seen := map[int]bool{}
		for at := 0; at < in; {
			of := f.Order[at] / group
			require.False(t, seen[of])
			seen[of] = true
			n := min(group, in-of*group)
			for _, i := range f.Order[at : at+n] {
				require.Equal(t, of, i/group)
			}
			at += n
		}
	}
	_, err := NewFactor(NewGram(make([]float32, 40), 10, 4), false, 32)
	require.ErrorContains(t, err, "mean square 0")
}

// outputError returns the mean square error of a layer's outputs over its mean square output.
func outputError(x, w, approx []float32, in int) float64 {
	var signal, noise float64
	for r := 0; r < len(x); r += in {
		for o := 0; o < len(w); o += in {
			var a, b float64
			for j := range in {
				a += float64(x[r+j]) * float64(w[o+j])
				b += float64(x[r+j]) * float64(approx[o+j])
			}
			signal += a * a
			noise += (a - b) * (a - b)
		}
	}
	return noise / signal
}

// The fit makes less error on inputs that it was not made for than rounding does, and rounding less than it would
// with one step for a whole row.
func TestGroupsFitTheInputs(t *testing.T) {
	const in, out = 96, 40
	x := correlated(3000, in)
	seen, other := x[:2000*in], x[2000*in:]
	w := normal(out*in, 5)
	for i := range w {
		w[i] *= float32(math.Exp(float64(i%in/32) - 1)) // groups of different size
	}
	rounded := Groups(w, out, in, 32, PlainFactor(nil, in, 32))
	f, err := NewFactor(NewGram(seen, 2000, in), false, 32)
	require.NoError(t, err)
	fitted := Groups(w, out, in, 32, f)
	coarse := Groups(w, out, in, in, PlainFactor(nil, in, in))

	a := outputError(other, w, rounded.Products().Dequantize(), in)
	b := outputError(other, w, fitted.Products().Dequantize(), in)
	c := outputError(other, w, coarse.Products().Dequantize(), in)
	t.Logf("output error: rounded %.5f, fitted %.5f, one group %.5f; weights' SQNR of rounding %.1f dB", a, b, c,
		SQNR(w, rounded.Products().Dequantize()))
	assert.Less(t, b, a/3)
	assert.Less(t, a, c)
}

func TestGroupsStayInRange(t *testing.T) {
	for _, shape := range [][3]int{{1, 1, 32}, {3, 33, 32}, {17, 64, 64}, {20, 95, 32}} {
		rows, cols, group := shape[0], shape[1], shape[2]
		w := normal(rows*cols, 9)
		for i := range w {
			switch {
			case i/cols == 1:
				w[i] = 0
			case i%cols == 5:
				w[i] *= 1000
			}
		}
		m := Groups(w, rows, cols, group, PlainFactor(nil, cols, group))
		for i, q := range m.Code {
			k := int(m.Multiplier[i/cols*m.groups()+i%cols/group])
			require.True(t, q >= minCode && q <= maxCode)
			require.True(t, k*int(q) >= -127 && k*int(q) <= 127)
		}
		for i, s := range m.Scale {
			require.Greater(t, s, float32(0))
			if i == 1 {
				require.Zero(t, m.Products().Q[cols+min(5, cols-1)])
			}
		}
	}
}
