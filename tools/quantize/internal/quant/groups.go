package quant

import (
	"math"
	"slices"

	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/tools/quantize/internal/work"
)

// Limits of 4-bit weights: the products of codes and multipliers are int8 weights.
const (
	minCode       = -8
	maxCode       = 7
	maxMultiplier = 18 // with codes of at least -maxCode
	topMultiplier = 15 // that also -8 can have; a row's scale is chosen so that its widest group has about this one
)

// Int4 is a matrix quantized to four bits: w[i,j] ≈ Scale[i]·Multiplier[i,j/Group]·Code[i,j].
type Int4 struct {
	Rows, Cols, Group int
	Code              []int8    // (Rows, Cols), -8..7
	Multiplier        []int8    // (Rows, groups), -18..18
	Scale             []float32 // (Rows), positive
}

// groups returns the number of multipliers of a row.
func (m *Int4) groups() int { return (m.Cols + m.Group - 1) / m.Group }

// Products returns the int8 matrix that the engine computes with.
func (m *Int4) Products() *Int8 {
	out := &Int8{Rows: m.Rows, Cols: m.Cols, Q: make([]int8, len(m.Code)), Scale: m.Scale}
	for i, q := range m.Code {
		out.Q[i] = m.Multiplier[i/m.Cols*m.groups()+i%m.Cols/m.Group] * q
	}
	return out
}

// rowBlock is the number of rows that are fitted together, to read U once for all of them.
const rowBlock = 16

// Groups quantizes w (rows, cols) to four bits so that the error which f describes is small. A multiplier is shared by
// the weights of group neighbouring inputs.
func Groups(w []float32, rows, cols, group int, f *Factor) *Int4 {
	m := &Int4{Rows: rows, Cols: cols, Group: group, Code: make([]int8, rows*cols), Scale: make([]float32, rows)}
	m.Multiplier = make([]int8, rows*m.groups())
	work.Blocks(rows, rowBlock, func(first, end int) {
		fit := rowsFit{m: m, f: f, first: first, w: make([]float32, (end-first)*cols)}
		for i := range fit.w {
			fit.w[i] = w[(first+i/cols)*cols+f.Order[i%cols]]
		}
		fit.v = slices.Clone(fit.w)
		fit.run()
	})
	return m
}

// rowsFit quantizes a few rows.
type rowsFit struct {
	m     *Int4
	f     *Factor
	first int       // row of m
	w     []float32 // (rows, cols) weights in the factor's order
	v     []float32 // (rows, cols) and moved by the errors made so far

	inner []float32 // (group, group) U between the inputs of one group
	local []float32 // (group) a trial's weights
}

func (r *rowsFit) run() {
	cols, group := r.m.Cols, min(r.m.Group, r.m.Cols)
	rows := len(r.v) / cols
	for i := range rows {
		r.m.Scale[r.first+i] = r.scale(r.v[i*cols : (i+1)*cols])
	}
	r.inner, r.local = make([]float32, group*group), make([]float32, group)
	codes := make([]int8, group)
	errors := make([]float32, rows*group)
	for at := 0; at < cols; {
		g := r.f.Order[at] / group
		n := min(group, cols-g*group)
		if r.f.U != nil {
			for k := range n {
				copy(r.inner[k*n:(k+1)*n], r.f.U[(at+k)*cols+at:])
			}
		}
		for i := range rows {
			w, v, d := r.w[i*cols+at:i*cols+at+n], r.v[i*cols+at:i*cols+at+n], r.f.D[at:at+n]
			scale := r.m.Scale[r.first+i]
			m := r.choose(w, v, d, scale, codes, errors[i*group:])
			r.try(w, v, d, scale, m, codes, errors[i*group:])
			r.m.Multiplier[(r.first+i)*r.m.groups()+g] = m
			for k, q := range codes[:n] {
				r.m.Code[(r.first+i)*cols+r.f.Order[at+k]] = q
			}
		}
		if r.f.U != nil && at+n < cols {
			for k := range n {
				u := r.f.U[(at+k)*cols+at+n : (at+k+1)*cols]
				for i := range rows {
					kernel.Axpy(r.v[i*cols+at+n:(i+1)*cols], errors[i*group+k], u)
				}
			}
		}
		at += n
	}
}

// scale returns a row's scale: the widest step that one of its groups would choose for itself is topMultiplier.
func (r *rowsFit) scale(v []float32) float32 {
	var widest float32
	for at := 0; at < len(v); {
		n := min(r.m.Group, r.m.Cols-r.f.Order[at]/r.m.Group*r.m.Group)
		widest = max(widest, step(v[at:at+n], r.f.D[at:at+n]))
		at += n
	}
	if widest == 0 {
		return 1
	}
	return widest / topMultiplier
}

// stepTrials is the number of steps that are tried for a group.
const stepTrials = 12

// step returns the distance of neighbouring codes that represents v best, 0 where all of v is 0.
func step(v, weight []float32) float32 {
	var most float32
	for _, x := range v {
		most = max(most, x, -x)
	}
	best, least := float32(0), math.Inf(1)
	for i := range stepTrials {
		// from the whole range down to half of it
		s := most / 7.5 * (1.1 - 0.6*float32(i)/stepTrials)
		if s == 0 {
			return 0
		}
		for _, sign := range []float32{s, -s} {
			var loss float64
			inverse := 1 / sign
			for k, x := range v {
				e := x - float32(sign*nearest(float32(x*inverse), minCode))
				loss += float64(float32(weight[k] * float32(e*e)))
			}
			if loss < least {
				best, least = s, loss
			}
		}
	}
	return best
}

// nearest returns the code, at least lowest, that is nearest to x.
func nearest(x, lowest float32) float32 {
	const integers = 0x1.8p23 // float32 numbers near to it are integers
	if x > maxCode {
		return maxCode
	}
	if x < lowest {
		return lowest
	}
	return float32(x+integers) - integers
}

// lowest returns the lowest code that a multiplier allows.
func lowest(multiplier int8) float32 {
	if multiplier > topMultiplier || multiplier < -topMultiplier {
		return -maxCode
	}
	return minCode
}

// multiplierWindow is how far from a group's own step multipliers are tried.
const multiplierWindow = 3

// choose returns the multiplier near to v's own step that costs least. codes and errors are overwritten.
func (r *rowsFit) choose(w, v, d []float32, scale float32, codes []int8, errors []float32) int8 {
	middle := max(1, min(maxMultiplier, int(math.Round(float64(step(v, d)/scale)))))
	best, least := int8(0), math.Inf(1)
	for m := max(1, middle-multiplierWindow); m <= min(maxMultiplier, middle+multiplierWindow); m++ {
		for _, signed := range []int8{int8(m), int8(-m)} {
			if loss := r.try(w, v, d, scale, signed, codes, errors); loss < least {
				best, least = signed, loss
			}
		}
	}
	return best
}

// try rounds the weights of a group, v and moved by the errors inside it, and returns what that costs. errors gets how
// far the results are from the true weights w.
func (r *rowsFit) try(w, v, d []float32, scale float32, multiplier int8, codes []int8, errors []float32) (loss float64) {
	n := len(v)
	local := r.local[:copy(r.local, v)]
	width := scale * float32(multiplier)
	inverse, low := 1/width, lowest(multiplier)
	for k, x := range local {
		q := nearest(float32(x*inverse), low)
		got := float32(width * q)
		rounding, e := x-got, w[k]-got
		codes[k], errors[k] = int8(q), e
		loss += float64(float32(d[k] * float32(rounding*rounding)))
		if r.f.U != nil {
			rest := local[k+1:]
			u := r.inner[k*n+k+1 : (k+1)*n][:len(rest)]
			for j := range rest {
				rest[j] += float32(e * u[j])
			}
		}
	}
	return loss
}
