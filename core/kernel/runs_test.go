package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkRuns compares impl's runs of n rows of d elements with the generic dot and
// axpy, bit for bit.
func checkRuns(impl implementation, r *rand.Rand, numbers operand, n, d, pad int) error {
	ld := d + pad
	rows, q := numbers(r, span(n, d, ld), ld), numbers(r, d, d)
	scores, want := floats(r, n), make([]float32, n)
	impl.dots(scores.data(), q.data(), rows.data(), ld)
	for i := range want {
		want[i] = dotGeneric(q.data(), rows.data()[i*ld:i*ld+d])
	}
	what := fmt.Sprintf("dots of %d×%d, leading dimension %d", n, d, ld)
	if err := firstError(sameBits(what, scores.data(), want), scores.check(what)); err != nil {
		return err
	}
	a, y := numbers(r, n, 1), numbers(r, d, d)
	sum := y.clone()
	impl.combine(y.data(), a.data(), rows.data(), ld)
	for i, v := range a.data() {
		axpyGeneric(sum.data(), v, rows.data()[i*ld:i*ld+d])
	}
	what = fmt.Sprintf("combine of %d×%d, leading dimension %d", n, d, ld)
	return firstError(sameBits(what, y.data(), sum.data()), y.check(what))
}

// sweepRuns holds impl to the generic kernels, bit for bit.
func sweepRuns(impl implementation, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 21))
	for n := range 14 {
		for _, d := range []int{0, 1, 3, 4, 5, 15, 16, 17, 31, 32, 33, 64, 80} {
			for _, pad := range []int{0, 3, 128} {
				for _, numbers := range []operand{ordinary, extreme} {
					if err := checkRuns(impl, r, numbers, n, d, pad); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func TestRuns(t *testing.T) {
	require.NoError(t, sweepRuns(dispatched, newSeed(t)))
	assert.PanicsWithValue(t, shortSrc, func() { Dots(make([]float32, 2), make([]float32, 4), make([]float32, 8), 5) })
	assert.PanicsWithValue(t, badLd, func() { Combine(make([]float32, 4), make([]float32, 2), make([]float32, 8), 3) })
}
