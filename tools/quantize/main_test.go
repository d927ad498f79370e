package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
)

func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-in", checkpointtest.Golden(t, "tiny"), "-out", out}, &stdout, &stderr)
	require.Equal(t, exitOK, code, stderr.String())
	report := stdout.String()
	assert.Regexp(t, `(?m)^tensor +shape +scheme +bytes +SQNR dB +output dB$`, report)
	assert.Regexp(t, `(?m)^vision_model\.embeddings\.patch_embedding\.weight +32×192 +int8 per row +6272 +4\d\.\d +-$`, report)
	assert.Regexp(t, `(?m)^\d+ others +float32 +\d+ +exact +-$`, report)
	assert.Contains(t, report, "scheme w8a7, not smoothed: the checkpoint has no calibration.json")
	assert.Regexp(t, `tiny\.safetensors: \d+\.\d kB, gzip \d+\.\d kB, sha256 [0-9a-f]{64}`, report)
	assert.Regexp(t, `took \d+\.\d s`, report)
	assert.Regexp(t, `encoding tensors as w8a7: done in`, stderr.String())
	assert.FileExists(t, filepath.Join(out, "tiny.safetensors"))
}

// Templates that are given replace the defaults of their kind and no others.
func TestTemplates(t *testing.T) {
	o, err := parse([]string{"-in", "a", "-out", "b", "-template-category", "a {c}", "-template-category", "{c}!"}, os.Stderr)
	require.NoError(t, err)
	assert.Equal(t, []string{"a {c}", "{c}!"}, o.Templates.Category)
	assert.Equal(t, defaultTemplates.Rationale, o.Templates.Rationale)
	assert.Equal(t, defaultTemplates.Conditional, o.Templates.Conditional)
	assert.Equal(t, "a", o.Name)
}

func TestLabelPacksAreRepeated(t *testing.T) {
	o, err := parse([]string{"-in", "a", "-out", "b", "-labels", "x.json", "-labels", "y.json"}, os.Stderr)
	require.NoError(t, err)
	assert.Equal(t, []string{"x.json", "y.json"}, o.Labels)
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nothing", nil, exitUsage, "-in and -out are needed"},
		{"argument", []string{"-in", "a", "-out", "b", "c"}, exitUsage, `unexpected argument "c"`},
		{"flag", []string{"-bits", "4"}, exitUsage, "flag provided but not defined: -bits"},
		{"scheme", []string{"-in", "a", "-out", "b", "-scheme", "int4"}, exitUsage, `unknown scheme "int4"`},
		{"group", []string{"-in", "a", "-out", "b", "-group", "16"}, exitUsage, "-group is 16: want 32 or 64"},
		{"embed4", []string{"-in", "a", "-out", "b", "-embed4"}, exitUsage, "-embed4 is for the scheme w4a7, not w8a7"},
		{"calibrate", []string{"-in", "a", "-out", "b", "-calibrate", "-1"}, exitUsage, "-calibrate is -1: want at least 0"},
		{"judge", []string{"-in", "a", "-out", "b", "-judge", "0"}, exitUsage, "-judge is 0: want at least 1"},
		{"limit", []string{"-in", "a", "-out", "b", "-max-loss", "speed=1"}, exitUsage, `unknown figure "speed"`},
		{"limit without photos", []string{"-in", "a", "-out", "b", "-max-loss", "agreement=0.9"}, exitUsage, "-max-loss: agreement and same need photos and a label pack"},
		{"alpha", []string{"-in", "a", "-out", "b", "-smooth-alpha", "2"}, exitUsage, "-smooth-alpha is 2: want 0 to 1"},
		{"name", []string{"-in", "a", "-out", "b", "-name", "x/y"}, exitUsage, `-name is "x/y": want a plain file name`},
		{"category template", []string{"-in", "a", "-out", "b", "-template-category", "a photo"}, exitUsage, `category template "a photo" has no {c}`},
		{"conditional template", []string{"-in", "a", "-out", "b", "-template-conditional", "{c}"}, exitUsage, `conditional template "{c}" has no {r}`},
		{"two lines", []string{"-in", "a", "-out", "b", "-template-rationale", "{r}\n{r}"}, exitUsage, "has more than one line"},
		{"no checkpoint", []string{"-in", t.TempDir(), "-out", filepath.Join(t.TempDir(), "b")}, exitFailed, "config.json: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, c.code, run(t.Context(), c.args, &stdout, &stderr))
			assert.Contains(t, stderr.String(), c.want)
			assert.Empty(t, stdout.String())
		})
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := filepath.Join(t.TempDir(), "out")
	var stdout, stderr bytes.Buffer
	assert.Equal(t, exitFailed, run(ctx, []string{"-in", checkpointtest.Golden(t, "tiny"), "-out", out}, &stdout, &stderr))
	assert.Equal(t, "quantize: interrupted, nothing was written\n", stderr.String())
	assert.NoDirExists(t, out)
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	assert.Equal(t, exitOK, run(t.Context(), []string{"-h"}, &stdout, &stderr))
	assert.Contains(t, stderr.String(), "-template-conditional")
}

// Asked for help, schemes failed with "flag: help requested".
func TestSchemesHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	assert.Equal(t, exitOK, run(t.Context(), []string{"schemes", "-h"}, &stdout, &stderr))
	assert.Contains(t, stderr.String(), "-template-conditional")
	assert.NotContains(t, stderr.String(), "help requested")
}

func TestSchemesTable(t *testing.T) {
	photos := filepath.Join("..", "..", "wasm", "host", "photo", "testdata", "photos")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"schemes", "-in", checkpointtest.Golden(t, "tiny"), "-photos", photos, "-calibrate", "4", "-judge", "4",
		"-labels", filepath.Join("..", "..", "weights", "labels", "food.json")}, &stdout, &stderr)
	require.Equal(t, exitOK, code, stderr.String())
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	require.Len(t, lines, 2+len(schemeVariants))
	for _, line := range lines {
		assert.Equal(t, strings.Count(lines[0], "|"), strings.Count(line, "|"), line)
	}
	assert.Regexp(t, "^\\| `w8a7` \\| [0-9.]+ kB \\| [0-9.]+ kB \\| 1\\.00 \\| 0\\.9\\d+ / 0\\.9\\d+ \\|", lines[4])

	stderr.Reset()
	assert.Equal(t, exitFailed, run(t.Context(), []string{"schemes", "-in", checkpointtest.Golden(t, "tiny")}, &stdout, &stderr))
	assert.Contains(t, stderr.String(), "schemes needs -photos and -labels")
}
