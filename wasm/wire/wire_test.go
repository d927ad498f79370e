package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// messages holds one constructor per message; a message that is added to the
// package and not here fails TestEveryMessageIsListed.
var messages = map[string]func() Message{
	"WeightsBegin":    func() Message { return new(WeightsBegin) },
	"ModelInfo":       func() Message { return new(ModelInfo) },
	"LabelSet":        func() Message { return new(LabelSet) },
	"LabelsInfo":      func() Message { return new(LabelsInfo) },
	"Seed":            func() Message { return new(Seed) },
	"ImageBegin":      func() Message { return new(ImageBegin) },
	"ClassifyOptions": func() Message { return new(ClassifyOptions) },
	"EmbedBegin":      func() Message { return new(EmbedBegin) },
	"EmbedTexts":      func() Message { return new(EmbedTexts) },
	"Progress":        func() Message { return new(Progress) },
	"Answer":          func() Message { return new(Answer) },
	"Embedding":       func() Message { return new(Embedding) },
}

func name(m Message) string { return reflect.TypeOf(m).Elem().Name() }

func TestRoundTrip(t *testing.T) {
	for _, m := range examples() {
		t.Run(name(m), func(t *testing.T) {
			b := m.Append(nil)
			got := messages[name(m)]()
			require.NoError(t, got.Decode(b))
			assert.Equal(t, b, got.Append(nil), "bits survive, also where values do not compare equal (NaN)")
			assert.Equal(t, append([]byte("before"), b...), m.Append([]byte("before")), "Append appends")
		})
	}
}

// TestNaNBits keeps a NaN's payload, which JavaScript need not keep.
func TestNaNBits(t *testing.T) {
	b := appendU32(appendU32(nil, 1), 0x7fa00001)
	m := new(Embedding)
	require.NoError(t, m.Decode(b))
	assert.Equal(t, b, m.Append(nil))
}

// TestDecodeReplaces decodes into a used message: nothing of it may remain.
func TestDecodeReplaces(t *testing.T) {
	used := map[string]Message{}
	for _, m := range examples() {
		if used[name(m)] == nil || len(m.Append(nil)) > len(used[name(m)].Append(nil)) {
			used[name(m)] = m
		}
	}
	for kind, m := range used {
		empty := messages[kind]().Append(nil)
		require.NoError(t, m.Decode(empty), kind)
		assert.Equal(t, empty, m.Append(nil), kind)
	}
}

func TestDecodeDoesNotAlias(t *testing.T) {
	for _, m := range examples() {
		b := m.Append(nil)
		got := messages[name(m)]()
		require.NoError(t, got.Decode(b))
		want := got.Append(nil)
		for i := range b {
			b[i] ^= 0xff
		}
		assert.Equal(t, want, got.Append(nil), name(m))
	}
}

// TestTruncated cuts every example at every length, and adds a byte to it.
func TestTruncated(t *testing.T) {
	for _, m := range examples() {
		b := m.Append(nil)
		for n := range b {
			require.ErrorIs(t, messages[name(m)]().Decode(b[:n:n]), ErrShort, "%s cut to %d of %d bytes", name(m), n, len(b))
		}
		require.EqualError(t, messages[name(m)]().Decode(append(b, 0)), "wire: 1 bytes after the end of the message", name(m))
	}
}

// TestHugeCounts overwrites every four bytes of every example with lengths that
// the message cannot hold. Decoding must not allocate by what they say.
func TestHugeCounts(t *testing.T) {
	var before, after runtime.MemStats
	for _, m := range examples() {
		b := m.Append(nil)
		for at := 0; at+4 <= len(b); at++ {
			for _, n := range []uint32{math.MaxUint32, 1 << 31, 1 << 30, 1 << 24} {
				bad := bytes.Clone(b)
				binary.LittleEndian.PutUint32(bad[at:], n)
				got := messages[name(m)]()
				runtime.ReadMemStats(&before)
				err := got.Decode(bad)
				runtime.ReadMemStats(&after)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10),
					"%s with %d at byte %d allocates (error: %v)", name(m), n, at, err)
			}
		}
	}
}

// TestCountsOfSmallItems holds the counts that promise more than the rest of
// the message can carry, just beyond the edge.
func TestCountsOfSmallItems(t *testing.T) {
	list := func(n uint32, rest int) []byte { return append(appendU32(nil, n), make([]byte, rest)...) }
	require.NoError(t, new(Embedding).Decode(list(3, 12)))
	require.ErrorIs(t, new(Embedding).Decode(list(3, 11)), ErrShort)
	require.ErrorIs(t, new(Embedding).Decode(list(1<<30, 0)), ErrShort)
	require.ErrorIs(t, new(EmbedBegin).Decode(list(math.MaxUint32, 8)), ErrShort)
}

func TestInvalidUTF8(t *testing.T) {
	bad := appendStr(nil, "caf\xe9")
	require.EqualError(t, new(EmbedBegin).Decode(bad), "wire: text of 4 bytes is not valid UTF-8")

	var warnings []byte
	warnings = appendU32(appendU32(warnings, 1), 1)
	warnings = append(appendU32(warnings, 1), bad...)
	require.ErrorContains(t, new(LabelsInfo).Decode(warnings), "UTF-8")
}

func TestDistinctRationales(t *testing.T) {
	s := LabelSet{Categories: []Category{
		{Name: "zebra", Rationales: []string{"stripes", "hooves"}},
		{Name: "horse", Rationales: []string{"hooves", "mane", "stripes"}},
		{Name: "rock"},
	}}
	assert.Equal(t, []string{"stripes", "hooves", "mane"}, s.DistinctRationales())
	assert.Empty(t, new(LabelSet).DistinctRationales())
}

func TestMethodNames(t *testing.T) {
	for i, m := range Methods() {
		assert.Equal(t, Method(i), m)
		got, err := ParseMethod(m.String())
		require.NoError(t, err)
		assert.Equal(t, m, got)
	}
	assert.Equal(t, "method 9", Method(9).String())
	_, err := ParseMethod("ECOR")
	assert.EqualError(t, err, `unknown method "ECOR": want ecor, clip, independent, inverted or joint`)
}
