package bpe

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewRejects(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		return string(b)
	}
	vocab, merges := read("vocab.txt"), read("merges.txt")
	without := func(token string) string {
		cut := strings.Replace("\n"+vocab, "\n"+token+"\n", "\n", 1)[1:]
		require.Less(t, len(cut), len(vocab), token)
		return cut
	}
	first, _, _ := strings.Cut(merges, "\n")

	for _, c := range []struct {
		name, vocab, merges, want string
	}{
		{"no vocabulary", "", merges, "vocabulary of 0 bytes does not end with a newline"},
		{"cut vocabulary", vocab[:len(vocab)-1], merges, "does not end with a newline"},
		{"cut merges", vocab, merges[:len(merges)-1], "merges of 6696 bytes do not end with a newline"},
		{"empty token", vocab + "\n", merges, "token 1114 is empty"},
		{"token twice", vocab + "photo</w>\n", merges, `token "photo</w>" has two ids, 577 and 1114`},
		{"special token twice", vocab + EndOfText + "\n", merges, `token "<|endoftext|>" has two ids, 1113 and 1114`},
		{"no start token", without(StartOfText), merges, `token "<|startoftext|>" is not in the vocabulary`},
		{"no end token", without(EndOfText), merges, `token "<|endoftext|>" is not in the vocabulary`},
		{"no bare byte", without("!"), merges, `token "!" is not in the vocabulary`},
		{"no bare byte 0", without("Ā"), merges, `token "Ā" is not in the vocabulary`},
		{"no byte at the end of a word", without("Ń</w>"), merges, `token "Ń</w>" is not in the vocabulary`},
		{"joined token missing", without("photo</w>"), merges, "the joined token is not in the vocabulary"},
		{"unknown left token", vocab, merges + "§§ a\n", `merge 600, "§§ a", is not two tokens with a space between them`},
		{"unknown right token", vocab, merges + "a §§\n", "is not two tokens"},
		{"one token", vocab, merges + "a\n", "is not two tokens"},
		{"three tokens", vocab, merges + "a b c\n", "is not two tokens"},
		{"two spaces", vocab, merges + "a  b\n", "is not two tokens"},
		{"empty line", vocab, merges + "\n", "is not two tokens"},
		{"carriage return", vocab, merges + first + "\r\n", "is not two tokens"},
		{"version line", vocab, "#version: 0.2\n" + merges, "is not two tokens"},
		{"merge twice", vocab, merges + first + "\n", `merges 0 and 600 join the same tokens`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New([]byte(c.vocab), []byte(c.merges))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestNewKeepsNoInput(t *testing.T) {
	vocab, err := os.ReadFile("testdata/vocab.txt")
	require.NoError(t, err)
	merges, err := os.ReadFile("testdata/merges.txt")
	require.NoError(t, err)
	tok, err := New(vocab, merges)
	require.NoError(t, err)
	clear(vocab)
	clear(merges)
	ids, err := tok.EncodeBare(nil, "a photo of a cat")
	require.NoError(t, err)
	require.Equal(t, "a photo of a cat", tok.Decode(ids))
}

func TestNewWithoutMerges(t *testing.T) {
	vocab, err := os.ReadFile("testdata/vocab.txt")
	require.NoError(t, err)
	tok, err := New(vocab, nil)
	require.NoError(t, err)
	ids, err := tok.EncodeBare(nil, "ab c")
	require.NoError(t, err)
	require.Equal(t, []int32{64, 65 + 256, 66 + 256}, ids, "symbols in CLIP's order")
}

func TestByteSymbols(t *testing.T) {
	vocab, err := os.ReadFile("testdata/vocab.txt")
	require.NoError(t, err)
	listed := bytes.Split(vocab, []byte("\n"))[:256]
	seen := map[rune]bool{}
	for c := range 256 {
		r := byteSymbol(byte(c))
		require.False(t, seen[r])
		seen[r] = true
		require.Contains(t, listed, []byte(string(r)))
		back, ok := symbolByte(r)
		require.True(t, ok)
		require.Equal(t, byte(c), back)
	}
	for r := range rune(0x200) {
		_, ok := symbolByte(r)
		require.Equal(t, seen[r], ok, "%U", r)
	}
}
