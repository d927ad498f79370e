//go:build !wasm

package bpe

import (
	"math/rand/v2"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
)

func TestComposedMatchesNorm(t *testing.T) {
	known := rangetable.Assigned("9.0.0")
	check := func(want, text string) {
		if got := composed(text); got != want { // for millions of texts
			require.Equalf(t, want, got, "%+q", text)
		}
	}
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		if !unicode.Is(known, r) {
			check(string(r), string(r))
			continue
		}
		s := string(r)
		check(norm.NFC.String(s), s)
		d := norm.NFD.String(s)
		check(norm.NFC.String(d), d)
	}
	// Strings of characters that decompose, combine or compose, short enough
	// that norm does not break runs of marks.
	var alphabet []rune
	for _, row := range decompositions {
		alphabet = append(alphabet, rune(row[0]), rune(row[1]), rune(row[2]))
	}
	for _, row := range combining {
		alphabet = append(alphabet, rune(row[0]), rune(row[1]))
	}
	for _, row := range append(decompositionsAstral[:], compositesAstral[:]...) {
		alphabet = append(alphabet, row[:]...)
	}
	alphabet = append(alphabet, 0x1100, 0x1161, 0x11A8, 0xAC00, 0xAC01, 'a', 'e', ' ')
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		s := make([]rune, 1+random.IntN(12))
		for i := range s {
			s[i] = alphabet[random.IntN(len(alphabet))]
		}
		check(norm.NFC.String(string(s)), string(s))
	}
}
