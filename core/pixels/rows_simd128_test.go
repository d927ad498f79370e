//go:build goexperiment.simd && (wasm || amd64)

package pixels

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVectorsEqualGeneric compares the vector kernels with the generic ones on
// random rows around every number of vectors.
func TestVectorsEqualGeneric(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	row := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for source := 1; source < 120; source += 1 + source/9 {
		for _, resized := range []int{1, 2, 7, 33, 96} {
			var a axis
			a.set(source, resized, min(resized, 24))
			src := row(4 * source)
			got, want := row(4*a.count), row(4*a.count)
			resampleSIMD128(got, src, &a)
			resampleGeneric(want, src, &a)
			require.Equal(t, want, got, "%d pixels to %d", source, resized)
		}
		bytes, weight := row(4*source), int32(r.Uint32())>>9
		got, want := make([]int32, len(bytes)), make([]int32, len(bytes))
		for i := range got {
			got[i] = int32(r.Uint32()) >> 2
			want[i] = got[i]
		}
		accumulateSIMD128(got, bytes, weight)
		accumulateGeneric(want, bytes, weight)
		require.Equal(t, want, got, "%d bytes", len(bytes))
	}
}
