package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/host/photo"
	"github.com/ecor-clip/ecor/wasm/wasmtest"
	"github.com/ecor-clip/ecor/wasm/wire"
)

const (
	shipped      = "../../weights/ecor-mini"
	shippedPack  = "../../weights/labels/everyday.json"
	sampleTexts  = "32" // photos, and a quarter of the texts, that calibrate
	sampleJudged = "48"
)

// TestShippedCheckpointOnPhotos holds the shipped checkpoint to what its schemes promise, on photos and prompts that did
// not calibrate it.
func TestShippedCheckpointOnPhotos(t *testing.T) {
	photos := photosOf(t)
	size := map[string]int64{}
	for _, c := range []struct {
		scheme    string
		calibrate string
		cosine    float64
		agreement float64
	}{
		{"w8a7", "0", 0.997, 0.99}, // with the checkpoint's calibration.json, as ./build.sh build makes it
		{"w4a7", sampleTexts, 0.985, 0.9},
	} {
		out := t.TempDir()
		file := filepath.Join(out, "report.json")
		quantize(t, "-in", shipped, "-scheme", c.scheme, "-out", out, "-labels", shippedPack,
			"-photos", photos, "-calibrate", c.calibrate, "-judge", sampleJudged, "-report", file)
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		var r report.Report
		require.NoError(t, json.Unmarshal(b, &r))
		f := r.Fidelity
		agree := f.Agreement[0]
		t.Logf("%s: photos %+v, texts %+v, %+v", c.scheme, *f.Images, *f.Texts, agree)
		assert.GreaterOrEqual(t, f.Images.Mean, c.cosine, c.scheme)
		assert.GreaterOrEqual(t, f.Texts.Mean, c.cosine, c.scheme)
		require.GreaterOrEqual(t, agree.Clear, agree.Photos/10, "too few photos with a clear margin to judge by")
		assert.GreaterOrEqual(t, float64(agree.ClearSame), c.agreement*float64(agree.Clear), c.scheme)
		size[c.scheme] = r.Files[0].Bytes
	}
	assert.LessOrEqual(t, float64(size["w4a7"]), 0.68*float64(size["w8a7"]))
}

// quantize runs the command.
func quantize(t *testing.T, args ...string) {
	var stderr bytes.Buffer
	require.Zero(t, run(t.Context(), args, io.Discard, &stderr), &stderr)
}

// photosOf returns the folder of full-resolution photos, or skips the test.
func photosOf(t *testing.T) string {
	data := os.Getenv("ECOR_DATA")
	if data == "" {
		t.Skip("ECOR_DATA is not set: no photos to compare with float32 on")
	}
	return filepath.Join(data, "photos")
}

// TestSchemesRunInTheModule: weights of every scheme load and answer in the module. Embeddings that were made with one
// scheme's weights are not used with another's: its answers are those of labels without embeddings.
func TestSchemesRunInTheModule(t *testing.T) {
	const tiny = "../../core/clip/testdata/tiny"
	ctx := t.Context()
	module, cache := wasmtest.Module(t), t.TempDir()
	pack := filepath.Join(t.TempDir(), "food.json")
	b, err := os.ReadFile("../../weights/labels/food.json")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(pack, b, 0o644))
	img, err := photo.DecodeFile("../../wasm/host/photo/testdata/photos/baseline.jpg")
	require.NoError(t, err)
	var before string // the label pack beside embeddings of the scheme before
	for _, scheme := range []string{"w8a7", "w8", "w4a7", "float32"} {
		out := t.TempDir()
		quantize(t, "-in", tiny, "-scheme", scheme, "-labels", pack, "-out", out)
		h, err := host.Open(ctx, host.Config{
			Module: host.Bytes(module), Weights: host.File(filepath.Join(out, "tiny.safetensors")), CacheDir: cache,
		})
		require.NoError(t, err)
		assert.Equal(t, scheme, h.Info().Scheme)
		classify := func(path string, seeded bool) *wire.Answer {
			labels, err := h.ReadLabels(path)
			require.NoError(t, err)
			require.Equal(t, seeded, labels.Seeded(), labels.Note())
			if path == before {
				assert.Contains(t, labels.Note(), "weights_sha256 is ")
			}
			a, err := h.Classify(ctx, img, labels, wire.ClassifyOptions{})
			require.NoError(t, err)
			return a
		}
		plain := classify(pack, false)
		after := filepath.Join(out, "food.json")
		for i, c := range classify(after, true).Categories {
			assert.Equal(t, plain.Categories[i].Category, c.Category, scheme)
			assert.InDelta(t, plain.Categories[i].Probability, c.Probability, 1e-5, scheme)
		}
		if before != "" {
			assert.Equal(t, plain, classify(before, false), scheme)
		}
		before = after
		require.NoError(t, h.Close(ctx))
	}
}
