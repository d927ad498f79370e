package bpe

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func small(t testing.TB) *Tokenizer {
	vocab, err := os.ReadFile("testdata/vocab.txt")
	require.NoError(t, err)
	merges, err := os.ReadFile("testdata/merges.txt")
	require.NoError(t, err)
	tok, err := New(vocab, merges)
	require.NoError(t, err)
	return tok
}

type golden struct {
	Text    string
	Bare    []int32 // without start and end
	Context []int32 // cut at goldenFile.Context tokens
	Full    []int32 // cut at goldenFile.Full tokens
}

type goldenFile struct {
	Context, Full int
	Goldens       []golden
}

func readGoldens(t testing.TB) goldenFile {
	b, err := os.ReadFile("testdata/goldens.json")
	require.NoError(t, err)
	var file goldenFile
	require.NoError(t, json.Unmarshal(b, &file))
	require.Greater(t, len(file.Goldens), 500)
	return file
}

func TestEncodeEqualsReference(t *testing.T) {
	tok := small(t)
	file := readGoldens(t)
	for _, g := range file.Goldens {
		bare, err := tok.EncodeBare(nil, g.Text)
		require.NoError(t, err)
		if len(g.Bare) > 0 || len(bare) > 0 {
			require.Equal(t, g.Bare, bare, "%+q", g.Text)
		}
		for _, cut := range []struct {
			context int
			want    []int32
		}{{file.Context, g.Context}, {file.Full, g.Full}} {
			ids, truncated, err := tok.Encode(nil, g.Text, cut.context)
			require.NoError(t, err)
			require.Equal(t, cut.want, ids, "%+q", g.Text)
			require.Equal(t, len(bare)+2 > cut.context, truncated, "%+q", g.Text)
		}
	}
}
