package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Fills of a float operand: rows of ordinary numbers, of zeros of both signs,
// around the smallest and around the greatest number.
var fills = []func(r *rand.Rand) float32{
	func(r *rand.Rand) float32 { return float32(math.Ldexp(float64(r.IntN(1<<24)-1<<23), r.IntN(12)-28)) },
	func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32() & (1 << 31)) },
	func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32() & (1<<31 | 1<<24 - 1)) },
	func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32()&(1<<31|1<<25-1) | 0x7d000000) },
}

// refill fills each row of x (length cols) in one of the ways.
func refill(r *rand.Rand, x []float32, cols int) {
	for len(x) > 0 {
		fill := fills[r.IntN(len(fills))]
		row := x[:min(cols, len(x))]
		for i := range row {
			row[i] = fill(r)
		}
		x = x[len(row):]
	}
}

// An operand returns a guarded buffer of n numbers, cols of them in a row.
type operand func(r *rand.Rand, n, cols int) guarded[float32]

// ordinary numbers have their exponents close to one another.
func ordinary(r *rand.Rand, n, _ int) guarded[float32] { return floats(r, n) }

// extreme numbers are in each row of one of the fills, now and then in all rows of
// the same.
func extreme(r *rand.Rand, n, cols int) guarded[float32] {
	x := floats(r, n)
	if r.IntN(4) == 0 {
		cols = n
	}
	refill(r, x.data(), max(cols, 1))
	return x
}

// fillEndsU7 fills a row of activations with numbers, or with one end of their range.
func fillEndsU7(r *rand.Rand, a []uint8) {
	switch r.IntN(3) {
	case 0:
		fillU7(r, a)
	case 1:
		fill(a, 0)
	case 2:
		fill(a, 127)
	}
}

// fillEndsS8 is fillEndsU7 for weights.
func fillEndsS8(r *rand.Rand, w []int8) {
	switch r.IntN(3) {
	case 0:
		fillS8(r, w)
	case 1:
		fill(w, 0)
	case 2:
		fill(w, int8(127-254*r.IntN(2)))
	}
}

// size returns a number up to most, often next to a multiple of a panel, a tile
// or a vector.
func size(r *rand.Rand, most int) int {
	step := []int{1, 4, 8, 16, 32, 64}[r.IntN(6)]
	return max(1, min(most, r.IntN(most/step+1)*step+r.IntN(3)-1))
}

// sweepRandom holds impl to the generic kernels on random shapes beyond those of
// the other sweeps, and on extreme numbers.
func sweepRandom(impl implementation, seed uint64, rounds int) error {
	r := rand.New(rand.NewPCG(seed, 20))
	var s Scratch
	for range rounds {
		for _, numbers := range []operand{ordinary, extreme} {
			m, n, k, d := size(r, 40), size(r, 140), size(r, 600), 8*(1+r.IntN(10))
			if err := firstError(
				checkGemmU7S8(impl, r, fillEndsU7, fillEndsS8, m, n, k, &s),
				checkLinear(impl, r, numbers, m, n, k, r.IntN(9), &s),
				checkLinearHeads(impl, r, numbers, m, 1+r.IntN(4), d, k, &s),
				checkAttend(impl, r, numbers, m, n, d, r.IntN(9)),
				checkGemm(impl, r, numbers, m, n, k, r.IntN(9), r.IntN(9), r.IntN(9)),
				checkRuns(impl, r, numbers, m, n, r.IntN(9)),
			); err != nil {
				return err
			}
		}
		if err := checkExtremes(impl, r, size(r, 300)); err != nil {
			return err
		}
	}
	return nil
}

// checkExtremes compares the functions on n elements in each of the fills.
func checkExtremes(impl implementation, r *rand.Rand, n int) error {
	numbers := func(rows int) guarded[float32] {
		x := floats(r, rows*n)
		refill(r, x.data(), n)
		return x
	}
	for _, c := range []struct {
		name string
		run  func(k implementation, y, x []float32)
	}{
		{"add", func(k implementation, y, x []float32) { k.add(y, x) }},
		{"axpy", func(k implementation, y, x []float32) { k.axpy(y, x[0], x) }},
		{"scale", func(k implementation, y, x []float32) { k.scale(y, x[0]) }},
		{"dot", func(k implementation, y, x []float32) { y[0] = k.dot(y, x) }},
		{"quickGELU", func(k implementation, y, _ []float32) { k.quickGELU(y) }},
		{"gelu", func(k implementation, y, _ []float32) { k.gelu(y) }},
		{"softmaxRow", func(k implementation, y, _ []float32) { k.softmaxRow(y, 0.125) }},
		{"layerNormRow", func(k implementation, y, x []float32) { k.layerNormRow(y, y, x, x, 1e-5) }},
	} {
		y, x := numbers(1), numbers(1)
		want := y.clone()
		c.run(impl, y.data(), x.data())
		c.run(generic, want.data(), x.data())
		if err := firstError(sameBits(c.name, y.data(), want.data()), y.check(c.name)); err != nil {
			return err
		}
	}
	return checkQuantize(impl, numbers(3), 3, n)
}

func TestRandomShapes(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	require.NoError(t, sweepRandom(dispatched, newSeed(t), rounds))
}

// TestNaNStays holds the functions with an exponential to NaN where the input is
// NaN: a clamp by the processor's minimum would make a number of it.
func TestNaNStays(t *testing.T) {
	for _, n := range []int{8, 13, 32} {
		for at := range n {
			for name, f := range map[string]func(x []float32){
				"GELU": GELU, "QuickGELU": QuickGELU, "Softmax": func(x []float32) { Softmax(x, n, 1, n, 1) },
			} {
				x := make([]float32, n)
				x[at] = nan()
				f(x)
				require.True(t, x[at] != x[at], "%s of %d, NaN at %d", name, n, at)
			}
		}
	}
}
