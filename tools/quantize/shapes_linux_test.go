package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/randomcheckpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/wasmtest"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// TestShapes converts random checkpoints of true shapes, named in ECOR_SHAPES and separated by commas, and runs them in the
// module. With ECOR_SHAPES_OUT the weights are kept there. It takes minutes and gigabytes: ./build.sh shapes runs it.
func TestShapes(t *testing.T) {
	if os.Getenv("TEST_SHAPE_IN") != "" {
		os.Exit(run(t.Context(), strings.Fields(os.Getenv("TEST_SHAPE_IN")), os.Stdout, os.Stderr))
	}
	names := os.Getenv("ECOR_SHAPES")
	if names == "" {
		t.Skip("ECOR_SHAPES is not set: no checkpoints of true shapes to convert")
	}
	for name := range strings.SplitSeq(names, ",") {
		shape, ok := randomcheckpoint.Shapes[name]
		require.True(t, ok, name)
		in := filepath.Join(t.TempDir(), name)
		begun := time.Now()
		require.NoError(t, randomcheckpoint.Write(in, shape, 1))
		t.Logf("%s: written in %.0f s", name, time.Since(begun).Seconds())
		t.Run(name, func(t *testing.T) { convertShape(t, name, in) })
	}
}

// Limits on the conversion of ViT-L/14, the largest model, with calibration and comparison or without.
const (
	maxPeak = 3e9
	maxTime = 5 * time.Minute
)

// moduleExtra is the memory that the module may have beyond the weights, in bytes.
const moduleExtra = 120e6

// shapeLimits are what a scheme promises of a random checkpoint.
var shapeLimits = map[string]struct {
	cosine float64 // least mean, of photos and of texts
	packed int64   // bytes of memory a weight
}{
	"float32": {0.99999, 4},
	"w8":      {0.999, 4},
	"w8a7":    {0.995, 1},
	"w4a7":    {0.985, 1},
}

func convertShape(t *testing.T, name, in string) {
	out := os.Getenv("ECOR_SHAPES_OUT")
	if out == "" {
		out = t.TempDir()
	}
	scheme := os.Getenv("ECOR_SHAPES_SCHEME")
	if scheme == "" {
		scheme = "w8a7"
	}
	limits, ok := shapeLimits[scheme]
	require.True(t, ok, scheme)
	args := []string{"-in", in, "-out", out, "-scheme", scheme}
	took, peak := child(t, args)
	file := filepath.Join(out, name+".safetensors")
	t.Logf("%s, %s: %s in %.0f s, peak memory %s", name, scheme, report.Bytes(size(t, file)), took.Seconds(), report.Bytes(peak))
	assert.LessOrEqual(t, peak, int64(maxPeak))
	assert.Less(t, took, maxTime)

	photos := filepath.Join("..", "..", "wasm", "host", "photo", "testdata", "photos")
	if data := os.Getenv("ECOR_DATA"); data != "" {
		photos = filepath.Join(data, "photos")
	}
	figures := filepath.Join(out, "report.json")
	took, peak = child(t, append(args, "-photos", photos, "-labels", "../../weights/labels/food.json", "-calibrate", "16", "-judge", "16", "-report", figures))
	b, err := os.ReadFile(figures)
	require.NoError(t, err)
	var r report.Report
	require.NoError(t, json.Unmarshal(b, &r))
	t.Logf("%s, %s, calibrated and judged on %s: in %.0f s, peak memory %s: images %+v, texts %+v, %+v",
		name, scheme, r.Calibration, took.Seconds(), report.Bytes(peak), *r.Fidelity.Images, *r.Fidelity.Texts, r.Fidelity.Agreement[0])
	assert.LessOrEqual(t, peak, int64(maxPeak), "calibrated and judged")
	assert.Less(t, took, maxTime, "calibrated and judged")
	assert.GreaterOrEqual(t, r.Fidelity.Images.Mean, limits.cosine)
	assert.GreaterOrEqual(t, r.Fidelity.Texts.Mean, limits.cosine)

	begun := time.Now()
	h, err := host.Open(t.Context(), host.Config{
		Module: host.Bytes(wasmtest.Module(t)), Weights: host.File(file), MemoryLimit: 4 << 30, CacheDir: t.TempDir(),
	})
	require.NoError(t, err)
	defer h.Close(t.Context())
	t.Logf("%s: loaded under wazero in %.1f s, %s of memory", name, time.Since(begun).Seconds(), report.Bytes(int64(h.MemoryBytes())))
	labels, err := h.ReadLabels("../../weights/labels/food.json")
	require.NoError(t, err)
	begun = time.Now()
	_, err = h.EmbedImage(t.Context(), randomPicture(h.Info().ImageSize))
	require.NoError(t, err)
	t.Logf("%s: a photo's embedding in %.2f s", name, time.Since(begun).Seconds())
	for _, answer := range []struct {
		kind string
		wire.ClassifyOptions
	}{{"a name", wire.ClassifyOptions{Method: wire.MethodCLIP}}, {"a name with its reasons", wire.ClassifyOptions{}}} {
		begun = time.Now()
		_, err = h.Classify(t.Context(), randomPicture(h.Info().ImageSize), labels, answer.ClassifyOptions)
		require.NoError(t, err)
		t.Logf("%s: a first answer with %s in %.1f s, then %s of memory", name, answer.kind, time.Since(begun).Seconds(), report.Bytes(int64(h.MemoryBytes())))
	}
	weights := size(t, filepath.Join(in, "model.safetensors")) / 2 // float16
	assert.LessOrEqual(t, int64(h.MemoryBytes()), limits.packed*weights+moduleExtra)
}

// size returns that of a file in bytes.
func size(t *testing.T, path string) int64 {
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// child runs the command in a process of its own and returns the time that it took and its peak memory in bytes.
func child(t *testing.T, args []string) (took time.Duration, peak int64) {
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestShapes$")
	c.Env = append(os.Environ(), "TEST_SHAPE_IN="+strings.Join(args, " "))
	var said bytes.Buffer
	c.Stderr = &said
	begun := time.Now()
	require.NoError(t, c.Run(), &said)
	t.Log(said.String())
	return time.Since(begun), c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024
}
