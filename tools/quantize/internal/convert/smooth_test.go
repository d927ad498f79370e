package convert

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/clip"
	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
)

// outliers returns a checkpoint in which a few channels of every layer's LayerNorms are 50 times as large as in "tiny",
// and the weights that read them as much smaller: the same model, with outliers in its activations. Its calibration
// has the ranges that the LayerNorms reach at three standard deviations.
func outliers(t *testing.T) string {
	const factor = 50
	channels := map[int]bool{3: true, 17: true, 30: true}
	dir := checkpointtest.Copy(t, "tiny")
	c, err := checkpoint.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	ranges := map[string][]float32{}
	checkpointtest.EditTensors(t, dir, func(x []safetensors.TensorData) []safetensors.TensorData {
		for _, f := range quant.Folds(&c.Config) {
			r := make([]float32, 32)
			for _, part := range []struct {
				name       string
				deviations float32
			}{{".weight", 3}, {".bias", 1}} {
				checkpointtest.EditFloats(t, x, f.Norm+part.name, func(i int, v float32) float32 {
					if channels[i] {
						v *= factor
					}
					r[i] += part.deviations * float32(math.Abs(float64(v)))
					return v
				})
			}
			for _, l := range f.Linears {
				ranges[l] = r
				checkpointtest.EditFloats(t, x, l+".weight", func(i int, v float32) float32 {
					if channels[i%32] {
						v /= factor
					}
					return v
				})
			}
		}
		return x
	})
	checkpointtest.WriteJSON(t, dir, "calibration.json", map[string]any{"format": "ecor-calibration-1", "ranges": ranges})
	return dir
}

// embeddings returns what a weights file makes of a few texts and of a picture.
func embeddings(t *testing.T, path string) [][]float32 {
	b := read(t, path)
	l, err := clip.NewLoader(uint64(len(b)))
	require.NoError(t, err)
	require.NoError(t, l.Write(b))
	m, err := l.Close()
	require.NoError(t, err)

	var texts [][]int32
	for _, s := range []string{"a photo of a zebra", "whiskers and soft fur", "", "a red apple on the table"} {
		ids, _, err := m.Tokenizer.Encode(nil, s, m.ContextLength)
		require.NoError(t, err)
		texts = append(texts, ids)
	}
	var out [][]float32
	require.NoError(t, encodeTexts(t.Context(), m.NewTextEncoder(), texts, func(_ int, e []float32) {
		out = append(out, append([]float32(nil), e...))
	}))
	planes := make([]float32, 3*m.ImageSize*m.ImageSize)
	for i := range planes {
		planes[i] = float32(math.Sin(float64(i) * 0.37))
	}
	images := m.NewImageEncoder()
	require.NoError(t, images.Begin(planes))
	for done := false; !done; done = images.Step() {
	}
	return append(out, images.Embedding())
}

// loss returns one minus the mean cosine of unit vectors.
func loss(a, b [][]float32) float64 {
	var sum float64
	for i := range a {
		for j := range a[i] {
			sum += float64(a[i][j]) * float64(b[i][j])
		}
	}
	return 1 - sum/float64(len(a))
}

// Folding moves factors between LayerNorms and weights and changes no result.
func TestFoldingIsExact(t *testing.T) {
	o := options(t, outliers(t))
	o.Scheme = quant.Float32
	convert(t, o)
	plain := embeddings(t, filepath.Join(o.Out, "tiny.safetensors"))

	c, err := checkpoint.Open(o.In)
	require.NoError(t, err)
	defer c.Close()
	factors, n, err := quant.Smooth(quant.Folds(&c.Config), c.Calibration.Ranges, 0.5, c.Load)
	require.NoError(t, err)
	assert.Equal(t, 2*4, n)
	e := quant.Encoder{Scheme: quant.Float32, Factors: factors, Load: c.Load}
	data, _, err := e.Encode(t.Context(), c.Tensors(), func() {})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "folded.safetensors")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(f, metadata(c, o, ""), append(data, tokenizerTensors(c.Tokenizer)...)))
	require.NoError(t, f.Close())

	folded := embeddings(t, path)
	for i := range plain {
		assert.InDeltaSlice(t, plain[i], folded[i], 1e-5)
	}
	assert.NotEqual(t, plain, folded, "something was folded")
}

func TestSmoothingHelpsAgainstOutliers(t *testing.T) {
	in := outliers(t)
	exact := options(t, in)
	exact.Scheme = quant.Float32
	convert(t, exact)
	want := embeddings(t, filepath.Join(exact.Out, "tiny.safetensors"))

	smoothed := options(t, in)
	r := convert(t, smoothed)
	assert.Equal(t, "smoothed with alpha 0.5: 8 of 8 LayerNorms have calibrated ranges", r.Smoothing)
	with := loss(want, embeddings(t, filepath.Join(smoothed.Out, "tiny.safetensors")))

	require.NoError(t, os.Remove(filepath.Join(in, "calibration.json")))
	rough := options(t, in)
	r = convert(t, rough)
	assert.True(t, strings.HasPrefix(r.Smoothing, "not smoothed"))
	without := loss(want, embeddings(t, filepath.Join(rough.Out, "tiny.safetensors")))

	t.Logf("1 - cosine to float32: %.5f smoothed, %.5f not", with, without)
	assert.Less(t, with, 0.003)
	assert.Greater(t, without, 10*with)
}
