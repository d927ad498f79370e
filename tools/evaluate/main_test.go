package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/metrics"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/photos"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/report"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/score"
	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/host/photo"
	"github.com/ecor-clip/ecor/wasm/wasmtest"
	"github.com/ecor-clip/ecor/wasm/wire"
)

const tinyWeights = "../../core/clip/testdata/tiny/weights.safetensors"

// pattern is an encoded photo with detail at every scale; seed varies it.
func pattern(t testing.TB, seed int) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 120+seed%7, 90+seed%5))
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x*7 + seed*13), uint8(y*5 + seed), uint8(x*y/3 + seed*31), 255})
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

// project is a folder with everything that a run reads.
type project struct{ dir, module string }

func (p *project) path(name string) string { return filepath.Join(p.dir, name) }

func (p *project) write(t *testing.T, name string, data []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(p.path(name)), 0o700))
	require.NoError(t, os.WriteFile(p.path(name), data, 0o600))
}

func newProject(t *testing.T) *project {
	t.Setenv("XDG_CACHE_HOME", filepath.Join(os.TempDir(), "ecor-evaluate-test"))
	t.Setenv("ECOR_DATA", "")
	dir := t.TempDir()
	p := &project{dir, filepath.Join(dir, "ecor.wasm")}
	p.write(t, "ecor.wasm", wasmtest.Module(t))
	p.write(t, "train/texts.json", []byte(`{"people": {"toys": ["boy", "girl"]}, "wider": {"toy": ["ball"]},
		"blocked": {"age": "old"}, "harmless": "oldtimer"}`))
	p.write(t, "train/category_map.json", []byte(`{"toys": {"ball": "ball", "boy": "person", "girl": "person"},
		"photos": {"soccer_ball": "ball", "teddy": "bear", "doll": "not in the pack"}}`))
	p.write(t, "labels/everyday.json", []byte(`{"format": "ecor-labels-1", "categories": {
		"ball": ["a round shape", "many colours"], "person": ["two arms"], "toy": ["many colours", "small"], "bear": ["fur"], "car": ["wheels"]}}`))
	p.write(t, "data/rationales/clean.json", []byte(`{"toys": {"kite": ["a tail", "an old string"]}}`))

	p.write(t, "data/toys/categories.tsv", []byte("category\tdisplay_name\nball\tball\nboy\tboy\ngirl\tgirl\nkite\tkite\nrock\trock\n"))
	p.shard(t, "data/toys/images-000.tar.gz", "ball", "boy", "girl")
	p.shard(t, "data/toys/images-001.tar.gz", "kite", "rock")

	p.write(t, "data/photos/index.tsv", []byte("file\tcategory\na.png\tsoccer_ball\nb.png\tteddy\nc.png\tdoll\n"))
	for i, name := range []string{"a", "b", "c"} {
		p.write(t, "data/photos/"+name+".png", pattern(t, 100+i))
	}
	for i, name := range []string{"car/0.png", "car/1.png", "flying_saucer/2.png"} {
		p.write(t, "mine/"+name, pattern(t, 200+i))
	}
	return p
}

// shard writes six test photos and one of training for each category; the last
// test photo of the rock is damaged.
func (p *project) shard(t *testing.T, name string, categories ...string) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, c := range categories {
		for i := range 7 {
			data := pattern(t, 10*len(c)+i)
			split := "test"
			switch {
			case i == 6:
				split = "train"
			case i == 5 && c == "rock":
				data = data[:50]
			}
			require.NoError(t, w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%s/%s/%d.webp", split, c, i), Size: int64(len(data)), Mode: 0o644}))
			_, err := w.Write(data)
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	p.write(t, name, b.Bytes())
}

func (p *project) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if args[0] != "compare" {
		args = append([]string{"-module", p.module, "-weights", tinyWeights, "-texts", p.path("train"), "-labels", p.path("labels"), "-workers", "2"}, args...)
	}
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestEvaluate(t *testing.T) {
	p := newProject(t)
	code, out, errs := p.run(t, "-data", p.path("data"), "-json", p.path("r.json"), "-csv", p.path("r.csv"))
	require.Equal(t, exitOK, code, errs)
	assert.Contains(t, errs, `toys: rationale "a round shape" is cut at 20 tokens`)
	assert.Contains(t, errs, "toys: test/rock/5.webp: damaged or unsupported photo")
	for _, want := range []string{"toys: 29 photos, 4 categories, 4 rationales", "toys without people: 17 photos, 3 categories", "photos as everyday: 2 photos, 5 categories"} {
		assert.Contains(t, out, want)
	}

	r, err := report.Read(p.path("r.json"))
	require.NoError(t, err)
	assert.Equal(t, "wazero", r.Engine)
	assert.Equal(t, "tiny", r.Weights.Name)
	assert.Len(t, r.Weights.SHA256, 64)
	require.Len(t, r.Sets, 3)
	mapped, toys, others := r.Sets[0], r.Sets[1], r.Sets[2]
	require.Len(t, toys.Unreadable, 1)
	assert.Equal(t, []string{"ball", "person", "kite", "rock"}, toys.Names)
	assert.Equal(t, 1, toys.NoRationale.Categories)
	assert.Equal(t, 5, toys.NoRationale.Photos)
	assert.Equal(t, []report.Fault{{Photo: "test/rock/5.webp", Error: toys.Unreadable[0].Error}}, toys.Unreadable)
	assert.True(t, others.Repeats)
	assert.Equal(t, 12, others.Unmapped)
	assert.NotContains(t, others.Names, "person")
	assert.True(t, mapped.Mapped)
	assert.Equal(t, 1, mapped.Unmapped)
	for _, s := range r.Sets {
		require.Len(t, s.Methods, 5)
		assert.True(t, s.Full)
		for name, m := range s.Methods {
			assert.Equal(t, s.Photos, m.Photos)
			assert.Equal(t, s.Photos-s.NoRationale.Photos, m.Judged)
			assert.InDelta(t, 1, m.RR+m.RW+m.WR+m.WW, 1e-9)
			assert.GreaterOrEqual(t, m.Top5, m.Top1)
			assert.Equal(t, s.Categories > 5 || m.Top5 == 1, true, "five guesses among five")
			assert.Equal(t, 2*s.NoRationale.Photos, strings.Count(s.Outcomes[name].Verdicts, "-"))
		}
	}
	assert.Equal(t, toys.Methods["ecor"].Top1, r.Mean["ecor"].Top1, "neither repeats nor mapped sets count")

	f, err := os.Open(p.path("r.csv"))
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	assert.Len(t, rows, 1+3*5)
}

// TestAgreesWithTheModule has the module classify each photo over the whole
// table, method by method: the evaluation's probabilities are the same.
func TestAgreesWithTheModule(t *testing.T) {
	p := newProject(t)
	code, _, errs := p.run(t, "-data", p.path("data"), "-sets", "photos", "-json", p.path("r.json"))
	require.Equal(t, exitOK, code, errs)
	r, err := report.Read(p.path("r.json"))
	require.NoError(t, err)
	s := r.Sets[0]

	h, err := host.Open(t.Context(), host.Config{Module: host.File(p.module), Weights: host.File(tinyWeights), CacheDir: cacheDir()})
	require.NoError(t, err)
	defer h.Close(context.Background())
	l, err := h.ReadLabels(p.path("labels/everyday.json"))
	require.NoError(t, err)
	for i, file := range s.Files {
		img, err := photo.DecodeFile(p.path("data/photos/" + file))
		require.NoError(t, err)
		for _, m := range wire.Methods() {
			a, err := h.Classify(t.Context(), img, l, wire.ClassifyOptions{Method: m, Top: 5, TopRationales: 9, Coverage: 1, MaxRationales: 99})
			require.NoError(t, err)
			o := s.Outcomes[m.String()]
			assert.InDelta(t, a.Categories[0].Probability, o.Confidence[i], 1e-5)
			assert.Equal(t, a.Categories[0].Category, s.Names[o.Predicted[i]])
			gold := a.Categories[o.Ranks[i]]
			assert.Equal(t, s.Names[s.Gold[i]], gold.Category)
			assert.InDelta(t, gold.Probability, o.GoldP[i], 1e-5)
		}
	}
}

func TestPrunedTable(t *testing.T) {
	p := newProject(t)
	code, out, errs := p.run(t, "-data", p.path("data"), "-sets", "toys", "-full", "5", "-max-rationales", "2", "-limit", "7")
	require.Equal(t, exitOK, code, errs)
	assert.Contains(t, out, "toys: 7 photos")
	assert.Contains(t, out, "pruned: ecor, inverted and joint score the rationales that were kept for each photo; mean uncovered ")
}

func TestNativeAndCompare(t *testing.T) {
	p := newProject(t)
	code, _, errs := p.run(t, p.path("mine"), "-json", p.path("x"))
	assert.Equal(t, exitFailed, code, "flags come before folders")
	assert.Contains(t, errs, "-json: no such file")
	code, module, errs := p.run(t, "-json", p.path("module.json"), p.path("mine"))
	require.Equal(t, exitOK, code, errs)
	assert.Contains(t, module, "mine: 3 photos, 2 categories, 1 rationales")
	assert.Contains(t, module, "1 categories have no rationale; their 1 photos are left out")
	code, _, errs = p.run(t, "-native", "-json", p.path("native.json"), p.path("mine"))
	require.Equal(t, exitOK, code, errs)

	code, out, errs := p.run(t, "compare", "-resamples", "200", "-json", p.path("c.json"), p.path("module.json"), p.path("native.json"))
	require.Equal(t, exitOK, code, errs)
	assert.Contains(t, out, "module:ecor less module:clip, in points, with 95 % intervals")
	assert.Contains(t, out, "native:joint less module:joint")
	code, out, errs = p.run(t, "compare", "-resamples", "200", "-pair", "native:ecor-module:joint", p.path("module.json"), p.path("native.json"))
	require.Equal(t, exitOK, code, errs)
	assert.Equal(t, 1, strings.Count(out, " less "))
}

// TestNoRationaleAtAll: only the category prompts can be scored.
func TestNoRationaleAtAll(t *testing.T) {
	p := newProject(t)
	for i, c := range []string{"gizmo", "widget"} {
		p.write(t, "odd/"+c+"/a.png", pattern(t, i))
	}
	code, out, errs := p.run(t, "-json", p.path("r.json"), p.path("odd"))
	require.Equal(t, exitOK, code, errs)
	assert.Regexp(t, `clip +\d+\.0 +100\.0 +- +- +- +- `, out)
	assert.NotContains(t, out, "ecor  ")
	assert.NotContains(t, out, "mean over")
}

func TestErrors(t *testing.T) {
	p := newProject(t)
	data := p.path("data")
	for _, c := range []struct {
		code int
		args []string
		want string
	}{
		{exitUsage, []string{"-workers", "1"}, "no photos: set ECOR_DATA, give -data, or name folders of categories"},
		{exitUsage, []string{"-sets", "toys", p.path("mine")}, "-sets needs ECOR_DATA or -data"},
		{exitUsage, []string{"-data", data, "-workers", "0"}, "-workers 0: want 1 to 64"},
		{exitUsage, []string{"-data", data, "-limit", "-1"}, "-limit -1"},
		{exitUsage, []string{"-data", data, "-full", "-1"}, "-full -1"},
		{exitUsage, []string{"-data", data, "-coverage", "NaN"}, "-coverage NaN"},
		{exitUsage, []string{"-data", data, "-max-rationales", "0"}, "-max-rationales 0"},
		{exitUsage, []string{"-data", data, "-rationales", "mine"}, `-rationales "mine": want one of [packs-or-collected packs collected]`},
		{exitUsage, []string{"-unknown"}, "flag provided but not defined"},
		{exitFailed, []string{"-data", data, "-sets", "toys,cars"}, `there is no set "cars" in ` + data + ", which has photos, toys"},
		{exitFailed, []string{"-data", p.path("mine")}, "there is no photo set in "},
		{exitFailed, []string{"-data", data, "-sets", "toys", "-split", "val"}, `set toys: no photo of the split "val" in a category that is known`},
		{exitFailed, []string{"-data", data, "-weights", "absent"}, "absent does not exist: run ./build.sh build"},
		{exitFailed, []string{"-native", "-data", data, "-weights", p.path("data/photos/index.tsv")}, "index.tsv: "},
		{exitFailed, []string{p.path("labels")}, "there is no folder of photos in it"},
		{exitUsage, []string{"compare"}, "no runs: name files that evaluate -json wrote"},
		{exitUsage, []string{"compare", "-resamples", "5", "x"}, "-resamples 5: want 100 to"},
		{exitFailed, []string{"compare", p.path("absent.json")}, "no such file"},
	} {
		code, out, errs := p.run(t, c.args...)
		assert.Equal(t, c.code, code, c.args)
		assert.NotContains(t, out, "method")
		assert.Contains(t, errs, c.want)
	}
	code, _, errs := p.run(t, "-help")
	assert.Equal(t, exitOK, code)
	assert.Contains(t, errs, "usage: evaluate [flags] [FOLDER...]")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	args := []string{"-module", p.module, "-weights", tinyWeights, "-texts", p.path("train"), "-labels", p.path("labels"), "-data", data}
	assert.Equal(t, exitInterrupted, run(ctx, args, new(bytes.Buffer), &stderr))
	assert.Equal(t, "evaluate: interrupted\n", stderr.String())
}

// TestOneSetFails: the others are scored and written.
func TestOneSetFails(t *testing.T) {
	p := newProject(t)
	p.write(t, "data/toys/images-001.tar.gz", []byte("not an archive"))
	code, out, errs := p.run(t, "-data", p.path("data"), "-json", p.path("r.json"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "evaluate: set toys: "+p.path("data/toys/images-001.tar.gz")+": ")
	assert.Contains(t, out, "photos as everyday: 2 photos")
	r, err := report.Read(p.path("r.json"))
	require.NoError(t, err)
	assert.Len(t, r.Sets, 1)
}

// TestSetsThatCannotBeOpened leave the others as they are, and none is scored twice.
func TestSetsThatCannotBeOpened(t *testing.T) {
	p := newProject(t)
	require.NoError(t, os.Remove(p.path("data/toys/categories.tsv")))
	code, out, errs := p.run(t, "-data", p.path("data"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "evaluate: set toys: ")
	assert.Contains(t, out, "photos as everyday: 2 photos")
	code, _, errs = p.run(t, p.path("mine"), p.path("data/../mine"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, `two sets are called "mine"`)
}

// TestOutputFiles: a file that cannot be written is refused before the work, and
// an older one stays until the new one is whole.
func TestOutputFiles(t *testing.T) {
	p := newProject(t)
	code, out, errs := p.run(t, "-data", p.path("data"), "-json", p.path("absent/r.json"))
	assert.Equal(t, exitFailed, code)
	assert.Empty(t, out)
	assert.Contains(t, errs, "absent/r.json")

	p.write(t, "r.json", []byte("an older run"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	args := []string{"-module", p.module, "-weights", tinyWeights, "-texts", p.path("train"), "-labels", p.path("labels"), "-data", p.path("data"), "-json", p.path("r.json")}
	assert.Equal(t, exitInterrupted, run(ctx, args, new(bytes.Buffer), new(bytes.Buffer)))
	text, err := os.ReadFile(p.path("r.json"))
	require.NoError(t, err)
	assert.Equal(t, "an older run", string(text))
	assert.NoFileExists(t, p.path("r.json.new"))
}

// TestNoReadablePhoto: a set of which no photo can be read has no result.
func TestNoReadablePhoto(t *testing.T) {
	p := newProject(t)
	p.write(t, "broken/cat/a.jpg", []byte("no photo"))
	p.write(t, "broken/dog/b.jpg", nil)
	code, out, errs := p.run(t, p.path("broken"), p.path("mine"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "set broken: none of 2 photos can be read, the first: ")
	assert.NotContains(t, out, "broken: ")
	assert.Contains(t, out, "mine: ")
}

// nothing is an engine whose embeddings are no numbers.
type nothing struct{ score.Engine }

func (nothing) EmbedImage(context.Context, image.Image) ([]float32, error) {
	return []float32{1, float32(math.NaN())}, nil
}

// TestEngineWithoutNumbers: NaN is no answer that could be right.
func TestEngineWithoutNumbers(t *testing.T) {
	m := &score.Model{Engine: nothing{}, Workers: 2, Dim: 2}
	_, _, err := m.Images(t.Context(), generated{t, 5}, photos.Spread(0, 5), func(int) {})
	assert.EqualError(t, err, "the engine's embedding of a photo has NaN at 1")
}

// generated is a set of photos that are made when they are read.
type generated struct {
	t     testing.TB
	total int
}

func (g generated) List() ([]photos.Photo, error) { return make([]photos.Photo, g.total), nil }

func (g generated) Read(numbers []int, use func(int, []byte, error) bool) error {
	for _, n := range numbers {
		if !use(n, pattern(g.t, 60+n), nil) {
			break
		}
	}
	return nil
}

// TestMemoryStaysFlat: neither this process nor the module keeps anything of a
// photo but its embedding and its outcomes.
func TestMemoryStaysFlat(t *testing.T) {
	h, err := host.Open(t.Context(), host.Config{Module: host.Bytes(wasmtest.Module(t)), Weights: host.File(tinyWeights), Instances: 2,
		CacheDir: filepath.Join(os.TempDir(), "ecor-evaluate-test")})
	require.NoError(t, err)
	defer h.Close(context.Background())
	info := h.Info()
	m := &score.Model{Engine: h, Workers: 2, Dim: int(info.ProjectionDim), Scale: info.LogitScale, Templates: explain.Templates(info.Templates)}
	l := &explain.Labels{Categories: []string{"cat", "dog"}, Rationales: []string{"fur", "a tail"}, Own: [][]int{{0}, {1}}}
	var kept []*score.Result
	round := func(n int) (heap, module uint64) {
		embeddings, failed, err := m.Images(t.Context(), generated{t, n}, photos.Spread(0, n), func(int) {})
		require.NoError(t, err)
		require.Equal(t, make([]error, n), failed)
		b, err := m.NewBank(t.Context(), l, true, func(int) {})
		require.NoError(t, err)
		r, err := m.Full(t.Context(), b, &score.Photos{Embeddings: embeddings, Gold: make([]int, n)}, func(int) {})
		require.NoError(t, err)
		kept = append(kept, r)
		runtime.GC()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc, h.MemoryBytes()
	}
	heap, module := round(400) // starts both instances
	heapAfter, moduleAfter := round(400)
	t.Logf("heap %d, then %d bytes; module %d, then %d", heap, heapAfter, module, moduleAfter)
	// The pixels of these photos are 17 MB. The module's memory, which is a part
	// of the heap, grows in steps of up to 4 MB an instance.
	assert.LessOrEqual(t, heapAfter, heap+9<<20)
	assert.LessOrEqual(t, moduleAfter, module+8<<20)
	assert.Len(t, kept[1].Outcomes[0], 400)
	assert.NotEqual(t, metrics.Outcome{}, kept[1].Outcomes[0][399])
}

// TestRealSet scores a few photos of a real set with the shipped weights.
func TestRealSet(t *testing.T) {
	data := os.Getenv("ECOR_DATA")
	const weights, module = "../../dist/weights/ecor-mini.safetensors", "../../dist/ecor.wasm"
	for _, path := range []string{weights, module} {
		if _, err := os.Stat(path); data == "" || err != nil {
			t.Skip("needs ECOR_DATA and what ./build.sh build makes")
		}
	}
	var out, errs bytes.Buffer
	file := filepath.Join(t.TempDir(), "r.json")
	code := run(t.Context(), []string{"-weights", weights, "-module", module, "-texts", "../train", "-labels", "../../weights/labels",
		"-sets", "scenes6", "-limit", "30", "-json", file}, &out, &errs)
	require.Equal(t, exitOK, code, errs.String())
	r, err := report.Read(file)
	require.NoError(t, err)
	s := r.Sets[0]
	assert.Equal(t, 30, s.Photos)
	assert.Equal(t, 6, s.Categories)
	assert.Zero(t, s.NoRationale.Categories)
	for name, m := range s.Methods {
		assert.Greater(t, m.Top1, .25, "%s: guessing gives a sixth", name)
	}
}
