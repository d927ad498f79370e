package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"
)

// guardLen is the number of guard values on each side of a buffer.
const guardLen = 16

// guarded is a buffer between guard values, or one with guard values before it
// and no memory after it.
type guarded[T comparable] struct {
	all   []T
	after int // guard values after the buffer
	guard T
}

// endOfMemory, where it is set, returns bytes at whose end an access faults.
var endOfMemory func(bytes int) unsafe.Pointer

func guard[T comparable](n int, guard T) guarded[T] {
	g := guarded[T]{after: guardLen, guard: guard}
	if endOfMemory == nil {
		g.all = make([]T, n+2*guardLen)
	} else {
		g.after = 0
		size := n + guardLen
		g.all = unsafe.Slice((*T)(endOfMemory(size*int(unsafe.Sizeof(guard)))), size)
	}
	for i := range g.all {
		g.all[i] = guard
	}
	return g
}

// data returns the buffer; it can be appended to without a copy, so a kernel that
// reslices beyond the end hits the guards.
func (g guarded[T]) data() []T { return g.all[guardLen : len(g.all)-g.after] }

// check returns an error where a guard value is gone.
func (g guarded[T]) check(what string) error {
	for i, v := range g.all[:guardLen] {
		if v != g.guard {
			return fmt.Errorf("%s: written %d before its start", what, guardLen-i)
		}
	}
	for i, v := range g.all[len(g.all)-g.after:] {
		if v != g.guard {
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
	return guarded[T]{append([]T(nil), g.all...), g.after, g.guard}
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
