//go:build !wasm

package bpe

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sugarme "github.com/sugarme/tokenizer/model/bpe"
)

// sugarme/tokenizer never marks the end of a word, so it gets a vocabulary
// without marks, in which the last character of a word is another one: that
// of its byte, moved into the private use area.
func moveLast(token string) string {
	inner, ends := strings.CutSuffix(token, endOfWord)
	if !ends {
		return token
	}
	runes := []rune(inner)
	runes[len(runes)-1] += 0xe000
	return string(runes)
}

// ids returns the tokens that sugarme/tokenizer makes of a word's symbols.
func ids(t *testing.T, model *sugarme.BPE, symbols string) []int32 {
	tokens, err := model.Tokenize(symbols)
	require.NoError(t, err)
	var out []int32
	for _, token := range tokens {
		out = append(out, int32(token.Id))
	}
	return out
}

func TestSecondOpinionOnMerges(t *testing.T) {
	vocab := map[string]int{}
	for id, token := range readLines(t, "testdata/vocab.txt") {
		vocab[moveLast(token)] = id
	}
	var merges []string
	for _, line := range readLines(t, "testdata/merges.txt") {
		left, right, _ := strings.Cut(line, " ")
		merges = append(merges, moveLast(left)+" "+moveLast(right))
	}
	model, err := sugarme.New(vocab, merges, nil, nil, nil, nil)
	require.NoError(t, err)

	// Where a pair occurs many times in a word, sugarme/tokenizer does not
	// merge from left to right as the reference does.
	unlikeReference := strings.Repeat("🙂", 40)

	tok := small(t)
	compared := 0
	for _, g := range readGoldens(t).Goldens {
		if hasSpecial(g.Text) {
			continue
		}
		var theirs []int32
		for _, word := range oracleWords(g.Text) {
			symbols := wordSymbols(word)
			last := len(symbols) - 1
			symbols[last] = moveLast(symbols[last])
			theirs = append(theirs, ids(t, model, strings.Join(symbols, ""))...)
		}
		ours, err := tok.EncodeBare(nil, g.Text)
		require.NoError(t, err)
		if g.Text == unlikeReference {
			require.NotEqual(t, theirs, ours)
			continue
		}
		require.Equal(t, theirs, ours, "%+q", g.Text)
		compared++
	}
	require.Greater(t, compared, 400)
}

// With CLIP's own settings sugarme/tokenizer gives other ids than the
// reference, which the goldens pin.
func TestSugarmeDoesNotEndWords(t *testing.T) {
	vocab := map[string]int{}
	for id, token := range readLines(t, "testdata/vocab.txt") {
		vocab[token] = id
	}
	suffix := endOfWord
	model, err := sugarme.New(vocab, readLines(t, "testdata/merges.txt"), nil, nil, nil, &suffix)
	require.NoError(t, err)
	ours, err := small(t).EncodeBare(nil, "cat")
	require.NoError(t, err)
	require.Equal(t, []int32{66, 531}, ours, "c at</w>")
	require.NotEqual(t, ours, ids(t, model, "cat"))
}
