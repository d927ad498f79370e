package convert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

// goldenTemplates are those of the golden weights files.
var goldenTemplates = Templates{
	Category:    []string{"A photo of a {c}.", "This is a photo of a {c}"},
	Rationale:   []string{"This is a photo of an object because there is {r}"},
	Conditional: []string{"This is a photo of a {c} because there is {r}"},
}

func options(t *testing.T, in string) *Options {
	return &Options{
		In: in, Out: filepath.Join(t.TempDir(), "out"), Name: "tiny",
		Format: quant.Format{Scheme: quant.W8A7, Group: 32}, Alpha: 0.5, Templates: goldenTemplates, Calibrate: 64, Judge: 256,
	}
}

func convert(t *testing.T, o *Options) *Result {
	r, err := Run(t.Context(), o, report.NewProgress(io.Discard))
	require.NoError(t, err)
	return r
}

func read(t *testing.T, parts ...string) []byte {
	b, err := os.ReadFile(filepath.Join(parts...))
	require.NoError(t, err)
	return b
}

// With the float32 scheme the metadata and the bytes of every tensor are known.
func TestFloat32EqualsGolden(t *testing.T) {
	for _, name := range []string{"tiny", "tiny-gelu"} {
		in := checkpointtest.Copy(t, name)
		require.NoError(t, os.WriteFile(filepath.Join(in, "LICENSE"), []byte("Apache-2.0\n"), 0o644))
		o := options(t, in)
		o.Name, o.Scheme = name, quant.Float32
		r := convert(t, o)
		want := filepath.Join(checkpointtest.Golden(t, name), "weights.safetensors")
		got := filepath.Join(o.Out, name+".safetensors")
		assert.Equal(t, metadataOf(t, want), metadataOf(t, got))
		assert.Equal(t, checkpointtest.ReadTensors(t, want), checkpointtest.ReadTensors(t, got))
		assert.Equal(t, hash(read(t, got)), r.Files[0].SHA256)
		assert.Equal(t, int64(len(read(t, got))), r.Files[0].Bytes)
		assert.Contains(t, r.Smoothing, "not smoothed: the float32 scheme")
	}
}

func metadataOf(t *testing.T, path string) map[string]string {
	h, _, err := safetensors.Decode(read(t, path))
	require.NoError(t, err)
	return h.Metadata
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Configurations that were saved from float32 values as float64 ones have 16 or 17 digits: the engine refused what was
// made of them, after all the work.
func TestNumbersOfManyDigits(t *testing.T) {
	in := checkpointtest.Copy(t, "tiny")
	checkpointtest.EditJSON(t, in, "preprocessor_config.json", func(o map[string]any) {
		o["image_mean"] = []float64{0.48145467042922974, 0.45782750844955444, 0.40821072459220886}
		o["image_std"] = []float64{0.2686295509338379, 0.2613025903701782, 0.2757771015167236}
	})
	checkpointtest.EditJSON(t, in, "config.json", func(o map[string]any) {
		for _, tower := range []string{"vision_config", "text_config"} {
			o[tower].(map[string]any)["layer_norm_eps"] = 9.999999747378752e-06
		}
	})
	o := options(t, in)
	convert(t, o)
	got := metadataOf(t, filepath.Join(o.Out, "tiny.safetensors"))
	assert.Equal(t, "1e-05", got["text.layer_norm_eps"])
	assert.Equal(t, "1e-05", got["vision.layer_norm_eps"])
	assert.Equal(t, "0.48145467 0.4578275 0.40821072", got["image.mean"])
	assert.Equal(t, "0.26862955 0.2613026 0.2757771", got["image.std"])
}

func TestW8A7KeepsTheWeights(t *testing.T) {
	o := options(t, checkpointtest.Golden(t, "tiny"))
	r := convert(t, o)
	assert.Contains(t, r.Smoothing, "not smoothed: the checkpoint has no calibration.json")

	exact := map[string]safetensors.TensorData{}
	for _, x := range checkpointtest.ReadTensors(t, filepath.Join(checkpointtest.Golden(t, "tiny"), "weights.safetensors")) {
		exact[x.Name] = x
	}
	stored := map[string]safetensors.TensorData{}
	for _, x := range checkpointtest.ReadTensors(t, filepath.Join(o.Out, "tiny.safetensors")) {
		stored[x.Name] = x
	}
	int8s := 0
	for name, want := range exact {
		got, ok := stored[name]
		require.True(t, ok, name)
		assert.Equal(t, want.Shape, got.Shape, name)
		if got.DType != safetensors.I8 {
			assert.Equal(t, want.Data, got.Data, name)
			continue
		}
		int8s++
		scale, ok := stored[strings.TrimSuffix(name, "weight")+"scale"]
		require.True(t, ok, name)
		assert.Greater(t, sqnr(floats(t, want), dequantize(t, got, scale)), 35.0, name)
	}
	// token and patch embedding, two projections, six linear layers in each of four layers
	assert.Equal(t, 4+4*6, int8s)
	assert.Len(t, stored, len(exact)+int8s)
}

func floats(t *testing.T, x safetensors.TensorData) []float32 {
	v, err := safetensors.AppendFloat32(nil, x.DType, x.Data)
	require.NoError(t, err)
	return v
}

func dequantize(t *testing.T, q, scale safetensors.TensorData) []float32 {
	s := floats(t, scale)
	require.Len(t, s, q.Shape[0])
	out := make([]float32, len(q.Data))
	for i, b := range q.Data {
		out[i] = s[i/q.Shape[1]] * float32(int8(b))
	}
	return out
}

func sqnr(want, got []float32) float64 {
	var signal, noise float64
	for i, v := range want {
		d := float64(v - got[i])
		signal += float64(v) * float64(v)
		noise += d * d
	}
	return 10 * math.Log10(signal/noise)
}

const pack = `{
  "format": "ecor-labels-1", "name": "small", "language": "en", "author": "us", "license": "CC0-1.0",
  "categories": {
    "zebra": ["black and white stripes", "four legs"],
    "cat": ["soft fur", "four legs"]
  }
}`

// writePacks writes texts as small.json, small2.json and so on.
func writePacks(t *testing.T, texts ...string) []string {
	dir := t.TempDir()
	paths := make([]string, len(texts))
	for i, text := range texts {
		name := "small.json"
		if i > 0 {
			name = fmt.Sprintf("small%d.json", i+1)
		}
		paths[i] = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(paths[i], []byte(text), 0o644))
	}
	return paths
}

func TestSameInputSameBytes(t *testing.T) {
	in := checkpointtest.Golden(t, "tiny")
	a, b := options(t, in), options(t, in)
	a.Labels = writePacks(t, pack)
	b.Labels = a.Labels
	assert.Equal(t, convert(t, a), convert(t, b))
	for _, name := range []string{"tiny.safetensors", "small.json", "small.embeddings.safetensors"} {
		assert.Equal(t, read(t, a.Out, name), read(t, b.Out, name), name)
	}
}

// The precomputed embeddings are those that the engine computes itself, so an answer does not depend on them.
func TestLabelEmbeddingsAreTheEngines(t *testing.T) {
	for name, text := range map[string]string{
		"one template": pack,
		"ensembles": strings.Replace(pack, `"categories"`,
			`"templates": {"category": ["a {c}", "{c}!"], "rationale": ["{r}", "it has {r}", "see {r}"]}, "categories"`, 1),
	} {
		o := options(t, checkpointtest.Golden(t, "tiny"))
		o.Labels = writePacks(t, text)
		convert(t, o)
		assert.Equal(t, text, string(read(t, o.Out, "small.json")), name)

		path := filepath.Join(o.Out, "small.embeddings.safetensors")
		assert.Equal(t, map[string]string{
			"format":         "ecor-label-embeddings-1",
			"weights_sha256": hash(read(t, o.Out, "tiny.safetensors")),
			"labels_sha256":  hash([]byte(text)),
		}, metadataOf(t, path), name)
		x := checkpointtest.ReadTensors(t, path)
		require.Len(t, x, 2)
		assert.Equal(t, []any{"category", []int{2, 24}}, []any{x[0].Name, x[0].Shape}, name)
		assert.Equal(t, []any{"rationale", []int{3, 24}}, []any{x[1].Name, x[1].Shape}, name)

		labels, err := readLabels(o.Labels)
		require.NoError(t, err)
		plain, seeded := classifier(t, o, labels[0]), classifier(t, o, labels[0])
		require.NoError(t, seeded.SeedCategories(0, floats(t, x[0])))
		require.NoError(t, seeded.SeedRationales(0, floats(t, x[1])))
		assert.Equal(t, classify(t, plain), classify(t, seeded), name)

		// The answers do depend on what is seeded.
		require.NoError(t, seeded.SeedRationales(0, floats(t, x[1])[24:]))
		assert.NotEqual(t, classify(t, plain), classify(t, seeded), name)
	}
}

// Each pack has embeddings of its own, whatever other packs there are.
func TestSeveralPacks(t *testing.T) {
	second := strings.NewReplacer("zebra", "dog", "black and white stripes", "a wagging tail").Replace(pack)
	in := checkpointtest.Golden(t, "tiny")
	both := options(t, in)
	both.Labels = writePacks(t, pack, second)
	convert(t, both)
	for i, text := range []string{pack, second} {
		alone := options(t, in)
		alone.Labels = both.Labels[i : i+1]
		convert(t, alone)
		name := strings.TrimSuffix(filepath.Base(both.Labels[i]), ".json")
		assert.Equal(t, text, string(read(t, both.Out, name+".json")))
		assert.Equal(t, read(t, alone.Out, name+".embeddings.safetensors"), read(t, both.Out, name+".embeddings.safetensors"))
	}
}

func classifier(t *testing.T, o *Options, l *labels) *core.Classifier {
	c := core.New()
	b := read(t, o.Out, "tiny.safetensors")
	require.NoError(t, c.WeightsBegin(uint64(len(b))))
	require.NoError(t, c.WeightsChunk(b))
	require.NoError(t, c.WeightsEnd())
	var categories []explain.Category
	for _, x := range l.Categories {
		categories = append(categories, explain.Category(x))
	}
	_, err := c.SetLabels(explain.Templates(l.Templates), categories, 0)
	require.NoError(t, err)
	return c
}

func classify(t *testing.T, c *core.Classifier) *core.Answer {
	embedding := make([]float32, 24)
	embedding[3], embedding[7] = 0.6, 0.8
	require.NoError(t, c.ClassifyBegin(core.Options{Method: explain.Independent, Embedding: embedding}))
	for {
		p, err := c.Step()
		require.NoError(t, err)
		if p.Phase == core.PhaseDone {
			break
		}
	}
	a, err := c.Answer()
	require.NoError(t, err)
	return a
}

func TestCutLabelsAreNamed(t *testing.T) {
	o := options(t, checkpointtest.Golden(t, "tiny"))
	o.Labels = writePacks(t, strings.Replace(pack, "soft fur", strings.Repeat("soft ", 30), 1))
	r := convert(t, o)
	assert.Contains(t, r.Warnings, fmt.Sprintf("rationale %q is cut at 20 tokens", strings.TrimSpace(strings.Repeat("soft ", 30))))
}

func TestFailuresLeaveNothing(t *testing.T) {
	tensorOf := func(dir string, value float32) {
		checkpointtest.EditTensors(t, dir, func(x []safetensors.TensorData) []safetensors.TensorData {
			checkpointtest.EditFloats(t, x, "visual_projection.weight", func(int, float32) float32 { return value })
			return x
		})
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, o *Options)
		want   string
	}{
		{"NaN", func(t *testing.T, o *Options) { tensorOf(o.In, float32(math.NaN())) }, `"visual_projection.weight" holds NaN at element 0`},
		{"no checkpoint", func(t *testing.T, o *Options) { o.In = filepath.Join(o.In, "absent") }, "absent"},
		{"labels", func(t *testing.T, o *Options) { o.Labels = writePacks(t, "{}") }, "small.json: label pack: format is"},
		{"no labels", func(t *testing.T, o *Options) { o.Labels = append(o.Labels, filepath.Join(o.In, "absent.json")) }, "absent.json"},
		{"same name", func(t *testing.T, o *Options) { o.Labels = append(o.Labels, writePacks(t, pack)...) }, "small.json have the same file name"},
		{"limit of the engine", func(t *testing.T, o *Options) {
			checkpointtest.EditJSON(t, o.In, "preprocessor_config.json", func(v map[string]any) { v["size"] = 5000 })
		}, "the engine does not accept the weights: weights: metadata image.resize = 5000 is outside 1..1024"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t, checkpointtest.Copy(t, "tiny"))
			o.Labels = writePacks(t, pack)
			c.damage(t, o)
			_, err := Run(t.Context(), o, report.NewProgress(io.Discard))
			require.ErrorContains(t, err, c.want)
			assert.NoDirExists(t, o.Out)
		})
	}
}

func TestFailureKeepsEarlierOutput(t *testing.T) {
	o := options(t, checkpointtest.Golden(t, "tiny"))
	convert(t, o)
	before := read(t, o.Out, "tiny.safetensors")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.Scheme = quant.Float32
	_, err := Run(ctx, o, report.NewProgress(io.Discard))
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []string{"tiny.safetensors"}, entries(t, o.Out))
	assert.Equal(t, before, read(t, o.Out, "tiny.safetensors"))
}

func TestUnwritableOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	o := options(t, checkpointtest.Golden(t, "tiny"))
	o.Out = filepath.Join(file, "out")
	_, err := Run(t.Context(), o, report.NewProgress(io.Discard))
	require.ErrorContains(t, err, "output directory: mkdir")

	// A directory where a file should go: the others must not be left either.
	o.Out = t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(o.Out, "tiny.safetensors", "full"), 0o755))
	_, err = Run(t.Context(), o, report.NewProgress(io.Discard))
	require.ErrorContains(t, err, "tiny.safetensors is a directory, where a file is to be written")
	assert.Equal(t, []string{"tiny.safetensors"}, entries(t, o.Out))
}

func entries(t *testing.T, dir string) (names []string) {
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// Written into the checkpoint's own directory, under the name of its weights, the result replaced them.
func TestCheckpointIsNotOverwritten(t *testing.T) {
	model := func(t *testing.T, o *Options) { o.Out, o.Name = o.In, "model" }
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, o *Options)
	}{
		{"-out and -name", model},
		{"shard", func(t *testing.T, o *Options) {
			shards := checkpointtest.Shard(t, o.In, "model.safetensors", 2)
			o.Out, o.Name = o.In, strings.TrimSuffix(shards[1], ".safetensors")
		}},
		{"through a link", func(t *testing.T, o *Options) {
			require.NoError(t, os.MkdirAll(o.Out, 0o755))
			require.NoError(t, os.Symlink(filepath.Join(o.In, "model.safetensors"), filepath.Join(o.Out, "tiny.safetensors")))
		}},
		{"weights of the other layout", func(t *testing.T, o *Options) {
			other := read(t, o.In, "model.safetensors")
			checkpointtest.ToOpenCLIP(t, o.In, "")
			require.NoError(t, os.WriteFile(filepath.Join(o.In, "model.safetensors"), other, 0o644))
			model(t, o)
		}},
		{"label pack", func(t *testing.T, o *Options) {
			o.Labels = []string{filepath.Join(t.TempDir(), "config.json")}
			require.NoError(t, os.WriteFile(o.Labels[0], []byte(pack), 0o644))
			o.Out = o.In
		}},
		{"report", func(t *testing.T, o *Options) { o.Report = filepath.Join(o.In, "config.json") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t, checkpointtest.Copy(t, "tiny"))
			c.damage(t, o)
			before := map[string][]byte{}
			for _, name := range entries(t, o.In) {
				before[name] = read(t, o.In, name)
			}
			_, err := Run(t.Context(), o, report.NewProgress(io.Discard))
			require.ErrorContains(t, err, " is a file of the checkpoint and is not overwritten")
			assert.Len(t, entries(t, o.In), len(before))
			for name, b := range before {
				assert.True(t, bytes.Equal(b, read(t, o.In, name)), name)
			}
		})
	}

	// Other names in the same directory are free, also a second time.
	o := options(t, checkpointtest.Copy(t, "tiny"))
	o.Out = o.In
	convert(t, o)
	convert(t, o)
}

// The weights were renamed before the label pack's place turned out to be taken.
func TestCommitIsAllOrNothing(t *testing.T) {
	for _, taken := range []string{"small.json", "small.embeddings.safetensors"} {
		o := options(t, checkpointtest.Golden(t, "tiny"))
		o.Labels = writePacks(t, pack)
		require.NoError(t, os.MkdirAll(filepath.Join(o.Out, taken, "full"), 0o755))
		_, err := Run(t.Context(), o, report.NewProgress(io.Discard))
		require.ErrorContains(t, err, taken+" is a directory, where a file is to be written")
		assert.Equal(t, []string{taken}, entries(t, o.Out))
	}

	// The place is taken while the files are written.
	dir := t.TempDir()
	out, err := newOutput(dir, func(string) bool { return false })
	require.NoError(t, err)
	for _, name := range []string{"a", "b"} {
		_, err := out.create(name)
		require.NoError(t, err)
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "b"), 0o755))
	require.ErrorContains(t, out.commit(), "b is a directory")
	out.discard()
	assert.Equal(t, []string{"b"}, entries(t, dir))
}

func TestTwoFilesOfOneName(t *testing.T) {
	o := options(t, checkpointtest.Golden(t, "tiny"))
	o.Labels = writePacks(t, pack)
	o.Report = filepath.Join(o.Out, "small.json")
	_, err := Run(t.Context(), o, report.NewProgress(io.Discard))
	require.ErrorContains(t, err, "two files would be written to "+o.Report)
	assert.NoDirExists(t, o.Out)
}

// Of an output directory and its parents, those that a failed run had made stayed.
func TestFailureLeavesNoParents(t *testing.T) {
	o := options(t, checkpointtest.Golden(t, "tiny"))
	top := filepath.Dir(o.Out)
	o.Out = filepath.Join(o.Out, "new1", "new2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, o, report.NewProgress(io.Discard))
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, entries(t, top))
}

// That a report cannot be written is known before the work.
func TestReportIsCreatedFirst(t *testing.T) {
	o := options(t, checkpointtest.Golden(t, "tiny"))
	o.Report = filepath.Join(t.TempDir(), "missing", "r.json")
	var said bytes.Buffer
	_, err := Run(t.Context(), o, report.NewProgress(&said))
	require.ErrorContains(t, err, o.Report+" cannot be written: no such file or directory")
	assert.Empty(t, said.String(), "nothing was converted")
	assert.NoDirExists(t, o.Out)
}
