package main

import (
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/host/photo"
	"github.com/ecor-clip/ecor/wasm/wasmtest"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// Targets of the w8a7 scheme on real photos.
const (
	minMeanCosine   = 0.995
	minAgreement    = 0.97
	agreementMargin = 0.5 // logits between float32's first and second category
)

// TestInt8AgreesWithFloat32OnPhotos runs the shipped checkpoint in both schemes
// through the module, over every full-resolution photo.
func TestInt8AgreesWithFloat32OnPhotos(t *testing.T) {
	data := os.Getenv("ECOR_DATA")
	if data == "" {
		t.Skip("ECOR_DATA is not set: no photos to compare int8 with float32 on")
	}
	const checkpoint, pack = "../../weights/ecor-mini", "../../weights/labels/everyday.json"
	files, err := photo.Expand([]string{filepath.Join(data, "photos")})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 100)
	ctx := context.Background()
	module := wasmtest.Module(t)

	answers := map[string][]*wire.Answer{}
	for _, scheme := range []string{"float32", "w8a7"} {
		out := t.TempDir()
		require.Zero(t, run(ctx, []string{"-in", checkpoint, "-scheme", scheme, "-out", out}, io.Discard, os.Stderr))
		h, err := host.Open(ctx, host.Config{
			Module: host.Bytes(module), Weights: host.File(filepath.Join(out, "ecor-mini.safetensors")), CacheDir: t.TempDir(),
		})
		require.NoError(t, err)
		require.Equal(t, scheme, h.Info().Scheme)
		labels, err := h.ReadLabels(pack)
		require.NoError(t, err)
		for _, file := range files {
			img, err := photo.DecodeFile(file)
			require.NoError(t, err, file)
			a, err := h.Classify(ctx, img, labels, wire.ClassifyOptions{Method: wire.MethodCLIP, Top: 2})
			require.NoError(t, err, file)
			answers[scheme] = append(answers[scheme], a)
		}
		require.NoError(t, h.Close(ctx))
	}

	worst, sum := 1.0, 0.0
	same, clear, clearSame := 0, 0, 0
	for i, a := range answers["float32"] {
		b := answers["w8a7"][i]
		cosine := 0.0
		for j, v := range a.ImageEmbedding {
			cosine += float64(v) * float64(b.ImageEmbedding[j])
		}
		worst = min(worst, cosine)
		sum += cosine
		agree := a.Categories[0].Category == b.Categories[0].Category
		margin := math.Log(float64(a.Categories[0].Probability) / float64(a.Categories[1].Probability))
		if agree {
			same++
		}
		if margin >= agreementMargin {
			clear++
			if agree {
				clearSame++
			}
		}
	}
	n := len(files)
	mean := sum / float64(n)
	t.Logf("%d photos: cosine mean %.5f, min %.5f; top-1 agrees on %d (%.1f %%), and on %d of %d with a margin of %v logits or more",
		n, mean, worst, same, 100*float64(same)/float64(n), clearSame, clear, agreementMargin)
	require.GreaterOrEqual(t, mean, minMeanCosine)
	require.GreaterOrEqual(t, clear, n/10, "too few photos with a clear margin to judge by")
	require.GreaterOrEqual(t, float64(clearSame), minAgreement*float64(clear))
}
