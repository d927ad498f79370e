package core

import (
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
)

// The tiny model's vocabulary has few words and its texts have at most 20 tokens.
var (
	animals = []explain.Category{
		{Name: "zebra", Rationales: []string{"stripes", "mane"}},
		{Name: "giraffe", Rationales: []string{"neck", "patches"}},
		{Name: "cat", Rationales: []string{"whiskers", "ears", "tail"}},
		{Name: "tiger", Rationales: []string{"fur", "whiskers", "tail"}},
	}
	short = explain.Templates{
		Category:    []string{"a {c}"},
		Rationale:   []string{"has {r}"},
		Conditional: []string{"{r} {c}"},
	}
)

func tiny(t testing.TB) *Classifier {
	t.Helper()
	b, err := os.ReadFile("clip/testdata/tiny/weights.safetensors")
	require.NoError(t, err)
	c := New()
	require.NoError(t, loadWeights(c, b))
	return c
}

func loadWeights(c *Classifier, b []byte) error {
	if err := c.WeightsBegin(uint64(len(b))); err != nil {
		return err
	}
	for len(b) > 0 {
		n := min(len(b), 10000)
		if err := c.WeightsChunk(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return c.WeightsEnd()
}

func withLabels(t testing.TB) *Classifier {
	c := tiny(t)
	warnings, err := c.SetLabels(short, animals, 0)
	require.NoError(t, err)
	require.Empty(t, warnings)
	return c
}

// send sends a noisy photo of 50 × 40 pixels.
func send(t testing.TB, c *Classifier, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	pix := make([]byte, 4*50*40)
	for i := range pix {
		pix[i] = byte(random.IntN(256)) >> (seed % 3)
	}
	require.NoError(t, c.ImageBegin(50, 40))
	require.NoError(t, c.ImageRows(pix[:4*50*7]))
	require.NoError(t, c.ImageRows(pix[4*50*7:]))
}

func run(t testing.TB, c *Classifier) {
	t.Helper()
	for range 10000 {
		p, err := c.Step()
		require.NoError(t, err)
		if p.Phase == PhaseDone {
			return
		}
		require.LessOrEqual(t, p.Done, p.Total)
	}
	t.Fatal("the job does not end")
}

func classify(t testing.TB, c *Classifier, o Options) *Answer {
	t.Helper()
	require.NoError(t, c.ClassifyBegin(o))
	run(t, c)
	a, err := c.Answer()
	require.NoError(t, err)
	return a
}

func embed(t testing.TB, c *Classifier, text string) []float32 {
	t.Helper()
	require.NoError(t, c.EmbedTextsBegin([]string{text}))
	run(t, c)
	v, err := c.Embedding()
	require.NoError(t, err)
	return append([]float32(nil), v...)
}

var allMethods = []explain.Method{explain.ECOR, explain.CLIP, explain.Independent, explain.Inverted, explain.Joint}

// TestECORIsTheProductOfTwoSoftmaxes computes the joint table from embeddings
// of single texts, in float64.
func TestECORIsTheProductOfTwoSoftmaxes(t *testing.T) {
	c := withLabels(t)
	send(t, c, 1)
	a := classify(t, c, Options{Coverage: 1, Top: 99, TopRationales: 99})
	photo, err := c.Embedding()
	require.NoError(t, err)
	photo = append([]float32(nil), photo...)
	l, m := c.Labels(), c.Model()
	require.Equal(t, len(l.Rationales), a.Kept)
	require.Zero(t, a.Uncovered)

	softmax := func(prompts []string) []float64 {
		p := make([]float64, len(prompts))
		sum := 0.0
		for i, s := range prompts {
			p[i] = math.Exp(float64(m.LogitScale) * float64(kernel.Dot(photo, embed(t, c, s))))
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
		}
		return p
	}
	var prompts []string
	for _, r := range l.Rationales {
		prompts = append(prompts, explain.RationalePrompt(short.Rationale[0], r))
	}
	stage1 := softmax(prompts)
	joint := map[string]map[string]float64{}
	for j, r := range l.Rationales {
		var prompts []string
		for _, k := range l.Categories {
			prompts = append(prompts, explain.ConditionalPrompt(short.Conditional[0], k, r))
		}
		for i, p := range softmax(prompts) {
			if joint[l.Categories[i]] == nil {
				joint[l.Categories[i]] = map[string]float64{}
			}
			joint[l.Categories[i]][r] = stage1[j] * p
		}
	}
	require.Len(t, a.Categories, len(animals))
	for _, s := range a.Categories {
		sum := 0.0
		for _, r := range s.Rationales {
			require.InDelta(t, joint[s.Category][r.Rationale], r.Joint, 1e-5)
			sum += joint[s.Category][r.Rationale]
		}
		require.InDelta(t, sum, s.Probability, 1e-5)
	}
}

func TestMethodsSumToTheCoveredMass(t *testing.T) {
	c := withLabels(t)
	for _, m := range allMethods {
		send(t, c, 2)
		a := classify(t, c, Options{Method: m, MaxRationales: 3, Coverage: 0.999, Top: 99})
		var sum float32
		for i, s := range a.Categories {
			sum += s.Probability
			if i > 0 {
				require.LessOrEqual(t, s.Probability, a.Categories[i-1].Probability)
			}
		}
		want := float32(1)
		if m == explain.ECOR {
			require.Positive(t, a.Uncovered)
			want -= a.Uncovered
		}
		require.InDelta(t, want, sum, 1e-5, "method %d", m)
		kept := 0
		if m.NeedsTable() {
			kept = 3
		}
		require.Equal(t, kept, a.Kept, "method %d", m)
	}
}

// An answer must be the same however it came about: from an embedding, with
// warm caches, with caches too small to hold anything, after another label set.
func TestAnswersDoNotDependOnWhatWasCached(t *testing.T) {
	for _, m := range allMethods {
		o := Options{Method: m, Top: 4, TopRationales: 9}
		c := withLabels(t)
		send(t, c, 3)
		first := classify(t, c, o)
		v, err := c.Embedding()
		require.NoError(t, err)
		o.Embedding = append([]float32(nil), v...)
		require.Equal(t, first, classify(t, c, o), "from the embedding, cached")

		_, err = c.SetLabels(short, animals[:2], 0)
		require.NoError(t, err)
		classify(t, c, o)
		_, err = c.SetLabels(short, animals, 1)
		require.NoError(t, err)
		require.Equal(t, first, classify(t, c, o), "another label set between, cache of one row")
		require.Equal(t, first, classify(t, c, o))
		require.LessOrEqual(t, c.table.order.Len(), 1)
	}
}

func TestSeedsReplaceEncoding(t *testing.T) {
	c := withLabels(t)
	o := Options{Method: explain.Independent, Top: 4}
	send(t, c, 4)
	want := classify(t, c, o)
	v, err := c.Embedding()
	require.NoError(t, err)
	o.Embedding = append([]float32(nil), v...)
	categories, rationales := append([]float32(nil), c.categories.rows...), append([]float32(nil), c.rationales.rows...)

	fresh := withLabels(t)
	require.NoError(t, fresh.SeedCategories(0, categories))
	d := fresh.Model().ProjectionDim
	require.NoError(t, fresh.SeedRationales(0, rationales[:2*d]))
	require.NoError(t, fresh.SeedRationales(2, rationales[2*d:]))
	require.Equal(t, want, classify(t, fresh, o))
	require.Empty(t, fresh.texts.Len(), "nothing was left to encode")

	require.ErrorContains(t, fresh.SeedCategories(0, categories[1:]), "not a multiple")
	require.ErrorContains(t, fresh.SeedCategories(1, categories), "outside 0..4")
	categories[3] = float32(math.NaN())
	require.ErrorContains(t, fresh.SeedCategories(0, categories), "not finite")
}

func TestTemplateEnsembleIsTheNormalisedMean(t *testing.T) {
	c := tiny(t)
	set := explain.Templates{Category: []string{"a photo of a {c}", "the {c}", "{c}!"}}
	_, err := c.SetLabels(set, animals, 0)
	require.NoError(t, err)
	send(t, c, 5)
	classify(t, c, Options{Method: explain.CLIP})
	got := append([]float32(nil), c.categories.rows...)
	for i, k := range animals {
		mean := make([]float32, c.Model().ProjectionDim)
		for _, s := range set.Category {
			kernel.Add(mean, embed(t, c, explain.CategoryPrompt(s, k.Name)))
		}
		kernel.Normalize(mean)
		require.InDeltaSlice(t, mean, got[i*len(mean):(i+1)*len(mean)], 1e-6, k.Name)
	}
}

func TestLongLabelsAreReported(t *testing.T) {
	c := tiny(t)
	long := strings.Repeat("zebra ", 30)
	warnings, err := c.SetLabels(short, append([]explain.Category{{Name: long, Rationales: []string{long}}}, animals...), 0)
	require.NoError(t, err)
	text := strings.Join(warnings, "\n")
	require.Contains(t, text, "category \"zebra zebra")
	require.Contains(t, text, "rationale \"zebra zebra")
	require.Contains(t, text, "prompts of category and rationale together")
	require.Len(t, warnings, 3)
}

func TestCallsAtTheWrongTime(t *testing.T) {
	c := New()
	state := func(err error) {
		t.Helper()
		require.Error(t, err)
		require.Equal(t, errs.State, errs.KindOf(err), err.Error())
	}
	_, err := c.SetLabels(short, animals, 0)
	state(err)
	state(c.WeightsChunk(nil))
	state(c.WeightsEnd())
	state(c.ImageBegin(1, 1))
	state(c.ClassifyBegin(Options{}))
	state(c.EmbedTextsBegin([]string{"x"}))
	state(c.EmbedImageBegin())
	_, err = c.Step()
	state(err)
	_, err = c.Answer()
	state(err)
	_, err = c.Embedding()
	state(err)

	c = withLabels(t)
	state(c.ImageRows(make([]byte, 4)))
	state(c.ClassifyBegin(Options{}))
	send(t, c, 1)
	require.NoError(t, c.ClassifyBegin(Options{}))
	c.Cancel()
	_, err = c.Step()
	state(err)
	state(c.ClassifyBegin(Options{}))
}

func TestBadInputLeavesTheEngineUsable(t *testing.T) {
	c := withLabels(t)
	send(t, c, 6)
	want := classify(t, c, Options{})
	for what, err := range map[string]error{
		"of 0×5 pixels":    c.ImageBegin(0, 5),
		"30000×30000":      c.ImageBegin(30000, 30000),
		"unknown method 9": c.ClassifyBegin(Options{Method: 9}),
		"coverage 2":       c.ClassifyBegin(Options{Coverage: 2}),
		"coverage NaN":     c.ClassifyBegin(Options{Coverage: float32(math.NaN())}),
		"want 24":          c.ClassifyBegin(Options{Embedding: []float32{1}}),
		"0 texts, want":    c.EmbedTextsBegin(nil),
		"4097 texts":       c.EmbedTextsBegin(make([]string, MaxEmbedTexts+1)),
		"bytes, at most":   c.EmbedTextsBegin([]string{"a", strings.Repeat("x", 10000)}),
		"at most 400": func() error {
			_, err := c.SetLabels(short, []explain.Category{{Name: strings.Repeat("x", 10000), Rationales: []string{"y"}}}, 0)
			return err
		}(),
	} {
		require.ErrorContains(t, err, what)
	}
	require.NoError(t, c.ImageBegin(50, 40))
	require.ErrorContains(t, c.ClassifyBegin(Options{}), "rows")
	send(t, c, 6)
	require.Equal(t, want, classify(t, c, Options{}))

	require.Error(t, loadWeights(c, []byte("not a weights file at all")))
	b, err := os.ReadFile("clip/testdata/tiny/weights.safetensors")
	require.NoError(t, err)
	require.NoError(t, loadWeights(c, b))
	_, err = c.SetLabels(short, animals, 0)
	require.NoError(t, err)
	send(t, c, 6)
	require.Equal(t, want, classify(t, c, Options{}))
}
