package host

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/wasm/host/labelpack"
	"github.com/ecor-clip/ecor/wasm/wire"
)

const packText = `{"format": "ecor-labels-1",
  "templates": {"category": "a photo of a {c}", "rationale": "there is {r}"},
  "categories": {"zebra": ["black and white stripes", "four legs"], "cat": ["whiskers", "four legs"]}}`

func writePack(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "pack.json")
	require.NoError(t, os.WriteFile(path, []byte(packText), 0o600))
	return path
}

type embeddingsFile struct {
	metadata             map[string]string
	category, rationale  [][]float32
	path                 string
	omitRationaleTensors bool
}

func (e *embeddingsFile) write(t *testing.T) {
	t.Helper()
	tensor := func(name string, rows [][]float32) safetensors.TensorData {
		d := safetensors.TensorData{Name: name, DType: safetensors.F32, Shape: []int{len(rows), len(rows[0])}}
		for _, row := range rows {
			for _, v := range row {
				d.Data = binary.LittleEndian.AppendUint32(d.Data, math.Float32bits(v))
			}
		}
		return d
	}
	tensors := []safetensors.TensorData{tensor("category", e.category)}
	if !e.omitRationaleTensors {
		tensors = append(tensors, tensor("rationale", e.rationale))
	}
	f, err := os.Create(e.path)
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(f, e.metadata, tensors))
	require.NoError(t, f.Close())
}

// embeddings has the host embed the pack's prompts.
func embeddings(t *testing.T, h *Host, path string) *embeddingsFile {
	t.Helper()
	pack, err := labelpack.Read(path)
	require.NoError(t, err)
	e := &embeddingsFile{
		path: path[:len(path)-len(".json")] + ".embeddings.safetensors",
		metadata: map[string]string{
			"format": "ecor-label-embeddings-1", "weights_sha256": h.WeightsSHA256(), "labels_sha256": pack.SHA256,
		},
	}
	embed := func(text string) []float32 {
		v, err := h.EmbedText(t.Context(), text)
		require.NoError(t, err)
		return v
	}
	set := pack.LabelSet()
	for _, c := range set.Categories {
		e.category = append(e.category, embed("a photo of a "+c.Name))
	}
	for _, r := range set.DistinctRationales() {
		e.rationale = append(e.rationale, embed("there is "+r))
	}
	return e
}

func TestSeededLabels(t *testing.T) {
	h := open(t, tinyConfig(t))
	path, img := writePack(t), pattern(80, 60, 1)
	plain, err := h.ReadLabels(path)
	require.NoError(t, err)
	assert.False(t, plain.Seeded())
	assert.Empty(t, plain.Note())
	want, err := h.Classify(t.Context(), img, plain, wire.ClassifyOptions{})
	require.NoError(t, err)

	e := embeddings(t, h, path)
	e.write(t)
	seeded, err := h.ReadLabels(path)
	require.NoError(t, err)
	assert.True(t, seeded.Seeded())
	assert.Empty(t, seeded.Note())

	stage1 := 0
	ctx := WithProgress(t.Context(), func(p wire.Progress) {
		if p.Phase == wire.PhaseStage1 {
			stage1 = max(stage1, int(p.Total))
		}
	})
	fresh := open(t, tinyConfig(t))
	got, err := fresh.Classify(ctx, img, seeded, wire.ClassifyOptions{})
	require.NoError(t, err)
	assert.Equal(t, bits(want), bits(got), "the module's own embeddings, given back to it")

	// Seeds that say the opposite show that the module uses them.
	e.category[0], e.category[1] = e.category[1], e.category[0]
	e.write(t)
	swapped, err := h.ReadLabels(path)
	require.NoError(t, err)
	clip := wire.ClassifyOptions{Method: wire.MethodCLIP}
	a, err := fresh.Classify(t.Context(), img, seeded, clip)
	require.NoError(t, err)
	b, err := fresh.Classify(t.Context(), img, swapped, clip)
	require.NoError(t, err)
	assert.NotEqual(t, a.Categories[0].Category, b.Categories[0].Category)
	assert.Equal(t, a.Categories[0].Probability, b.Categories[0].Probability)
}

func TestSeedsThatDoNotFit(t *testing.T) {
	h := open(t, tinyConfig(t))
	path := writePack(t)
	good := embeddings(t, h, path)
	for _, c := range []struct {
		name   string
		change func(e *embeddingsFile)
		want   string
	}{
		{"other weights", func(e *embeddingsFile) { e.metadata["weights_sha256"] = "abc" }, `weights_sha256 is "abc", want "` + h.WeightsSHA256()},
		{"other labels", func(e *embeddingsFile) { e.metadata["labels_sha256"] = "abc" }, `labels_sha256 is "abc"`},
		{"other format", func(e *embeddingsFile) { e.metadata["format"] = "x" }, `format is "x", want "ecor-label-embeddings-1"`},
		{"a row too few", func(e *embeddingsFile) { e.category = e.category[1:] }, `no tensor "category" of type F32 and shape [2, `},
		{"no rationales", func(e *embeddingsFile) { e.omitRationaleTensors = true }, `no tensor "rationale" of type F32 and shape [3, `},
		{"too large", func(e *embeddingsFile) {
			for range 10_000 {
				e.rationale = append(e.rationale, e.rationale[0])
			}
		}, "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := *good
			e.metadata = map[string]string{}
			for k, v := range good.metadata {
				e.metadata[k] = v
			}
			c.change(&e)
			e.write(t)
			l, err := h.ReadLabels(path)
			require.NoError(t, err, "the labels are used without")
			assert.False(t, l.Seeded())
			assert.Contains(t, l.Note(), "pack.embeddings.safetensors is not used: ")
			assert.Contains(t, l.Note(), c.want)
		})
	}
	require.NoError(t, os.WriteFile(good.path, []byte("not safetensors"), 0o600))
	l, err := h.ReadLabels(path)
	require.NoError(t, err)
	assert.Contains(t, l.Note(), "safetensors: ")
}

func TestCheckLabels(t *testing.T) {
	h := open(t, tinyConfig(t))
	info, err := h.CheckLabels(t.Context(), NewLabels(animals()))
	require.NoError(t, err)
	assert.Equal(t, wire.LabelsInfo{Categories: 3, Rationales: 5}, info)

	text := ""
	for i := range 60 {
		text += fmt.Sprint(i, " ")
	}
	info, err = h.CheckLabels(t.Context(), NewLabels(withCategories(wire.Category{Name: text, Rationales: []string{"fur"}})))
	require.NoError(t, err)
	assert.NotEmpty(t, info.Warnings, "a label that does not fit into the context length")

	_, err = h.ReadLabels("absent.json")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSplit(t *testing.T) {
	const dim = 1000
	values := make([]float32, 700*dim)
	for i := range values {
		values[i] = float32(i)
	}
	var joined []float32
	for _, s := range split(wire.SeedRationales, values, dim) {
		assert.Equal(t, len(joined), int(s.First)*dim)
		assert.LessOrEqual(t, 4*len(s.Data), chunk)
		joined = append(joined, s.Data...)
	}
	assert.Equal(t, values, joined)
}
