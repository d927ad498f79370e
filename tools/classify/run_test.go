package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/wasm/wasmtest"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// bench is a folder with a module, weights, labels and photos.
type bench struct{ module, labels, photos string }

const weights = "../../core/clip/testdata/tiny/weights.safetensors"

const pack = `{"format": "ecor-labels-1", "categories": {
  "zebra": ["black and white stripes", "four legs"],
  "cat": ["whiskers", "four legs"],
  "bird": ["a yellow beak", "blue feathers"]}}`

// newBench makes four photos, and broken.png before the last.
func newBench(t *testing.T) *bench {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(os.TempDir(), "ecor-classify-test"))
	dir := t.TempDir()
	b := &bench{filepath.Join(dir, "ecor.wasm"), filepath.Join(dir, "labels.json"), filepath.Join(dir, "photos")}
	write := func(path string, data []byte) { require.NoError(t, os.WriteFile(path, data, 0o600)) }
	write(b.module, wasmtest.Module(t))
	write(b.labels, []byte(pack))
	require.NoError(t, os.Mkdir(b.photos, 0o700))
	for i, name := range []string{"a.png", "b.png", "c.png", "z.png"} {
		m := image.NewNRGBA(image.Rect(0, 0, 50+20*i, 40))
		for p := range m.Pix {
			m.Pix[p] = uint8(p * (i + 3))
		}
		m.Set(0, 0, color.White)
		var data bytes.Buffer
		require.NoError(t, png.Encode(&data, m))
		write(filepath.Join(b.photos, name), data.Bytes())
		if name == "z.png" {
			write(filepath.Join(b.photos, "broken.png"), data.Bytes()[:60])
		}
	}
	return b
}

func (b *bench) photo(name string) string { return filepath.Join(b.photos, name) }

func (b *bench) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	all := append([]string{"-module", b.module, "-weights", weights, "-labels", b.labels}, args...)
	code = run(t.Context(), all, &out, &errs)
	return code, out.String(), errs.String()
}

func TestText(t *testing.T) {
	b := newBench(t)
	code, out, errs := b.run(t, "-top", "2", b.photo("a.png"))
	require.Equal(t, exitOK, code, errs)
	assert.Empty(t, errs)
	lines := strings.Split(out, "\n")
	assert.Equal(t, b.photo("a.png"), lines[0])
	answer := `^  (zebra|cat|bird) \d+(\.\d)? %  because there is [a-z ]+ \(0\.\d+\)(, [a-z ]+ \(0\.\d+\))*$`
	assert.Regexp(t, answer, lines[1])
	assert.Regexp(t, answer, lines[2])
	assert.Regexp(t, `^  method ecor, uncovered \d+(\.\d)? %, \d rationales kept$`, lines[3])
}

func TestJSON(t *testing.T) {
	b := newBench(t)
	code, out, errs := b.run(t, "-json", "-j", "3", b.photo("z.png"), b.photos, b.photo("absent.png"))
	assert.Equal(t, exitFailed, code)
	assert.Empty(t, errs, "errors stand in the JSON")
	var files []string
	for line := range strings.Lines(out) {
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if strings.Contains(line, `"error"`) {
			var f jsonFailure
			require.NoError(t, d.Decode(&f))
			assert.NotEmpty(t, f.Error)
			files = append(files, "! "+filepath.Base(f.File))
			continue
		}
		var a jsonAnswer
		require.NoError(t, d.Decode(&a))
		files = append(files, filepath.Base(a.File))
		assert.Equal(t, "ecor", a.Method)
		require.Len(t, a.Categories, 3)
		sum := a.Uncovered
		for _, c := range a.Categories {
			sum += c.Probability
			require.NotEmpty(t, c.Rationales)
			assert.GreaterOrEqual(t, c.Probability, c.Rationales[0].Joint)
		}
		assert.InDelta(t, 1, sum, 1e-4)
	}
	assert.Equal(t, []string{"z.png", "a.png", "b.png", "! broken.png", "c.png", "z.png", "! absent.png"}, files, "in the order of the inputs")
}

func TestCSV(t *testing.T) {
	b := newBench(t)
	code, out, errs := b.run(t, "-csv", "-method", "clip", b.photos)
	assert.Equal(t, exitFailed, code)
	assert.Equal(t, 1, strings.Count(errs, "\n"), "one line per broken file: %s", errs)
	assert.Contains(t, errs, "broken.png")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, csvHeader, rows[0])
	photos := map[string]int{}
	for _, row := range rows[1:] {
		photos[filepath.Base(row[0])]++
		assert.Equal(t, "clip", row[1])
	}
	assert.Equal(t, map[string]int{"a.png": 6, "b.png": 6, "c.png": 6, "z.png": 6}, photos)
}

// TestCSVFormulas: a file's name is not run by a spreadsheet. The page's test
// reads the same cases.
func TestCSVFormulas(t *testing.T) {
	var cases []struct{ Text, CSV string }
	text, err := os.ReadFile("testdata/csv.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		var b strings.Builder
		p := newCSVPrinter(&b)
		require.NoError(t, p.answer(c.Text, &wire.Answer{Categories: []wire.CategoryScore{{Category: "a", Probability: 1e-7}}}))
		_, row, _ := strings.Cut(b.String(), "\r\n")
		assert.Equal(t, c.CSV+",ecor,0,1,a,1e-07,,\r\n", row, "%q", c.Text)
	}
}

// TestNative: the engine compiled for this machine answers as the module does,
// and needs no module.
func TestNative(t *testing.T) {
	b := newBench(t)
	answers := func(args ...string) (all []jsonAnswer) {
		_, out, errs := b.run(t, append(args, "-json", b.photos)...)
		require.Empty(t, errs)
		for line := range strings.Lines(out) {
			var a jsonAnswer
			require.NoError(t, json.Unmarshal([]byte(line), &a))
			all = append(all, a)
		}
		return all
	}
	want, got := answers(), answers("-native", "-module", "absent")
	require.Len(t, want, 5)
	require.Len(t, got, 5)
	for i, a := range want {
		assert.Equal(t, a.File, got[i].File)
		assert.InDelta(t, a.Uncovered, got[i].Uncovered, 1e-5)
		require.Len(t, got[i].Categories, len(a.Categories))
		for j, c := range a.Categories {
			assert.Equal(t, c.Category, got[i].Categories[j].Category)
			assert.InDelta(t, c.Probability, got[i].Categories[j].Probability, 1e-5)
		}
	}
	code, out, errs := b.run(t, "-native", "-weights", b.labels, b.photo("a.png"))
	assert.Equal(t, exitFailed, code)
	assert.Empty(t, out)
	assert.Contains(t, errs, "labels.json: ")
}

// TestMemory: an instance that may not have the memory that it needs is refused with the limit.
func TestMemory(t *testing.T) {
	b := newBench(t)
	code, _, errs := b.run(t, "-memory", "4", b.photo("a.png"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "ended with 4 MiB of memory")
}

// TestInstances: the output does not depend on how many photos are classified
// at a time.
func TestInstances(t *testing.T) {
	b := newBench(t)
	_, one, _ := b.run(t, "-json", "-j", "1", b.photos, b.photos)
	_, four, _ := b.run(t, "-json", "-j", "4", b.photos, b.photos)
	assert.Equal(t, one, four)
}

func TestMethods(t *testing.T) {
	b := newBench(t)
	for _, method := range []string{"ecor", "clip", "independent", "inverted", "joint"} {
		code, out, errs := b.run(t, "-method", method, "-coverage", "0.5", "-max-rationales", "2", b.photo("a.png"))
		require.Equal(t, exitOK, code, errs)
		assert.Contains(t, out, "method "+method)
		pruned := method == "inverted" || method == "joint"
		assert.Equal(t, pruned, strings.Contains(errs, "scores only the rationales that were kept (at most 2, -coverage 0.5)"), errs)
		assert.Equal(t, pruned, strings.Contains(out, "scored over the"), out)
	}
}

func TestUsage(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no photos: name files or folders"},
		{[]string{"-json", "-csv", "x"}, "-json and -csv exclude each other"},
		{[]string{"-method", "best", "x"}, `unknown method "best": want ecor,`},
		{[]string{"-top", "0", "x"}, "-top 0: want at least 1"},
		{[]string{"-coverage", "1.5", "x"}, "-coverage 1.5: want more than 0, at most 1"},
		{[]string{"-coverage", "NaN", "x"}, "-coverage NaN"},
		{[]string{"-max-rationales", "-1", "x"}, "-max-rationales -1"},
		{[]string{"-j", "1000", "x"}, "-j 1000: want 1 to 64"},
		{[]string{"-memory", "4097", "x"}, "-memory 4097: want 1 to 4096"},
		{[]string{"-unknown", "x"}, "flag provided but not defined"},
	} {
		code, out, errs := b.run(t, c.args...)
		assert.Equal(t, exitUsage, code, c.args)
		assert.Empty(t, out)
		assert.Contains(t, errs, c.want)
	}
	code, _, errs := b.run(t, "-help")
	assert.Equal(t, exitOK, code)
	assert.Contains(t, errs, "usage: classify [flags] FILE|DIR...")
}

func TestMissingFiles(t *testing.T) {
	b := newBench(t)
	for _, missing := range []string{"-module", "-weights", "-labels"} {
		code, out, errs := b.run(t, missing, "absent", b.photos)
		assert.Equal(t, exitFailed, code)
		assert.Empty(t, out)
		assert.Equal(t, "classify: absent does not exist: run ./build.sh build, or name another file with a flag\n", errs)
	}
	code, _, errs := b.run(t, t.TempDir())
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "no photos in ")
}

func TestBadLabels(t *testing.T) {
	b := newBench(t)
	require.NoError(t, os.WriteFile(b.labels, []byte(`{"format": "ecor-labels-1", "categories": {"cat": []}}`), 0o600))
	code, _, errs := b.run(t, b.photos)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, `labels.json: label pack: category "cat": rationale list is empty`)
}

func TestNotes(t *testing.T) {
	b := newBench(t)
	require.NoError(t, os.WriteFile(strings.TrimSuffix(b.labels, ".json")+".embeddings.safetensors", []byte("other"), 0o600))
	code, _, errs := b.run(t, b.photo("a.png"))
	assert.Equal(t, exitOK, code)
	assert.Contains(t, errs, "classify: note: labels.embeddings.safetensors is not used: ")
}

// cancelling is an output that interrupts the command when it is first written.
type cancelling struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (c *cancelling) Write(p []byte) (int, error) {
	c.cancel()
	return c.Buffer.Write(p)
}

func TestInterrupt(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	out, errs := &cancelling{cancel: cancel}, new(bytes.Buffer)
	args := []string{"-module", b.module, "-weights", weights, "-labels", b.labels, "-j", "2", "-json"}
	for range 500 {
		args = append(args, b.photo("a.png"))
	}
	assert.Equal(t, exitInterrupted, run(ctx, args, out, errs))
	assert.Equal(t, "classify: interrupted\n", errs.String())
	assert.Equal(t, 1, strings.Count(out.String(), "\n"), "no photo after the interrupt")
}

func TestInOrder(t *testing.T) {
	var items []result
	for i := range 20 {
		items = append(items, result{path: fmt.Sprint(i)})
	}
	double := func(r result) result {
		time.Sleep(time.Duration(len(r.path)%2) * time.Millisecond)
		r.path += r.path
		return r
	}
	var got []string
	for r := range inOrder(items, 4, double) {
		if got = append(got, r.path); len(got) == 15 {
			break
		}
	}
	assert.Equal(t, []string{"00", "11", "22", "33", "44", "55", "66", "77", "88", "99", "1010", "1111", "1212", "1313", "1414"}, got)
}

func TestOneLine(t *testing.T) {
	assert.Equal(t, `a\x1b[31mb\nc ü`, oneLine("a\x1b[31mb\nc ü"))
}
