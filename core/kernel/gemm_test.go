package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Row and column counts around the tiles (2×4, 4×8), their multiples and primes.
var (
	tileRows = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 13}
	tileCols = []int{0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23}
)

func fillU7(r *rand.Rand, a []uint8) {
	for i := range a {
		a[i] = uint8(r.IntN(128))
	}
}

func fillS8(r *rand.Rand, w []int8) {
	for i := range w {
		w[i] = int8(r.IntN(255) - 127)
	}
}

// checkGemmU7S8 compares impl with the generic kernel on one shape; k is the inner dimension
// before padding.
func checkGemmU7S8(impl implementation, r *rand.Rand, fillA func(*rand.Rand, []uint8), fillW func(*rand.Rand, []int8), m, n, k int, s *Scratch) error {
	kp := PadK(k)
	// The guards of the operands would show in the result if they were read.
	a, w := guard(m*kp, uint8(101)), guard(PanelLen(n, kp), int8(-103))
	clear(a.data())
	for i := range m {
		fillA(r, a.data()[i*kp:i*kp+k])
	}
	copy(w.data(), Pack(weights(r, fillW, n, k), n, kp))
	acc, expect := guard(m*n, int32(-123456789)), make([]int32, m*n)
	aBefore, wBefore := a.clone(), w.clone()
	impl.gemmU7S8(acc.data(), a.data(), w.data(), m, n, kp, s)
	gemmU7S8Generic(expect, a.data(), w.data(), m, n, kp, &Scratch{})
	shape := fmt.Sprintf("acc of %d×%d×%d", m, n, k)
	for i, v := range expect {
		if acc.data()[i] != v {
			return fmt.Errorf("%s: [%d,%d] = %d, want %d", shape, i/n, i%n, acc.data()[i], v)
		}
	}
	if !slices.Equal(a.all, aBefore.all) || !slices.Equal(w.all, wBefore.all) {
		return fmt.Errorf("%s: an operand was changed", shape)
	}
	return acc.check(shape)
}

// weights returns n rows of k weights, padded.
func weights(r *rand.Rand, fill func(*rand.Rand, []int8), n, k int) []int8 {
	kp := PadK(k)
	w := make([]int8, n*kp)
	for j := range n {
		fill(r, w[j*kp:j*kp+k])
	}
	return w
}

// layer is a quantized layer of n outputs, and m rows of its input.
type layer struct {
	a                                        guarded[uint8]
	w                                        guarded[int8]
	rowScale, rowMin, colScale, colSum, bias guarded[float32]
}

func newLayer(r *rand.Rand, numbers operand, m, n, k int) layer {
	kp := PadK(k)
	l := layer{
		guard(m*kp, uint8(101)), guard(PanelLen(n, kp), int8(-103)),
		numbers(r, m, 1), numbers(r, m, 1), numbers(r, n, 1), numbers(r, n, 1), numbers(r, n, 1),
	}
	for i := range m {
		fillEndsU7(r, l.a.data()[i*kp:(i+1)*kp])
	}
	copy(l.w.data(), Pack(weights(r, fillS8, n, k), n, kp))
	return l
}

// checkLinear compares impl with the generic kernels, bit for bit.
func checkLinear(impl implementation, r *rand.Rand, numbers operand, m, n, k, pad int, s *Scratch) error {
	kp, ldy := PadK(k), n+pad
	l := newLayer(r, numbers, m, n, k)
	for _, bias := range [][]float32{nil, l.bias.data()} {
		for _, accumulate := range []bool{false, true} {
			what := fmt.Sprintf("linear of %d×%d×%d, leading dimension %d, bias %t, accumulate %t", m, n, k, ldy, bias != nil, accumulate)
			y := numbers(r, span(m, n, ldy), ldy)
			want := y.clone()
			impl.linear(y.data(), ldy, l.a.data(), l.rowScale.data(), l.rowMin.data(), l.w.data(), l.colScale.data(), l.colSum.data(), bias, m, n, kp, accumulate, s)
			linearGeneric(want.data(), ldy, l.a.data(), l.rowScale.data(), l.rowMin.data(), l.w.data(), l.colScale.data(), l.colSum.data(), bias, m, n, kp, accumulate, &Scratch{})
			if err := firstError(sameBits(what, y.data(), want.data()), y.check(what)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepLinear holds impl to the generic kernels over shapes around the tile.
func sweepLinear(impl implementation, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 14))
	var s Scratch
	for _, m := range tileRows {
		for _, n := range tileCols {
			for _, k := range []int{1, 16, 47, 64} {
				if err := checkLinear(impl, r, ordinary, m, n, k, m%3, &s); err != nil {
					return err
				}
			}
		}
	}
	// Several blocks of rows.
	return checkLinear(impl, r, ordinary, 18, 3, 16384, 0, &s)
}

// sweepGemmU7S8 holds impl to the generic kernel over shapes around the tile.
func sweepGemmU7S8(impl implementation, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 1))
	var s Scratch
	for _, m := range tileRows {
		for _, n := range tileCols {
			for _, k := range []int{1, 15, 16, 17, 31, 48, 64, 97} {
				if err := checkGemmU7S8(impl, r, fillU7, fillS8, m, n, k, &s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func checkGemm(impl implementation, r *rand.Rand, numbers operand, m, n, k, padX, padB, padY int) error {
	ldx, ldb, ldy := k+padX, n+padB, n+padY
	x, b := numbers(r, span(m, k, ldx), ldx), numbers(r, span(k, n, ldb), ldb)
	y := floats(r, span(m, n, ldy))
	expect := y.clone()
	impl.gemm(y.data(), ldy, x.data(), ldx, b.data(), ldb, m, n, k)
	gemmGeneric(expect.data(), ldy, x.data(), ldx, b.data(), ldb, m, n, k)
	shape := fmt.Sprintf("y of %d×%d×%d, leading dimensions %d, %d, %d", m, n, k, ldy, ldx, ldb)
	// Between the rows of y, too, nothing may change.
	if err := sameBits(shape, y.data(), expect.data()); err != nil {
		return err
	}
	return y.check(shape)
}

// span returns the length of a matrix with leading dimension ld.
func span(rows, cols, ld int) int {
	if rows == 0 {
		return 0
	}
	return (rows-1)*ld + cols
}

// sweepGemm holds impl to the generic kernel, bit for bit.
func sweepGemm(impl implementation, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 2))
	for _, m := range tileRows {
		for _, n := range tileCols {
			for _, k := range []int{0, 1, 2, 3, 4, 5, 8, 13, 32} {
				for _, pad := range [][3]int{{0, 0, 0}, {5, 3, 1}, {0, 96, 7}} {
					if err := checkGemm(impl, r, ordinary, m, n, k, pad[0], pad[1], pad[2]); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func TestGemmU7S8(t *testing.T) {
	require.NoError(t, sweepGemmU7S8(dispatched, newSeed(t)))
}

func TestLinear(t *testing.T) {
	require.NoError(t, sweepLinear(dispatched, newSeed(t)))
}

// TestPack holds the place of every weight to what Pack does.
func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 15))
	for _, n := range tileCols {
		for _, k := range []int{16, 48} {
			w := weights(r, fillS8, n, k)
			packed := Pack(slices.Clone(w), n, k)
			require.Len(t, packed, PanelLen(n, k))
			place, rest := make([]bool, len(packed)), 0
			for j := range n {
				for p := range k {
					require.Equal(t, w[j*k+p], packed[packedAt(j, p, k)], "%d×%d: [%d,%d]", n, k, j, p)
					place[packedAt(j, p, k)] = true
				}
			}
			for i, used := range place {
				if !used {
					require.Zero(t, packed[i], "padding")
					rest++
				}
			}
			require.Equal(t, PanelLen(n, k)-n*k, rest, "no two weights share a place")
		}
	}
	whole := weights(r, fillS8, 2*panelRows, 32)
	require.Same(t, &whole[0], &Pack(whole, 2*panelRows, 32)[0], "whole panels are packed in place")
}

func TestGemm(t *testing.T) {
	require.NoError(t, sweepGemm(dispatched, newSeed(t)))
}
