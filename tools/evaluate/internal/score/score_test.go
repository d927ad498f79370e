package score

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/metrics"
)

const dim = 24

// fake embeds a text as a random vector that the text alone decides.
type fake struct {
	mu    sync.Mutex
	texts []string // in the order of the calls
	calls int
	fail  string // a text with this in it fails
}

var errFake = errors.New("the engine failed")

func (f *fake) EmbedImage(context.Context, image.Image) ([]float32, error) {
	return vector("image"), nil
}

func (f *fake) EmbedTexts(_ context.Context, texts []string) ([]float32, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.texts = append(f.texts, texts...)
	var out []float32
	for _, t := range texts {
		if f.fail != "" && strings.Contains(t, f.fail) {
			return nil, errFake
		}
		out = append(out, vector(t)...)
	}
	return out, nil
}

func vector(text string) []float32 {
	h := fnv.New64a()
	h.Write([]byte(text))
	random := rand.New(rand.NewPCG(h.Sum64(), 0))
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(random.NormFloat64())
	}
	kernel.Normalize(v)
	return v
}

func model(f *fake, conditional ...string) *Model {
	return &Model{Engine: f, Workers: 3, Dim: dim, Scale: 20, Templates: explain.Templates{
		Category: []string{"a photo of a {c}", "a picture of a {c}"}, Rationale: []string{"there is {r}"}, Conditional: conditional,
	}}
}

const (
	rationaleLeads = "because there is {r}, a {c}"
	categoryLeads  = "a {c} because there is {r}"
)

// labels makes c categories; some share rationales and the last one has none.
func labels(c int) *explain.Labels {
	l := &explain.Labels{}
	for i := range c {
		l.Categories = append(l.Categories, fmt.Sprint("category ", i))
	}
	for i := range c + 1 {
		l.Rationales = append(l.Rationales, fmt.Sprint("rationale ", i))
	}
	for i := range c - 1 {
		l.Own = append(l.Own, []int{i, i + 1})
	}
	l.Own = append(l.Own, nil)
	return l
}

// examples makes n photos.
func examples(n, categories int) *Photos {
	p := &Photos{}
	for i := range n {
		p.Embeddings = append(p.Embeddings, vector(fmt.Sprint("photo ", i))...)
		p.Gold = append(p.Gold, i%categories)
	}
	return p
}

func ignore(int) {}

// direct scores one photo as the definitions say, one product at a time.
func direct(m *Model, l *explain.Labels, photo []float32, gold int, kept []int) []metrics.Outcome {
	embed := func(templates []string, prompt func(t string) string) float32 {
		sum := make([]float32, dim)
		for _, t := range templates {
			kernel.Add(sum, vector(prompt(t)))
		}
		kernel.Normalize(sum)
		return m.Scale * kernel.Dot(photo, sum)
	}
	var out []metrics.Outcome
	for _, method := range Methods() {
		ev := &explain.Evidence{Kept: kept}
		for _, c := range l.Categories {
			ev.Categories = append(ev.Categories, embed(m.Templates.Category, func(t string) string { return explain.CategoryPrompt(t, c) }))
		}
		for _, r := range l.Rationales {
			ev.Rationales = append(ev.Rationales, embed(m.Templates.Rationale, func(t string) string { return explain.RationalePrompt(t, r) }))
		}
		for _, r := range kept {
			for _, c := range l.Categories {
				ev.Conditional = append(ev.Conditional, embed(m.Templates.Conditional, func(t string) string {
					return explain.ConditionalPrompt(t, c, l.Rationales[r])
				}))
			}
		}
		out = append(out, metrics.Judge(explain.Combine(method, l, ev), l, gold))
	}
	return out
}

// requireOutcomes compares outcomes, probabilities to 1e-4.
func requireOutcomes(t *testing.T, want, got metrics.Outcome, what string) {
	t.Helper()
	require.InDelta(t, want.Confidence, got.Confidence, 1e-4, what)
	require.InDelta(t, want.Gold, got.Gold, 1e-4, what)
	want.Confidence, want.Gold, got.Confidence, got.Gold = 0, 0, 0, 0
	require.Equal(t, want, got, what)
}

func everyRationale(l *explain.Labels) []int {
	out := make([]int, len(l.Rationales))
	for i := range out {
		out[i] = i
	}
	return out
}

// TestFull has more photos than a tile and more pairs than a block.
func TestFull(t *testing.T) {
	for _, templates := range [][]string{{rationaleLeads}, {categoryLeads}, {rationaleLeads, categoryLeads}} {
		f := &fake{}
		m, l := model(f, templates...), labels(25)
		p := examples(2*tile+3, len(l.Categories))
		finished, scored := 0, 0
		var mu sync.Mutex
		b, err := m.NewBank(t.Context(), l, true, func(n int) {
			mu.Lock()
			finished += n
			mu.Unlock()
		})
		require.NoError(t, err)
		assert.Equal(t, Prompts(l, true), finished)
		assert.Equal(t, 25+26+25*26, finished)
		got, err := m.Full(t.Context(), b, p, func(n int) {
			mu.Lock()
			scored += n
			mu.Unlock()
		})
		require.NoError(t, err)
		assert.Equal(t, len(p.Gold), scored)
		assert.Zero(t, got.Uncovered)
		for i, gold := range p.Gold {
			want := direct(m, l, p.Embeddings[i*dim:(i+1)*dim], gold, everyRationale(l))
			for k := range want {
				requireOutcomes(t, want[k], got.Outcomes[k][i], fmt.Sprintf("%v: photo %d, method %d", templates, i, k))
			}
		}
	}
}

// TestPromptsThatBeginAlikeFollowEachOther: the engine shares the work of
// common beginnings between neighbours.
func TestPromptsThatBeginAlikeFollowEachOther(t *testing.T) {
	for template, want := range map[string]string{
		rationaleLeads: "because there is rationale 0, a category 1",
		categoryLeads:  "a category 0 because there is rationale 1",
	} {
		f := &fake{}
		m := model(f, template)
		_, err := m.NewBank(t.Context(), labels(4), true, ignore)
		require.NoError(t, err)
		assert.Equal(t, want, f.texts[2*4+5+1])
		assert.Equal(t, 3, f.calls)
	}
}

func TestSubset(t *testing.T) {
	m, l := model(&fake{}, rationaleLeads), labels(6)
	b, err := m.NewBank(t.Context(), l, true, ignore)
	require.NoError(t, err)
	some := &explain.Labels{
		Categories: []string{"category 4", "category 1"},
		Rationales: []string{"rationale 5", "rationale 4", "rationale 1"},
		Own:        [][]int{{0, 1}, {2}},
	}
	want, err := m.NewBank(t.Context(), some, true, ignore)
	require.NoError(t, err)
	assert.Equal(t, want, b.Subset(some))
	assert.True(t, want.Full())

	pruned, err := m.NewBank(t.Context(), l, false, ignore)
	require.NoError(t, err)
	assert.False(t, pruned.Subset(some).Full())
}

func TestPruned(t *testing.T) {
	m, l := model(&fake{}, rationaleLeads), labels(9)
	p := examples(40, len(l.Categories))
	b, err := m.NewBank(t.Context(), l, false, ignore)
	require.NoError(t, err)
	var mu sync.Mutex
	expected, finished := 0, 0
	count := func(to *int) func(int) {
		return func(n int) {
			mu.Lock()
			*to += n
			mu.Unlock()
		}
	}
	prune := Pruning{Coverage: .8, MaxRationales: 3}
	got, err := m.Pruned(t.Context(), b, p, prune, count(&expected), count(&finished))
	require.NoError(t, err)
	assert.NotZero(t, expected)
	assert.Equal(t, expected, finished)
	var uncovered float64
	for i, gold := range p.Gold {
		photo := p.Embeddings[i*dim : (i+1)*dim]
		var stage1 []float32
		for _, r := range l.Rationales {
			stage1 = append(stage1, m.Scale*kernel.Dot(photo, vector("there is "+r)))
		}
		explain.Softmax(stage1)
		kept, rest := explain.Keep(stage1, prune.Coverage, prune.MaxRationales)
		uncovered += float64(rest) / float64(len(p.Gold))
		want := direct(m, l, photo, gold, kept)
		for k := range want {
			requireOutcomes(t, want[k], got.Outcomes[k][i], fmt.Sprintf("photo %d, method %d", i, k))
		}
	}
	assert.InDelta(t, uncovered, got.Uncovered, 1e-4)
}

func TestEngineErrors(t *testing.T) {
	l := labels(50)
	_, err := model(&fake{fail: "rationale 7"}, rationaleLeads).NewBank(t.Context(), l, true, ignore)
	assert.ErrorIs(t, err, errFake)
	m := model(&fake{fail: "because"}, rationaleLeads)
	b, err := m.NewBank(t.Context(), l, false, ignore)
	require.NoError(t, err)
	_, err = m.Pruned(t.Context(), b, examples(3, 2), Pruning{.9, 4}, ignore, ignore)
	assert.ErrorIs(t, err, errFake)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.NewBank(ctx, l, false, ignore)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestMatrix(t *testing.T) {
	rows := 2*blockRows + 5
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		return x
	}
	embeddings, photos := draw(rows*dim), draw(3*dim)
	m := NewMatrix(append([]float32(nil), embeddings...), dim)
	require.Equal(t, rows, m.Rows())
	got := make([]float32, 3*rows)
	m.Logits(got, photos, 3, 2)
	for i := range 3 {
		for j := range rows {
			want := 2 * kernel.Dot(photos[i*dim:(i+1)*dim], embeddings[j*dim:(j+1)*dim])
			require.InDelta(t, want, got[i*rows+j], 1e-4)
		}
	}
}
