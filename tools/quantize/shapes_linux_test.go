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

// Limits on the conversion of ViT-L/14, the largest model.
const (
	maxPeak = 3e9
	maxTime = 5 * time.Minute
)

func convertShape(t *testing.T, name, in string) {
	out := os.Getenv("ECOR_SHAPES_OUT")
	if out == "" {
		out = t.TempDir()
	}
	scheme := os.Getenv("ECOR_SHAPES_SCHEME")
	if scheme == "" {
		scheme = "w8a7"
	}
	args := []string{"-in", in, "-out", out, "-scheme", scheme}
	took, peak := child(t, args)
	file := filepath.Join(out, name+".safetensors")
	info, err := os.Stat(file)
	require.NoError(t, err)
	t.Logf("%s, %s: %s in %.0f s, peak memory %s", name, scheme, report.Bytes(info.Size()), took.Seconds(), report.Bytes(peak))
	assert.Less(t, peak, int64(maxPeak))
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
	assert.GreaterOrEqual(t, r.Fidelity.Images.Mean, 0.995)
	assert.GreaterOrEqual(t, r.Fidelity.Texts.Mean, 0.995)

	begun := time.Now()
	h, err := host.Open(t.Context(), host.Config{
		Module: host.Bytes(wasmtest.Module(t)), Weights: host.File(file), MemoryLimit: 4 << 30, CacheDir: t.TempDir(),
	})
	require.NoError(t, err)
	defer h.Close(t.Context())
	loaded := h.MemoryBytes()
	t.Logf("%s: loaded under wazero in %.1f s, %s of memory", name, time.Since(begun).Seconds(), report.Bytes(int64(loaded)))
	labels, err := h.ReadLabels("../../weights/labels/food.json")
	require.NoError(t, err)
	begun = time.Now()
	_, err = h.EmbedImage(t.Context(), randomPicture(h.Info().ImageSize))
	require.NoError(t, err)
	t.Logf("%s: a photo's embedding in %.2f s", name, time.Since(begun).Seconds())
	begun = time.Now()
	_, err = h.Classify(t.Context(), randomPicture(h.Info().ImageSize), labels, wire.ClassifyOptions{Method: wire.MethodCLIP})
	require.NoError(t, err)
	t.Logf("%s: a first answer in %.1f s, then %s of memory", name, time.Since(begun).Seconds(), report.Bytes(int64(h.MemoryBytes())))
	packed := info.Size()
	if scheme == "w4a7" {
		packed *= 2
	}
	assert.LessOrEqual(t, int64(h.MemoryBytes()), packed+120e6)
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
