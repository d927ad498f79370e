package quant

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/tools/quantize/internal/work"
)

// Gram is what calibration tells about the inputs of a linear layer.
type Gram struct {
	Rows  int       // inputs seen
	In    int       // values of each
	Mean  []float64 // (In)
	Cross []float64 // (In, In) mean of x·xᵀ, the upper triangle; below it nothing is kept
}

// gramRows is the number of inputs whose products are summed in float32.
const gramRows = 256

// NewGram returns the statistics of x (rows, in).
func NewGram(x []float32, rows, in int) *Gram {
	g := &Gram{Rows: rows, In: in, Mean: make([]float64, in), Cross: make([]float64, in*in)}
	for i := range rows {
		for j, v := range x[i*in : (i+1)*in] {
			g.Mean[j] += float64(v)
		}
	}
	work.Blocks(in, 64, func(first, end int) {
		n := end - first
		columns := make([]float32, n*gramRows)
		product := make([]float32, n*(in-first))
		for at := 0; at < rows; at += gramRows {
			k := min(gramRows, rows-at)
			kernel.Transpose(columns, k, x[at*in+first:], in, k, n)
			kernel.Gemm(product, in-first, columns, k, x[at*in+first:], in, n, in-first, k)
			for i := range n {
				sum := g.Cross[(first+i)*in+first : (first+i+1)*in]
				for j, v := range product[i*(in-first) : (i+1)*(in-first)] {
					sum[j] += float64(v)
				}
			}
		}
	})
	for j := range g.Mean {
		g.Mean[j] /= float64(rows)
	}
	for i := range g.Cross {
		g.Cross[i] /= float64(rows)
	}
	return g
}

// A Factor describes the error E·H·Eᵀ that a layer's outputs have where its weights are wrong by E: H is U·diag(D)·Uᵀ
// with U upper triangular and ones on its diagonal, inputs in the order Order. Rounding the inputs' weights in that
// order, each weight first moved by the errors made before it times its column of U, costs D times the square of each
// rounding (LDLQ in Chee et al., arXiv 2307.13304; the same weights as GPTQ, Frantar et al., arXiv 2210.17323).
type Factor struct {
	Order []int     // (in) inputs, the most important groups first
	D     []float32 // (in) in this order
	U     []float32 // (in, in) in this order, the part above the diagonal; nil for the identity
}

// Parts of the identity and of the diagonal in a matrix that is factored.
const (
	damping  = 0.002 // of the mean of the diagonal
	shrinker = 1.0   // of the diagonal where there are as many inputs as values in each
)

// NewFactor factors the Gram matrix of a layer's inputs. With centred, the mean is taken out: for layers whose bias
// makes up for it. The fewer the inputs, the more the diagonal counts, for what few inputs seem to have in common says
// little about others. Inputs keep their groups.
func NewFactor(g *Gram, centred bool, group int) (*Factor, error) {
	n := g.In
	variance := make([]float64, n)
	var mean float64
	for i := range n {
		variance[i] = g.Cross[i*n+i]
		if centred {
			variance[i] -= float64(g.Mean[i] * g.Mean[i])
		}
		variance[i] = max(variance[i], 0)
		mean += variance[i] / float64(n)
	}
	if !(mean > 0) || math.IsInf(mean, 0) {
		return nil, fmt.Errorf("calibration inputs have the mean square %g: want a positive number", mean)
	}
	f := &Factor{Order: importance(variance, group)}
	shrink := shrinker * float64(n) / (float64(shrinker*float64(n)) + float64(g.Rows))
	for damp := damping; ; damp *= 4 {
		if damp > 100 {
			return nil, fmt.Errorf("calibration inputs have no factorisation with a damping of %g", damp)
		}
		// Reversed, so that a lower triangular factor becomes an upper one.
		l := make([]float64, n*n)
		for a := range n {
			i := f.Order[n-1-a]
			for b := range a {
				j := f.Order[n-1-b]
				v := g.Cross[min(i, j)*n+max(i, j)]
				if centred {
					v -= float64(g.Mean[i] * g.Mean[j])
				}
				l[a*n+b] = (1 - shrink) * v
			}
			l[a*n+a] = variance[i] + float64(damp*mean)
		}
		if cholesky(l, n) {
			f.set(l, n)
			return f, nil
		}
	}
}

// PlainFactor describes inputs of which no more than the mean squares are known; nil where they are not either.
func PlainFactor(squares []float32, in, group int) *Factor {
	f := &Factor{Order: make([]int, in), D: make([]float32, in)}
	for i := range in {
		f.Order[i] = i
		f.D[i] = 1
		if squares != nil {
			f.D[i] = squares[i]
		}
	}
	return f
}

// importance orders inputs by falling variance, first whole groups of neighbours and then inside each.
func importance(variance []float64, group int) []int {
	n := len(variance)
	var groups [][]int
	weight := map[int]float64{}
	for at := 0; at < n; at += group {
		var members []int
		for i := at; i < min(at+group, n); i++ {
			members = append(members, i)
			weight[at] += variance[i]
		}
		slices.SortStableFunc(members, func(a, b int) int { return cmp.Compare(variance[b], variance[a]) })
		groups = append(groups, members)
	}
	of := func(members []int) float64 { return weight[slices.Min(members)] / float64(len(members)) }
	slices.SortStableFunc(groups, func(a, b []int) int { return cmp.Compare(of(b), of(a)) })
	return slices.Concat(groups...)
}

// set takes D and U from the Cholesky factor of the reversed matrix.
func (f *Factor) set(l []float64, n int) {
	f.D, f.U = make([]float32, n), make([]float32, n*n)
	for j := range n {
		column := n - 1 - j
		pivot := l[column*n+column]
		f.D[j] = float32(pivot * pivot)
		for i := range j {
			f.U[i*n+j] = float32(l[(n-1-i)*n+column] / pivot)
		}
	}
}

// choleskyBlock is the number of columns that are finished together.
const choleskyBlock = 64

// cholesky replaces the lower triangle of a (n, n) by its Cholesky factor. It reports false where a is not positive
// definite. Products of finished columns are summed in float32, gramRows at a time: the damping is far above what
// that loses.
func cholesky(a []float64, n int) bool {
	finished := make([]float32, n*n)
	for first := 0; first < n; first += choleskyBlock {
		end := min(first+choleskyBlock, n)
		width := end - first
		columns := make([]float32, first*width)
		kernel.Transpose(columns, width, finished[first*n:], n, width, first)
		work.Blocks(n-first, 32, func(lo, hi int) {
			product := make([]float32, (hi-lo)*width)
			for at := 0; at < first; at += gramRows {
				k := min(gramRows, first-at)
				kernel.Gemm(product, width, finished[(first+lo)*n+at:], n, columns[at*width:], width, hi-lo, width, k)
				for i := first + lo; i < first+hi; i++ {
					for j, v := range product[(i-first-lo)*width : (i-first-lo+1)*width] {
						a[i*n+first+j] -= float64(v)
					}
				}
			}
		})
		for j := first; j < end; j++ {
			pivot := a[j*n+j] - dot(a[j*n+first:j*n+j], a[j*n+first:j*n+j])
			if !(pivot > 0) {
				return false
			}
			pivot = math.Sqrt(pivot)
			a[j*n+j] = pivot
			for i := j + 1; i < end; i++ {
				a[i*n+j] = (a[i*n+j] - dot(a[i*n+first:i*n+j], a[j*n+first:j*n+j])) / pivot
			}
		}
		work.Blocks(n-end, 16, func(lo, hi int) {
			for i := end + lo; i < end+hi; i++ {
				for j := first; j < end; j++ {
					a[i*n+j] = (a[i*n+j] - dot(a[i*n+first:i*n+j], a[j*n+first:j*n+j])) / a[j*n+j]
				}
			}
		})
		work.Blocks(n-first, 32, func(lo, hi int) {
			for i := first + lo; i < first+hi; i++ {
				for j := first; j < min(end, i+1); j++ {
					finished[i*n+j] = float32(a[i*n+j])
				}
			}
		})
	}
	return true
}

// dot sums in four lanes, which the processor works on at the same time.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	for len(a) >= 4 && len(b) >= 4 {
		s0 += float64(a[0] * b[0])
		s1 += float64(a[1] * b[1])
		s2 += float64(a[2] * b[2])
		s3 += float64(a[3] * b[3])
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += float64(v * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}
