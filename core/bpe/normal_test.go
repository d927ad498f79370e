package bpe

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// No character is put between the marks, as the stream-safe format would.
func TestComposedKeepsLongRunsOfMarks(t *testing.T) {
	require.Equal(t, "á"+strings.Repeat("\u0301", 99), composed("a"+strings.Repeat("\u0301", 100)))
	require.Equal(t, "á"+strings.Repeat("\u0316", 40), composed("á"+strings.Repeat("\u0316", 40)))
}

func TestAppendNormal(t *testing.T) {
	for text, want := range map[string]string{
		"ABC xyz 'S":   "abc xyz 's",
		"CAFE\u0301":   "café",
		"İI":           "i\u0307i",
		"ΟΔΥΣΣΕΥΣ":     "οδυσσευσ",
		"STRAẞE":       "straße",
		"\u212b\u212a": "åk",
		"a\u00a0\tB":   "a\u00a0\tb",
	} {
		require.Equal(t, want, string(appendNormal(nil, text)))
	}
}
