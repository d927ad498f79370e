package convert

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

// drawPhotos writes n different pictures to a folder.
func drawPhotos(t *testing.T, dir string, n int) string {
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for i := range n {
		img := image.NewNRGBA(image.Rect(0, 0, 44+i%5, 36))
		for y := range 36 {
			for x := range img.Rect.Dx() {
				wave := func(a, b float64) uint8 {
					return uint8(127 + 120*math.Sin(float64(x)*a*float64(1+i%7)/9+float64(y)*b*float64(1+i%4)/7+float64(i)))
				}
				img.SetNRGBA(x, y, color.NRGBA{wave(1, 0.3), wave(0.2, 1), wave(0.7, 0.7), 255})
			}
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%03d.png", i)))
		require.NoError(t, err)
		require.NoError(t, png.Encode(f, img))
		require.NoError(t, f.Close())
	}
	return dir
}

// judged returns options that calibrate, judge and report.
func judged(t *testing.T, scheme quant.Scheme) *Options {
	o := options(t, checkpointtest.Golden(t, "tiny"))
	o.Scheme = scheme
	o.Photos = drawPhotos(t, filepath.Join(t.TempDir(), "photos"), 24)
	o.Labels = writePacks(t, pack)
	o.Report = filepath.Join(t.TempDir(), "report.json")
	return o
}

// Every scheme keeps what it promises of a model's results, and the schemes are in the order of their names' bits.
func TestSchemes(t *testing.T) {
	size, cosine := map[quant.Scheme]int64{}, map[quant.Scheme]float64{}
	for _, c := range []struct {
		scheme quant.Scheme
		least  float64
	}{{quant.Float32, 0.999999}, {quant.W8, 0.9995}, {quant.W8A7, 0.997}, {quant.W4A7, 0.97}} {
		o := judged(t, c.scheme)
		r := convert(t, o)
		f := r.Fidelity
		t.Logf("%s: images %+v, texts %+v", c.scheme, *f.Images, *f.Texts)
		assert.GreaterOrEqual(t, f.Images.Mean, c.least, c.scheme)
		assert.GreaterOrEqual(t, f.Texts.Mean, c.least, c.scheme)
		assert.LessOrEqual(t, f.Images.Min, f.Images.P1)
		assert.LessOrEqual(t, f.Images.P1, f.Images.Mean)
		assert.Equal(t, "small.json", f.Agreement[0].Labels)
		if c.scheme == quant.Float32 {
			assert.Equal(t, 24, f.Images.Count)
			assert.Equal(t, 24, f.Agreement[0].Same)
		} else {
			assert.Equal(t, 12, f.Images.Count, "the other half calibrates")
			assert.Regexp(t, `^12 photos, \d texts$`, r.Calibration)
		}
		size[c.scheme], cosine[c.scheme] = r.Files[0].Bytes, f.Images.Mean

		var written report.Report
		require.NoError(t, json.Unmarshal(read(t, o.Report), &written))
		assert.Equal(t, report.Format, written.Format)
		assert.Equal(t, string(c.scheme), written.Scheme)
		assert.Equal(t, f, written.Fidelity)
		assert.Equal(t, r.Files, written.Files)
		worst := 0.0
		for _, l := range written.Layers {
			worse := math.Inf(1)
			for _, ratio := range []*float64{l.Weights, l.Output} {
				if ratio != nil {
					worse = min(worse, *ratio)
				}
			}
			assert.GreaterOrEqual(t, worse, worst, l.Name)
			worst = worse
		}
	}
	assert.Less(t, size[quant.W8A7], size[quant.Float32])
	assert.InDelta(t, size[quant.W8A7], size[quant.W8], 8, "the same integers")
	assert.Less(t, size[quant.W4A7], size[quant.W8A7])
	assert.Greater(t, cosine[quant.W8], cosine[quant.W8A7])
	assert.Greater(t, cosine[quant.W8A7], cosine[quant.W4A7])
}

// Fitting to calibration inputs does better on other inputs than rounding.
func TestFittingHelps(t *testing.T) {
	fitted := judged(t, quant.W4A7)
	a := convert(t, fitted).Fidelity

	// Without photos and label packs there is nothing to calibrate on; the results are judged afterwards.
	rounded := judged(t, quant.W4A7)
	rounded.Photos, rounded.Labels, rounded.Report = "", nil, ""
	r := convert(t, rounded)
	assert.Equal(t, "no photos (weights rounded, not fitted), no texts (weights rounded, not fitted)", r.Calibration)
	assert.Nil(t, r.Fidelity)
	exact := options(t, fitted.In)
	exact.Scheme = quant.Float32
	convert(t, exact)
	want := embeddings(t, filepath.Join(exact.Out, "tiny.safetensors"))
	with := loss(want, embeddings(t, filepath.Join(fitted.Out, "tiny.safetensors")))
	without := loss(want, embeddings(t, filepath.Join(rounded.Out, "tiny.safetensors")))
	t.Logf("1 - cosine: fitted %.5f on the judged inputs and %.5f on others, rounded %.5f", 1-a.Images.Mean, with, without)
	assert.Less(t, with, without)
}

// Embeddings in four bits make the file smaller and the texts a little worse.
func TestEmbed4(t *testing.T) {
	eight, four := judged(t, quant.W4A7), judged(t, quant.W4A7)
	four.Embed4, four.Group = true, 64
	a, b := convert(t, eight), convert(t, four)
	assert.Less(t, b.Files[0].Bytes, a.Files[0].Bytes)
	assert.Equal(t, "4", metadataOf(t, filepath.Join(four.Out, "tiny.safetensors"))["embedding_bits"])
	assert.Equal(t, "64", metadataOf(t, filepath.Join(four.Out, "tiny.safetensors"))["group_size"])
	assert.GreaterOrEqual(t, b.Fidelity.Texts.Mean, 0.95)
}

// The bytes do not depend on how many processors there are.
func TestSameBytesWithOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for _, scheme := range []quant.Scheme{quant.W8A7, quant.W4A7} {
		o := judged(t, scheme)
		two := convert(t, o)
		file := read(t, o.Out, "tiny.safetensors")
		runtime.GOMAXPROCS(1)
		o.Out = filepath.Join(t.TempDir(), "again")
		assert.Equal(t, two, convert(t, o))
		assert.Equal(t, file, read(t, o.Out, "tiny.safetensors"))
		runtime.GOMAXPROCS(2)
	}
}

// A loss that is greater than allowed leaves nothing, but the figures are there to be shown.
func TestMaxLoss(t *testing.T) {
	o := judged(t, quant.W8A7)
	labelled := t.TempDir()
	o.Accuracy = []string{labelled}
	drawPhotos(t, filepath.Join(labelled, "grey_cat"), 5)
	drawPhotos(t, filepath.Join(labelled, "zebra"), 4)
	var err error
	o.Limits, err = report.ParseLimits("cosine=0.999999,top1=0")
	require.NoError(t, err)
	r, err := Run(t.Context(), o, report.NewProgress(io.Discard))
	require.ErrorContains(t, err, "the loss is greater than -max-loss allows: mean cosine of images is 0.99")
	assert.NoDirExists(t, o.Out)
	assert.NoFileExists(t, o.Report)
	entries, err := os.ReadDir(filepath.Dir(o.Report))
	require.NoError(t, err)
	assert.Empty(t, entries)
	require.NotNil(t, r.Fidelity)
	assert.Equal(t, []int{9, 2}, []int{r.Fidelity.Accuracy[0].Photos, r.Fidelity.Accuracy[0].Categories})

	o.Limits, err = report.ParseLimits("cosine=0.99,p1=0.98,agreement=0.5,top1=100")
	require.NoError(t, err)
	convert(t, o)
	assert.FileExists(t, o.Report)
}

// breakPhotos cuts photos of a folder short.
func breakPhotos(t *testing.T, dir string, numbers ...int) {
	for _, i := range numbers {
		path := filepath.Join(dir, fmt.Sprintf("%03d.png", i))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(path, info.Size()/2))
	}
}

// One broken photo among many ended the run, in the judged half after all the work.
func TestBrokenPhotosAreSkipped(t *testing.T) {
	o := judged(t, quant.W8A7)
	breakPhotos(t, o.Photos, 2, 5, 7) // every second one calibrates, from 0 on
	labelled := t.TempDir()
	o.Accuracy = []string{labelled, labelled}
	drawPhotos(t, filepath.Join(labelled, "cat"), 5)
	drawPhotos(t, filepath.Join(labelled, "zebra"), 4)
	breakPhotos(t, filepath.Join(labelled, "cat"), 0)
	r := convert(t, o)
	assert.Regexp(t, `^11 photos, `, r.Calibration)
	assert.Equal(t, 10, r.Fidelity.Images.Count)
	assert.Equal(t, 10, r.Fidelity.Agreement[0].Photos)
	assert.Equal(t, 8, r.Fidelity.Accuracy[0].Photos)
	require.Len(t, r.Warnings, 4, "each photo once")
	for i, path := range []string{
		filepath.Join(o.Photos, "002.png"), filepath.Join(o.Photos, "005.png"), filepath.Join(o.Photos, "007.png"), filepath.Join(labelled, "cat", "000.png"),
	} {
		assert.Contains(t, r.Warnings[i], "photo skipped: "+path+": ")
	}
}

// Where too few photos are left, the run fails and says why.
func TestTooFewPhotosCanBeRead(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, o *Options)
		want   string
	}{
		{"none to calibrate on", func(t *testing.T, o *Options) { breakPhotos(t, o.Photos, 0, 2) }, "photos: 0 of the 2 photos to calibrate on can be read: want at least 1; photo skipped: "},
		{"none to compare", func(t *testing.T, o *Options) { breakPhotos(t, o.Photos, 1, 3) }, "photos: 0 of the 2 photos to compare can be read: want at least 1; photo skipped: "},
		{"one", func(t *testing.T, o *Options) {
			o.Calibrate = 0
			breakPhotos(t, o.Photos, 0, 1, 2)
		}, "photos: 1 of the 4 photos to compare can be read: want at least 2; photo skipped: "},
		{"accuracy", func(t *testing.T, o *Options) {
			o.Accuracy = []string{t.TempDir()}
			for _, name := range []string{"cat", "zebra"} {
				breakPhotos(t, drawPhotos(t, filepath.Join(o.Accuracy[0], name), 2), 0, 1)
			}
		}, ": 0 of the 4 photos to compare can be read: want at least 2; photo skipped: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := judged(t, quant.W8A7)
			o.Photos = drawPhotos(t, filepath.Join(t.TempDir(), "photos"), 4)
			c.damage(t, o)
			_, err := Run(t.Context(), o, report.NewProgress(io.Discard))
			require.ErrorContains(t, err, c.want)
			assert.NoDirExists(t, o.Out)
		})
	}
}

// Embeddings that are no numbers passed every limit, and a report of them could not be written.
func TestEmbeddingsThatAreNoNumbersFail(t *testing.T) {
	for tensor, want := range map[string]string{
		"visual_projection.weight": `\.png: the embedding that the checkpoint's tensors give it holds NaN: want finite values$`,
		"text_projection.weight":   `^category "zebra": the embedding holds NaN$`,
	} {
		o := judged(t, quant.W8)
		o.In = checkpointtest.Copy(t, "tiny")
		checkpointtest.EditTensors(t, o.In, func(x []safetensors.TensorData) []safetensors.TensorData {
			checkpointtest.EditFloats(t, x, tensor, func(_ int, v float32) float32 { return v * 1e38 })
			return x
		})
		var err error
		o.Limits, err = report.ParseLimits("cosine=0.5")
		require.NoError(t, err)
		_, err = Run(t.Context(), o, report.NewProgress(io.Discard))
		require.Error(t, err)
		assert.Regexp(t, want, err.Error())
		assert.NoDirExists(t, o.Out)
	}
}

// Where the two categories' photos are the same, half of them are right.
func TestAccuracyCountsLabels(t *testing.T) {
	o := options(t, checkpointtest.Golden(t, "tiny"))
	o.Scheme = quant.Float32
	dir := t.TempDir()
	drawPhotos(t, filepath.Join(dir, "cat"), 6)
	drawPhotos(t, filepath.Join(dir, "zebra"), 6)
	o.Accuracy = []string{dir, dir}
	r := convert(t, o)
	want := report.Accuracy{Folder: dir, Categories: 2, Photos: 12, Exact: 6, Right: 6}
	assert.Equal(t, []report.Accuracy{want, want}, r.Fidelity.Accuracy)
	total := r.Fidelity.Total()
	assert.Equal(t, 24, total.Photos)
	assert.Nil(t, r.Fidelity.Images)

	o.Accuracy = []string{filepath.Join(dir, "cat")}
	_, err := Run(t.Context(), o, report.NewProgress(io.Discard))
	require.ErrorContains(t, err, "holds photos of 0 categories: want a folder for each of at least 2")
	o.Photos = t.TempDir()
	o.Accuracy = nil
	_, err = Run(t.Context(), o, report.NewProgress(io.Discard))
	require.ErrorContains(t, err, "holds 0 photos: want at least 2")
}
