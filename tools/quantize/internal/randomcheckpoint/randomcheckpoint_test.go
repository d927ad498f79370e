package randomcheckpoint

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/bpe"
	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
)

// small has every part of a model and few values.
var small = Shape{Image: 32, Patch: 16, VisionWidth: 64, VisionLayers: 1, TextWidth: 64, TextLayers: 1, Projection: 16}

func TestWrite(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	require.NoError(t, Write(a, small, 7))
	require.NoError(t, Write(b, small, 7))
	for _, name := range []string{"model.safetensors", "config.json", "vocab.json"} {
		x, err := os.ReadFile(filepath.Join(a, name))
		require.NoError(t, err)
		y, err := os.ReadFile(filepath.Join(b, name))
		require.NoError(t, err)
		assert.Equal(t, x, y, name)
	}
	c, err := checkpoint.Open(a)
	require.NoError(t, err)
	defer c.Close()
	assert.Len(t, c.Tokenizer.Vocab, vocabulary)
	var vocab, merges []byte
	for _, token := range c.Tokenizer.Vocab {
		vocab = append(append(vocab, token...), '\n')
	}
	for _, m := range c.Tokenizer.Merges {
		merges = append(merges, m[0]+" "+m[1]+"\n"...)
	}
	tokenizer, err := bpe.New(vocab, merges)
	require.NoError(t, err)
	ids, _, err := tokenizer.Encode(nil, "a zebra", context)
	require.NoError(t, err)
	var words []string
	for _, id := range ids {
		words = append(words, c.Tokenizer.Vocab[id])
	}
	assert.Equal(t, []string{"<|startoftext|>", "a</w>"}, words[:2])
	assert.Equal(t, "<|endoftext|>", words[len(words)-1])
	for _, x := range c.Tensors() {
		_, err := c.Load(x.Name)
		require.NoError(t, err, x.Name)
	}
}

func TestHalf(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		v := float32(rng.NormFloat64())
		var b [2]byte
		binary.LittleEndian.PutUint16(b[:], half(v))
		got, err := safetensors.AppendFloat32(nil, safetensors.F16, b[:])
		require.NoError(t, err)
		require.InDelta(t, v, got[0], 1e-3*float64(max(v, -v))+1e-4)
	}
	assert.Equal(t, []uint16{0x3c00, 0xc000, 0x3555, 0}, []uint16{half(1), half(-2), half(1.0 / 3), half(1e-9)})
}
