package convert

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/clip"
	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
	"github.com/ecor-clip/ecor/tools/quantize/internal/tower"
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
		for _, f := range folds(c) {
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

// folds lists the steps that read a LayerNorm.
func folds(c *checkpoint.Checkpoint) []tower.Step {
	steps := append(tower.Steps(&c.Config, tower.Vision), tower.Steps(&c.Config, tower.Text)...)
	return slices.DeleteFunc(steps, func(s tower.Step) bool { return s.Norm == "" })
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

// Folding moves factors between LayerNorms and weights: the products that reach an output stay what they were, to half
// a step of the weights.
func TestFoldingKeepsProducts(t *testing.T) {
	o := options(t, outliers(t))
	convert(t, o)
	stored := map[string]safetensors.TensorData{}
	for _, x := range checkpointtest.ReadTensors(t, filepath.Join(o.Out, "tiny.safetensors")) {
		stored[x.Name] = x
	}
	c, err := checkpoint.Open(o.In)
	require.NoError(t, err)
	defer c.Close()
	load := loader(c)
	moved := 0
	for _, f := range folds(c) {
		before, err := load(f.Norm + ".weight")
		require.NoError(t, err)
		after := floats(t, stored[f.Norm+".weight"])
		for _, l := range f.Linears {
			w, err := load(l + ".weight")
			require.NoError(t, err)
			scale := floats(t, stored[l+".scale"])
			got := dequantize(t, stored[l+".weight"], stored[l+".scale"])
			for i, v := range w {
				row, col := i/len(before), i%len(before)
				require.InDelta(t, float64(before[col])*float64(v), float64(after[col])*float64(got[i]),
					math.Abs(float64(after[col]*scale[row]))*0.501, "%s %d %d", l, row, col)
			}
		}
		if before[3] != after[3] {
			moved++
		}
	}
	assert.Equal(t, 10, moved)
}

func TestSmoothingHelpsAgainstOutliers(t *testing.T) {
	in := outliers(t)
	exact := options(t, in)
	exact.Scheme = quant.Float32
	convert(t, exact)
	want := embeddings(t, filepath.Join(exact.Out, "tiny.safetensors"))

	smoothed := options(t, in)
	r := convert(t, smoothed)
	assert.Equal(t, "smoothed with alpha 0.5: 10 of 10 LayerNorms have calibrated ranges", r.Smoothing)
	with := loss(want, embeddings(t, filepath.Join(smoothed.Out, "tiny.safetensors")))

	require.NoError(t, os.Remove(filepath.Join(in, "calibration.json")))
	rough := options(t, in)
	r = convert(t, rough)
	assert.True(t, strings.HasPrefix(r.Smoothing, "not smoothed"))
	without := loss(want, embeddings(t, filepath.Join(rough.Out, "tiny.safetensors")))

	t.Logf("1 - cosine to float32: %.5f smoothed, %.5f not", with, without)
	assert.Less(t, with, 0.003)
	assert.Greater(t, without, 0.01, "without smoothing the cosine falls below 0.99")
}
