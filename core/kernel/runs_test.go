package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkRuns compares Dots and Combine with Dot and Axpy, bit for bit, on n rows of
// d elements in one of the fills.
func checkRuns(r *rand.Rand, n, d, pad int) error {
	ld := d + pad
	rows, q := floats(r, span(n, d, ld)), floats(r, d)
	refill(r, rows.data(), max(ld, 1))
	scores, want := floats(r, n), make([]float32, n)
	Dots(scores.data(), q.data(), rows.data(), ld)
	for i := range want {
		want[i] = dotGeneric(q.data(), rows.data()[i*ld:i*ld+d])
	}
	what := fmt.Sprintf("dots of %d×%d, leading dimension %d", n, d, ld)
	if err := firstError(sameBits(what, scores.data(), want), scores.check(what)); err != nil {
		return err
	}
	a, y := floats(r, n), floats(r, d)
	sum := y.clone()
	Combine(y.data(), a.data(), rows.data(), ld)
	for i, v := range a.data() {
		axpyGeneric(sum.data(), v, rows.data()[i*ld:i*ld+d])
	}
	what = fmt.Sprintf("combine of %d×%d, leading dimension %d", n, d, ld)
	return firstError(sameBits(what, y.data(), sum.data()), y.check(what))
}

func sweepRuns(seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 21))
	for n := range 14 {
		for _, d := range []int{0, 1, 3, 4, 5, 15, 16, 17, 31, 32, 33, 64, 80} {
			for _, pad := range []int{0, 3, 128} {
				if err := checkRuns(r, n, d, pad); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func TestRuns(t *testing.T) {
	require.NoError(t, sweepRuns(newSeed(t)))
	assert.PanicsWithValue(t, shortSrc, func() { Dots(make([]float32, 2), make([]float32, 4), make([]float32, 8), 5) })
	assert.PanicsWithValue(t, badLd, func() { Combine(make([]float32, 4), make([]float32, 2), make([]float32, 8), 3) })
}
