package host

import (
	"bytes"
	"compress/gzip"
	"context"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/ecor-clip/ecor/wasm/wasmtest"
	"github.com/ecor-clip/ecor/wasm/wire"
)

const tinyWeights = "../../core/clip/testdata/tiny/weights.safetensors"

// cacheDir holds the compiled module of this test binary.
var cacheDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ecor-host-test")
	if err != nil {
		panic(err)
	}
	cacheDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func tinyConfig(t testing.TB) Config {
	return Config{Module: Bytes(wasmtest.Module(t)), Weights: File(tinyWeights), CacheDir: cacheDir}
}

func open(t testing.TB, c Config) *Host {
	t.Helper()
	h, err := Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	return h
}

func animals() wire.LabelSet {
	return wire.LabelSet{Categories: []wire.Category{
		{Name: "zebra", Rationales: []string{"black and white stripes", "four legs"}},
		{Name: "cat", Rationales: []string{"whiskers", "four legs"}},
		{Name: "bird", Rationales: []string{"a yellow beak", "blue feathers"}},
	}}
}

// pattern returns a photo with detail at every scale; seed varies it.
func pattern(width, height, seed int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x*7 + seed), uint8(y * 5), uint8(x*y/3 + seed*31), 255})
		}
	}
	return m
}

func classify(t testing.TB, h *Host, img image.Image) *wire.Answer {
	t.Helper()
	a, err := h.Classify(t.Context(), img, NewLabels(animals()), wire.ClassifyOptions{})
	require.NoError(t, err)
	return a
}

func bits(a *wire.Answer) []byte { return a.Append(nil) }

// eachModule runs a test with the strict and with the relaxed module.
func eachModule(t *testing.T, test func(t *testing.T, module []byte)) {
	t.Run("strict", func(t *testing.T) { test(t, wasmtest.Module(t)) })
	t.Run("relaxed", func(t *testing.T) { test(t, wasmtest.RelaxedModule(t)) })
}

func TestModuleImports(t *testing.T) {
	eachModule(t, func(t *testing.T, module []byte) {
		// wazero has no relaxed SIMD. Imports and exports are elsewhere than code.
		module = withoutRelaxed(module)
		r := wazero.NewRuntime(t.Context())
		defer r.Close(context.Background())
		m, err := r.CompileModule(t.Context(), module)
		require.NoError(t, err)
		var names []string
		for _, f := range m.ImportedFunctions() {
			module, name, _ := f.Import()
			assert.Equal(t, "wasi_snapshot_preview1", module)
			names = append(names, name)
		}
		assert.ElementsMatch(t, []string{
			"sched_yield", "proc_exit", "args_get", "args_sizes_get", "clock_time_get", "environ_get",
			"environ_sizes_get", "fd_write", "random_get", "poll_oneoff",
		}, names, "the module can open neither a socket nor a file")
		assert.Empty(t, m.ImportedMemories())
		var exports []string
		for name := range m.ExportedFunctions() {
			exports = append(exports, name)
		}
		assert.ElementsMatch(t, []string{
			"_initialize", "ecor_abi", "ecor_input", "ecor_call", "ecor_output", "ecor_output_len",
		}, exports)
	})
}

// withoutRelaxed returns a module with another instruction that takes three
// vectors, v128.bitselect, in place of every relaxed dot product.
func withoutRelaxed(module []byte) []byte {
	return bytes.ReplaceAll(module, []byte{0xfd, 0x93, 0x02, 0x01}, []byte{0xfd, 0x52, 0x01, 0x01})
}

func TestModuleSize(t *testing.T) {
	eachModule(t, func(t *testing.T, module []byte) {
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		require.NoError(t, err)
		_, err = w.Write(module)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		t.Logf("%d bytes, %d with gzip", len(module), packed.Len())
		assert.LessOrEqual(t, len(module), 2_650_000)
		// The page's engine, module and scripts, is at most 800 000 bytes with gzip -9, of which 16 000 are
		// scripts. compress/gzip packs 2 % less.
		assert.LessOrEqual(t, packed.Len(), 785_000)
	})
}

func TestInfo(t *testing.T) {
	h := open(t, tinyConfig(t))
	info := h.Info()
	assert.Equal(t, "tiny", info.Name)
	assert.Equal(t, "float32", info.Scheme)
	assert.NotZero(t, info.ProjectionDim)
	assert.NotZero(t, info.Parameters)
	assert.InDelta(t, 20, info.LogitScale, 1e-4)
	assert.Len(t, info.Templates.Category, 2)
	assert.Len(t, h.WeightsSHA256(), 64)
	assert.NotZero(t, h.MemoryBytes())
}

func TestClassify(t *testing.T) {
	h := open(t, tinyConfig(t))
	img, labels := pattern(80, 60, 1), NewLabels(animals())
	for _, method := range wire.Methods() {
		a, err := h.Classify(t.Context(), img, labels, wire.ClassifyOptions{Method: method, Top: 3, TopRationales: 5})
		require.NoError(t, err, method)
		assert.Equal(t, method, a.Method)
		require.Len(t, a.Categories, 3)
		sum := a.Uncovered
		for i, c := range a.Categories {
			sum += c.Probability
			if i > 0 {
				assert.LessOrEqual(t, c.Probability, a.Categories[i-1].Probability)
			}
			assert.NotEmpty(t, c.Rationales)
		}
		assert.LessOrEqual(t, sum, float32(1.02), method)
		assert.Len(t, a.ImageEmbedding, int(h.Info().ProjectionDim))
	}
}

func TestClassifyFromEmbedding(t *testing.T) {
	h := open(t, tinyConfig(t))
	want := classify(t, h, pattern(80, 60, 1))
	got, err := h.Classify(t.Context(), nil, NewLabels(animals()), wire.ClassifyOptions{Embedding: want.ImageEmbedding})
	require.NoError(t, err)
	assert.Equal(t, bits(want), bits(got))
}

func TestEmbed(t *testing.T) {
	h := open(t, tinyConfig(t))
	image, err := h.EmbedImage(t.Context(), pattern(80, 60, 1))
	require.NoError(t, err)
	assert.Equal(t, classify(t, h, pattern(80, 60, 1)).ImageEmbedding, image)

	zebra, err := h.EmbedText(t.Context(), "a photo of a zebra")
	require.NoError(t, err)
	cat, err := h.EmbedText(t.Context(), "a photo of a cat")
	require.NoError(t, err)
	assert.InDelta(t, 1, dot(zebra, zebra), 1e-5)
	assert.Less(t, dot(zebra, cat), 0.9999)

	_, err = h.EmbedText(t.Context(), "")
	assert.EqualError(t, err, "the text to embed is empty")
}

// TestEmbedTexts: a text's embedding has the same bits alone and among more
// texts than one run of the text tower takes.
func TestEmbedTexts(t *testing.T) {
	h := open(t, tinyConfig(t))
	var texts []string
	for i := range 400 {
		texts = append(texts, []string{"a photo of a cat", "a photo of a cat with stripes", "zebra", ""}[i%4])
	}
	got, err := h.EmbedTexts(t.Context(), texts)
	require.NoError(t, err)
	dim := int(h.Info().ProjectionDim)
	require.Len(t, got, len(texts)*dim)
	for i, text := range texts[:3] {
		want, err := h.EmbedText(t.Context(), text)
		require.NoError(t, err)
		assert.Equal(t, want, got[i*dim:(i+1)*dim], text)
		assert.Equal(t, want, got[(396+i)*dim:(397+i)*dim], text)
	}
	_, err = h.EmbedTexts(t.Context(), make([]string, 4097))
	assert.ErrorContains(t, err, "4097 texts, want 1..4096")
	_, err = h.EmbedTexts(t.Context(), nil)
	assert.ErrorContains(t, err, "0 texts")
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// TestImageKinds: the same pixels in another Go image type give the same bits.
func TestImageKinds(t *testing.T) {
	h := open(t, tinyConfig(t))
	plain := pattern(64, 48, 3)
	want := bits(classify(t, h, plain))

	premultiplied := image.NewRGBA(plain.Rect)
	framed := image.NewNRGBA(image.Rect(0, 0, 100, 100))
	for y := range 48 {
		for x := range 64 {
			premultiplied.Set(x, y, plain.At(x, y))
			framed.Set(x+11, y+7, plain.At(x, y))
		}
	}
	assert.Equal(t, want, bits(classify(t, h, premultiplied)))
	assert.Equal(t, want, bits(classify(t, h, framed.SubImage(image.Rect(11, 7, 75, 55)))))

	transparent := pattern(64, 48, 3)
	for i := 3; i < len(transparent.Pix); i += 4 {
		transparent.Pix[i] = uint8(i)
	}
	assert.Equal(t, want, bits(classify(t, h, transparent)), "alpha is dropped")
}

// TestBands: a photo that takes several bands gives what the whole photo's
// pixels give, whatever their number of rows.
func TestBands(t *testing.T) {
	h := open(t, tinyConfig(t))
	big := pattern(1500, 1100, 4)
	require.Greater(t, len(big.Pix), 4*chunk)
	a, b := classify(t, h, big), classify(t, h, big)
	assert.Equal(t, bits(a), bits(b))
	assert.NotEqual(t, bits(a), bits(classify(t, h, pattern(1500, 1100, 5))))
}

func TestLabelSwitching(t *testing.T) {
	h := open(t, tinyConfig(t))
	img, first := pattern(80, 60, 1), NewLabels(animals())
	set := animals()
	set.Categories = set.Categories[1:]
	second := NewLabels(set)
	want := classify(t, h, img)
	for range 2 {
		a, err := h.Classify(t.Context(), img, first, wire.ClassifyOptions{})
		require.NoError(t, err)
		assert.Equal(t, bits(want), bits(a))
		a, err = h.Classify(t.Context(), img, second, wire.ClassifyOptions{})
		require.NoError(t, err)
		assert.Len(t, a.Categories, 2)
	}
}

func TestProgress(t *testing.T) {
	h := open(t, tinyConfig(t))
	var phases []wire.Phase
	ctx := WithProgress(t.Context(), func(p wire.Progress) { phases = append(phases, p.Phase) })
	_, err := h.Classify(ctx, pattern(80, 60, 1), NewLabels(animals()), wire.ClassifyOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, phases)
	assert.IsNonDecreasing(t, phases)
	assert.Equal(t, wire.PhaseDone, phases[len(phases)-1])
	assert.Contains(t, phases, wire.PhaseStage2)
}

// TestParallel hammers several instances: every answer has the bits of the
// answer of one instance alone, whatever the instance classified before.
func TestParallel(t *testing.T) {
	const photos, instances, goroutines, rounds = 5, 3, 6, 4
	single := open(t, tinyConfig(t))
	want := make([][]byte, photos)
	for i := range want {
		want[i] = bits(classify(t, single, pattern(70+i, 50, i)))
	}
	c := tinyConfig(t)
	c.Instances = instances
	h := open(t, c)
	labels := NewLabels(animals())
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for round := range rounds {
				i := (g + round) % photos
				a, err := h.Classify(t.Context(), pattern(70+i, 50, i), labels, wire.ClassifyOptions{})
				if assert.NoError(t, err) {
					assert.Equal(t, want[i], bits(a))
				}
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, len(h.idle), instances)
	assert.Greater(t, len(h.idle), 1)
}

// slowLabels makes a classification of many steps.
func slowLabels() *Labels {
	var set wire.LabelSet
	for c := range 150 {
		k := wire.Category{Name: "category " + string(rune('a'+c%26)) + string(rune('a'+c/26))}
		for r := range 20 {
			k.Rationales = append(k.Rationales, k.Name+" has part "+string(rune('a'+r)))
		}
		set.Categories = append(set.Categories, k)
	}
	return NewLabels(set)
}

// TestCancelBetweenSteps: no step begins after ctx is done, whichever step it
// is done in, and the instance stays usable.
func TestCancelBetweenSteps(t *testing.T) {
	h := open(t, tinyConfig(t))
	img, labels := pattern(80, 60, 1), NewLabels(animals())
	want := classify(t, h, img)
	for stop := 1; ; stop++ {
		fresh := open(t, tinyConfig(t)) // no prompt is encoded yet
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		var last wire.Phase
		_, err := fresh.Classify(WithProgress(ctx, func(p wire.Progress) {
			if last = p.Phase; steps == stop-1 {
				cancel()
			}
			steps++
		}), img, labels, wire.ClassifyOptions{})
		if last == wire.PhaseDone {
			require.NoError(t, err)
			require.Greater(t, stop, 5)
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, stop, steps)
		require.Equal(t, bits(want), bits(classify(t, fresh, img)), "after a cancellation in step %d", stop)
		require.Len(t, fresh.idle, 1)
	}
}

// fastest returns the shortest of a few durations: other load on the machine
// can only make them longer.
func fastest(measure func() time.Duration) time.Duration {
	best := measure()
	for range 4 {
		best = min(best, measure())
	}
	return best
}

func TestCancelWithin100ms(t *testing.T) {
	h := open(t, tinyConfig(t))
	labels := slowLabels()
	_, err := h.CheckLabels(t.Context(), labels)
	require.NoError(t, err)
	small, large := pattern(80, 60, 1), image.NewNRGBA(image.Rect(0, 0, 8000, 6000))
	for _, c := range []struct {
		name string
		img  image.Image
	}{{"in a job", small}, {"while a photo of 48 megapixels is sent", large}} {
		took := fastest(func() time.Duration {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan time.Time, 1)
			time.AfterFunc(10*time.Millisecond, func() {
				done <- time.Now()
				cancel()
			})
			_, err := h.Classify(ctx, c.img, labels, wire.ClassifyOptions{})
			require.ErrorIs(t, err, context.Canceled, c.name)
			return time.Since(<-done)
		})
		assert.Less(t, took, 100*time.Millisecond, c.name)
	}
}

func TestCancelWhileWaiting(t *testing.T) {
	h := open(t, tinyConfig(t))
	release := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(release)
	started := make(chan struct{})
	wg.Go(func() {
		assert.NoError(t, h.with(t.Context(), func(*instance) error {
			close(started)
			<-release
			return nil
		}))
	})
	<-started
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := h.EmbedText(ctx, "a photo")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestClose(t *testing.T) {
	h, err := Open(t.Context(), tinyConfig(t))
	require.NoError(t, err)
	require.NoError(t, h.Close(t.Context()))
	require.NoError(t, h.Close(t.Context()), "closing twice does nothing")
	_, err = h.EmbedText(t.Context(), "a photo")
	require.ErrorIs(t, err, ErrClosed)
}

func TestCompilationCache(t *testing.T) {
	c := tinyConfig(t)
	c.CacheDir = filepath.Join(t.TempDir(), "new", "cache")
	open(t, c)
	var files int
	require.NoError(t, filepath.WalkDir(c.CacheDir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	}))
	assert.Equal(t, 1, files)
}

func TestNoNaN(t *testing.T) {
	h := open(t, tinyConfig(t))
	for _, c := range []color.Color{color.Black, color.White, color.NRGBA{}} {
		m := image.NewNRGBA(image.Rect(0, 0, 1, 1))
		m.Set(0, 0, c)
		for _, v := range classify(t, h, m).ImageEmbedding {
			require.False(t, math.IsNaN(float64(v)))
		}
	}
}
