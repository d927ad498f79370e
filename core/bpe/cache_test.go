package bpe

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRememberedWords appends more words than there are places, short ones often
// and ones too long for a place, and compares with merging each.
func TestRememberedWords(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	tok, plain := small(t), small(t)
	for range 20_000 {
		word := make([]byte, 1+r.IntN(1+r.IntN(20)))
		for i := range word {
			word[i] = "aeinst\xc3\xa9"[r.IntN(8)]
		}
		before := []int32{7}
		require.Equal(t, plain.mergeWord(before, word), tok.appendWord(before, word), "%q", word)
	}
	used := 0
	for i := range tok.cache {
		if tok.cache[i].length > 0 {
			used++
		}
	}
	require.Greater(t, used, cachePlaces/2)
}
