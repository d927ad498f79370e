package errs

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	require.Equal(t, "a1-2345.250.5truecause?", Text("a", 1, int32(-2), uint32(3), uint64(4), 5.25, float32(0.5), true, errors.New("cause"), struct{}{}))
}

func TestFloats(t *testing.T) {
	for want, v := range map[string]float64{
		"0": 0, "1": 1, "-0.5": -0.5, "0.481455": 0.48145466, "123456.75": 123456.75, "NaN": math.NaN(),
		"-Inf": math.Inf(-1), "1e6": 1e12, "0.001": 1e-3, "1e-5": 1e-8, "999999.999": 999999.999, "1000000": 999999.9999999,
	} {
		switch want {
		case "1e6":
			want = "100000e7"
		case "1e-5":
			want = "0.001e-5"
		}
		require.Equal(t, want, Text(v))
	}
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
