package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/bench/cases"
	"github.com/ecor-clip/ecor/wasm/host/photo"
)

func TestSummarize(t *testing.T) {
	runs := []float64{5, 1, 4, 2, 3}
	assert.Equal(t, Summary{Median: 3, P10: 1.4, Runs: 5}, summarize(runs))
	assert.Equal(t, []float64{5, 1, 4, 2, 3}, runs, "the order of the runs is kept")
	assert.Equal(t, Summary{Median: 2.5, P10: 2.1, Runs: 2}, summarize([]float64{3, 2}))
	assert.Equal(t, Summary{Median: 7, P10: 7, Runs: 1}, summarize([]float64{7}))
	assert.Equal(t, Summary{}, summarize(nil))
}

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.01234: "0.0123", 0.00001234: "0.0000", 1.2345: "1.23", 12.345: "12.3", 99.96: "100", 123.4: "123", 1234567: "1234567",
	} {
		assert.Equal(t, want, digits(v), v)
	}
}

// TestReport prints hosts of which one lacks a row, in columns that line up.
func TestReport(t *testing.T) {
	var s samples
	s.add("decode", "ms", "wazero", 10)
	s.add("decode", "ms", "wazero", 20)
	s.add("decode", "ms", "Chromium", 5)
	s.add("kept", "", "wazero", 3)
	r := Report{
		Machine: Machine{CPU: "a processor", Cores: 2, Go: "go1", Chromium: "Chrome 1", Date: "2026-01-01 00:00"},
		Runs:    2,
		Hosts:   []string{"wazero", "Chromium"},
		Kernels: []KernelRow{{"a tower", "product", 2e9, true, 3, map[string]Summary{
			"wazero": {Median: 0.5, P10: 0.25, Runs: 2}, "Chromium": {Median: 0.1, P10: 0.05, Runs: 2}}}},
		Photos: &PhotoTable{"photos", s.rows()},
		Sizes:  []Size{{"a.wasm", 10, 5}},
	}
	var out strings.Builder
	r.print(&out)
	text := out.String()
	for _, want := range []string{
		"a processor, 2 cores, go1, Chrome 1, 2026-01-01 00:00 UTC\n",
		"a tower", "product, GMAC/s", "1500", "300", // ms per photo
		"decode, ms", "15", "11",
		"a.wasm",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "Memory")
	for _, section := range strings.Split(text, "###")[1:] {
		width := 0
		for _, line := range strings.Split(section, "\n") {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			if width == 0 {
				width = utf8.RuneCountInString(line)
			}
			assert.Equal(t, width, utf8.RuneCountInString(line), line)
		}
		assert.NotZero(t, width)
	}
}

// TestDrawnPhoto: the photo has the size asked for and, as photos have, about
// a third of a byte per pixel.
func TestDrawnPhoto(t *testing.T) {
	set, err := drawnPhoto(600, 401)
	require.NoError(t, err)
	require.Len(t, set.files, 1)
	m, err := photo.Decode(bytes.NewReader(set.files[0]))
	require.NoError(t, err)
	assert.Equal(t, 600, m.Rect.Dx())
	assert.Equal(t, 401, m.Rect.Dy())
	perPixel := float64(len(set.files[0])) / (600 * 401)
	assert.Greater(t, perPixel, 0.15)
	assert.Less(t, perPixel, 0.6)
}

func TestField(t *testing.T) {
	file := filepath.Join(t.TempDir(), "status")
	require.NoError(t, os.WriteFile(file, []byte("Name:\ta: b\nVmHWM:\t  12 kB\n"), 0o600))
	assert.Equal(t, "12 kB", field(file, "VmHWM"))
	assert.Equal(t, "a: b", field(file, "Name"))
	assert.Empty(t, field(file, "VmPeak"))
	assert.Empty(t, field(file+".absent", "Name"))
}

// TestCases runs every case once: its operands fit its shape.
func TestCases(t *testing.T) {
	names := make(map[string]bool)
	for _, c := range cases.All {
		name := c.Tower + ", " + c.Name
		assert.False(t, names[name], "%s is listed twice", name)
		names[name] = true
		reset, call := c.New()
		reset()
		assert.NotPanics(t, call, name)
	}
}
