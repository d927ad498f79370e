package errs

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	require.Equal(t, "a1-2345.250.5truecause?", Text("a", 1, int32(-2), uint32(3), uint64(4), 5.25, float32(0.5), true, errors.New("cause"), struct{}{}))
}

func TestKinds(t *testing.T) {
	require.Equal(t, BadInput, KindOf(New("x")))
	require.Equal(t, Limit, KindOf(OverLimit("x")))
	require.Equal(t, State, KindOf(WrongState("x")))
	require.Equal(t, BadInput, KindOf(errors.New("from elsewhere")))
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		`a "b" \`:       `"a \"b\" \\"`,
		"line\nend\xff": `"line\x0aend\xff"`,
		"é猫":            `"é猫"`,
		"0123456789012345678901234567890123456789+": `"0123456789012345678901234567890123456789"…`,
		// a character that the cut would split
		"012345678901234567890123456789012345678é": `"012345678901234567890123456789012345678\xc3"…`,
	} {
		require.Equal(t, want, Quote(in))
	}
}
