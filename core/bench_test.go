package core

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/kernel"
)

// benchmarkWeights is made by ./build.sh build.
const benchmarkWeights = "../dist/weights/ecor-mini.safetensors"

func benchmarkClassifier(b *testing.B) *Classifier {
	data, err := os.ReadFile(benchmarkWeights)
	if os.IsNotExist(err) {
		b.Skipf("%s does not exist: run ./build.sh build", benchmarkWeights)
	}
	require.NoError(b, err)
	c := New()
	require.NoError(b, loadWeights(c, data))
	b.Logf("%s kernels", kernel.Name())
	return c
}

func finish(b *testing.B, c *Classifier) {
	for {
		p, err := c.Step()
		require.NoError(b, err)
		if p.Phase == PhaseDone {
			return
		}
	}
}

func BenchmarkResize(b *testing.B) {
	c := benchmarkClassifier(b)
	const width, height = 500, 375
	rgba := make([]byte, 4*width*height)
	for i := range rgba {
		rgba[i] = byte(rand.Uint32())
	}
	for b.Loop() {
		require.NoError(b, c.ImageBegin(width, height))
		require.NoError(b, c.ImageRows(rgba))
	}
}

func BenchmarkImageTower(b *testing.B) {
	c := benchmarkClassifier(b)
	rgba := make([]byte, 4*96*96)
	for i := range rgba {
		rgba[i] = byte(rand.Uint32())
	}
	for b.Loop() {
		require.NoError(b, c.ImageBegin(96, 96))
		require.NoError(b, c.ImageRows(rgba))
		require.NoError(b, c.EmbedImageBegin())
		finish(b, c)
	}
}

// BenchmarkStage2 encodes the conditional prompts of a rationale with 300
// categories of one or two tokens.
func BenchmarkStage2(b *testing.B) {
	c := benchmarkClassifier(b)
	texts := make([]string, 300)
	for i := range texts {
		texts[i] = fmt.Sprintf("because there is a long tail with black and white stripes, this is a photo of a %c%c", 'a'+i%26, 'a'+i/26)
	}
	for b.Loop() {
		require.NoError(b, c.EmbedTextsBegin(texts))
		finish(b, c)
	}
}
