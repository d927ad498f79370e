package bpe

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func readLines(t testing.TB, file string) []string {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func hasSpecial(text string) bool {
	return strings.Contains(text, StartOfText) || strings.Contains(text, EndOfText)
}

// CLIP's pattern, then the one of the byte-level step.
var (
	clipPattern = regexp.MustCompile(`<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\v\x{85}\p{Z}\p{L}\p{N}]+`)
	bytePattern = regexp.MustCompile(`'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}+|[^\s\v\x{85}\p{Z}\p{L}\p{N}]+`)
)

// oracleWords splits text without special tokens with the reference's regular
// expressions.
func oracleWords(text string) []string {
	var words []string
	for _, word := range clipPattern.FindAllString(string(appendNormal(nil, text)), -1) {
		words = append(words, bytePattern.FindAllString(word, -1)...)
	}
	return words
}

// wordSymbols returns the tokens that a word's bytes begin as.
func wordSymbols(word string) []string {
	var symbols []string
	for i := range len(word) {
		symbols = append(symbols, string(byteSymbol(word[i])))
	}
	symbols[len(symbols)-1] += endOfWord
	return symbols
}

// oracle merges as the definition says: the pair of lowest rank, from the
// left, again and again.
type oracle struct{ ids, ranks map[string]int }

func newOracle(t testing.TB) oracle {
	o := oracle{map[string]int{}, map[string]int{}}
	for id, token := range readLines(t, "testdata/vocab.txt") {
		o.ids[token] = id
	}
	for rank, line := range readLines(t, "testdata/merges.txt") {
		o.ranks[line] = rank
	}
	return o
}

func (o oracle) encode(text string) []int32 {
	var ids []int32
	for _, word := range oracleWords(text) {
		symbols := wordSymbols(word)
		for {
			best, at := len(o.ranks), 0
			for i := range len(symbols) - 1 {
				if rank, ok := o.ranks[symbols[i]+" "+symbols[i+1]]; ok && rank < best {
					best, at = rank, i
				}
			}
			if best == len(o.ranks) {
				break
			}
			symbols[at] += symbols[at+1]
			symbols = slices.Delete(symbols, at+1, at+2)
		}
		for _, symbol := range symbols {
			ids = append(ids, int32(o.ids[symbol]))
		}
	}
	return ids
}

// FuzzEncode checks every promise of Encode and EncodeBare on any text.
func FuzzEncode(f *testing.F) {
	for _, g := range readGoldens(f).Goldens {
		f.Add(g.Text, uint8(len(g.Text)))
	}
	f.Add("\xff", uint8(9))
	f.Add("a\xed\xa0\x80", uint8(9))
	tok, o := small(f), newOracle(f)
	f.Fuzz(func(t *testing.T, text string, context uint8) {
		checkEncode(t, tok, text, int(context))
		if ids, err := tok.EncodeBare(nil, text); err == nil && !hasSpecial(text) {
			require.Equal(t, o.encode(text), ids)
		}
	})
}
