package bpe

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// checkEncode checks what holds for every text and context.
func checkEncode(t *testing.T, tok *Tokenizer, text string, context int) {
	bare, err := tok.EncodeBare(nil, text)
	ids, truncated, encodeErr := tok.Encode(nil, text, context)
	if context < 2 {
		require.ErrorContains(t, encodeErr, "the start and end tokens need 2")
		return
	}
	if !utf8.ValidString(text) {
		require.ErrorContains(t, err, "not valid UTF-8")
		require.ErrorContains(t, encodeErr, "not valid UTF-8")
		require.Empty(t, ids)
		return
	}
	require.NoError(t, err)
	require.NoError(t, encodeErr)
	for _, id := range bare {
		require.True(t, id >= 0 && int(id) < tok.Len())
	}
	want := append([]int32{tok.BOS()}, bare[:min(len(bare), context-2)]...)
	require.Equal(t, append(want, tok.EOS()), ids)
	require.Equal(t, len(bare) > context-2, truncated)
	if !strings.Contains(text, StartOfText) && !strings.Contains(text, EndOfText) {
		require.Equal(t, withoutSpace(string(appendNormal(nil, text))), withoutSpace(tok.Decode(bare)))
	}
}

func withoutSpace(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

func TestEncodeCutsAtAnyContext(t *testing.T) {
	tok := small(t)
	for _, text := range []string{"", "a photo of a cat", "one two three " + EndOfText + " four", "zzzzzzzz", "ÀÉÎ \u0301 <|EndOfText|>"} {
		for context := range 40 {
			checkEncode(t, tok, text, context)
		}
	}
	_, _, err := tok.Encode(nil, "a", -1)
	require.EqualError(t, err, "bpe: context of -1 tokens: the start and end tokens need 2")
}

func TestEncodeAppends(t *testing.T) {
	tok := small(t)
	dst := []int32{7, 8}
	ids, truncated, err := tok.Encode(dst, "a a a", 4)
	require.NoError(t, err)
	require.True(t, truncated)
	require.Equal(t, []int32{7, 8, tok.BOS(), 320, 320, tok.EOS()}, ids)

	ids, err = tok.EncodeBare(dst, "a")
	require.NoError(t, err)
	require.Equal(t, []int32{7, 8, 320}, ids)

	ids, _, err = tok.Encode(dst, "a\xff", 4)
	require.EqualError(t, err, `bpe: text "a\xff" is not valid UTF-8`)
	require.Equal(t, dst, ids)
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	tok := small(t)
	buffer := make([]int32, 0, 64)
	text := "This is a photo of a zebra because there is black and white stripes, and a café"
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var err error
		buffer, _, err = tok.Encode(buffer[:0], text, 64)
		if err != nil {
			t.Fatal(err)
		}
	}))
}

// A quadratic tokenizer takes minutes here, this one far below a second.
func TestEncodeTakesLongWords(t *testing.T) {
	tok := small(t)
	start := time.Now()
	for _, unit := range []string{"a", "photo", "!", "é", "\u0301\u0316", "because", "猫"} {
		word := strings.Repeat(unit, 200_000/len(unit))
		ids, err := tok.EncodeBare(nil, word)
		require.NoError(t, err)
		require.NotEmpty(t, ids)
		ids, truncated, err := tok.Encode(nil, strings.Repeat(unit+" ", 10_000), 77)
		require.NoError(t, err)
		require.True(t, truncated)
		require.Len(t, ids, 77)
	}
	require.Less(t, time.Since(start), 30*time.Second)
}

func TestDecode(t *testing.T) {
	tok := small(t)
	for text, want := range map[string]string{
		"":                    "",
		"A  photo of a CAT.":  "a photo of a cat .",
		"it's 10:45":          "it 's 1 0 : 4 5",
		"猫🙂 CAFE\u0301":       "猫 🙂 café",
		"a" + EndOfText + "b": "a <|endoftext|> b",
		"\x00 \u00ad\u200b":   "\x00 \u00ad\u200b",
	} {
		ids, err := tok.EncodeBare(nil, text)
		require.NoError(t, err)
		require.Equal(t, want, tok.Decode(ids))
	}
	ids, err := tok.EncodeBare(nil, "🙂x")
	require.NoError(t, err)
	require.Equal(t, "\uFFFD", tok.Decode([]int32{tok.inner[0x80]}))
	require.Equal(t, "\uFFFD", tok.Decode([]int32{-1}))
	require.Equal(t, "\uFFFD", tok.Decode([]int32{int32(tok.Len())}))
	slices.Reverse(ids)
	require.True(t, utf8.ValidString(tok.Decode(ids)))
}

func BenchmarkEncode(b *testing.B) {
	tok := small(b)
	text := "This is a photo of a zebra because there is black and white stripes"
	var ids []int32
	for b.Loop() {
		ids, _, _ = tok.Encode(ids[:0], text, 77)
	}
}
