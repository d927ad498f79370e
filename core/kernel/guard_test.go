package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// guardLen is the number of guard values on each side of a buffer.
const guardLen = 16

// guarded is a buffer between guard values.
type guarded[T comparable] struct {
	all   []T
	guard T
}

func guard[T comparable](n int, guard T) guarded[T] {
	g := guarded[T]{make([]T, n+2*guardLen), guard}
	for i := range g.all {
		g.all[i] = guard
	}
	return g
}

// data returns the buffer; it can be appended to without a copy, so a kernel that
// reslices beyond the end hits the guards.
func (g guarded[T]) data() []T { return g.all[guardLen : len(g.all)-guardLen] }

// check returns an error where a guard value is gone.
func (g guarded[T]) check(what string) error {
	n := len(g.all) - 2*guardLen
	for i := range guardLen {
		if g.all[i] != g.guard {
			return fmt.Errorf("%s: written %d before its start", what, guardLen-i)
		}
		if g.all[guardLen+n+i] != g.guard {
			return fmt.Errorf("%s: written %d past its end", what, i)
		}
	}
	return nil
}

// floatGuard is no result of any test.
const floatGuard float32 = -7.0078125e33

// floats returns a guarded buffer of n numbers around 0 of very different sizes,
// the same on every platform.
func floats(r *rand.Rand, n int) guarded[float32] {
	g := guard(n, floatGuard)
	for i := range g.data() {
		g.data()[i] = float32(math.Ldexp(float64(r.IntN(1<<24)-1<<23), r.IntN(12)-28))
	}
	return g
}

// clone returns a guarded copy of g.
func (g guarded[T]) clone() guarded[T] {
	return guarded[T]{append([]T(nil), g.all...), g.guard}
}

// sameBits returns an error that names the first element at which got and want
// are not the same bits. All NaNs count as the same.
func sameBits(what string, got, want []float32) error {
	for i, w := range want {
		if math.Float32bits(got[i]) != math.Float32bits(w) && !(got[i] != got[i] && w != w) {
			return fmt.Errorf("%s[%d] of %d = %v (%#08x), want %v (%#08x)", what, i, len(want),
				got[i], math.Float32bits(got[i]), w, math.Float32bits(w))
		}
	}
	return nil
}
