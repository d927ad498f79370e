package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// fuzzMessage decodes anything into one kind of message. What decodes must
// encode to the same bytes: the format has one encoding per message.
func fuzzMessage(f *testing.F, kind string) {
	for _, m := range examples() {
		if name(m) == kind {
			f.Add(m.Append(nil))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := messages[kind]()
		if m.Decode(b) == nil {
			require.Equal(t, b, m.Append([]byte{}))
		}
	})
}

func FuzzWeightsBegin(f *testing.F)    { fuzzMessage(f, "WeightsBegin") }
func FuzzModelInfo(f *testing.F)       { fuzzMessage(f, "ModelInfo") }
func FuzzLabelSet(f *testing.F)        { fuzzMessage(f, "LabelSet") }
func FuzzLabelsInfo(f *testing.F)      { fuzzMessage(f, "LabelsInfo") }
func FuzzSeed(f *testing.F)            { fuzzMessage(f, "Seed") }
func FuzzImageBegin(f *testing.F)      { fuzzMessage(f, "ImageBegin") }
func FuzzClassifyOptions(f *testing.F) { fuzzMessage(f, "ClassifyOptions") }
func FuzzEmbedBegin(f *testing.F)      { fuzzMessage(f, "EmbedBegin") }
func FuzzProgress(f *testing.F)        { fuzzMessage(f, "Progress") }
func FuzzAnswer(f *testing.F)          { fuzzMessage(f, "Answer") }
func FuzzEmbedding(f *testing.F)       { fuzzMessage(f, "Embedding") }
