package explain

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var templates = Templates{
	Category:    []string{"a photo of a {c}"},
	Rationale:   []string{"there is {r}"},
	Conditional: []string{"because there is {r}, a {c}"},
}

func labels(t testing.TB) *Labels {
	l, err := NewLabels(templates, []Category{
		{"zebra", []string{"stripes", "four legs"}},
		{"tiger", []string{"stripes", "orange fur", "four legs"}},
		{"car", []string{"wheels"}},
	})
	require.NoError(t, err)
	return l
}

func TestLabelsKeepOrderAndShareRationales(t *testing.T) {
	l := labels(t)
	require.Equal(t, []string{"zebra", "tiger", "car"}, l.Categories)
	require.Equal(t, []string{"stripes", "four legs", "orange fur", "wheels"}, l.Rationales)
	require.Equal(t, [][]int{{0, 1}, {0, 2, 1}, {3}}, l.Own)
}

func TestPrompts(t *testing.T) {
	require.Equal(t, "a photo of a {r}", CategoryPrompt("a photo of a {c}", "{r}"))
	require.Equal(t, "is {c}?", RationalePrompt("is {r}?", "{c}"))
	require.Equal(t, "{r} {c} {r}{", ConditionalPrompt("{c} {r} {c}{", "{r}", "{c}"))
}

func TestLabelErrors(t *testing.T) {
	one := []Category{{"a", []string{"b"}}}
	many := func(n int) (out []string) {
		for i := range n {
			out = append(out, strings.Repeat("x", i+1))
		}
		return out
	}
	for want, c := range map[string]struct {
		t Templates
		c []Category
	}{
		"there is no category":             {templates, nil},
		`category "a" has no rationale`:    {templates, []Category{{"a", nil}}},
		`category "a" occurs twice`:        {templates, []Category{one[0], one[0]}},
		`has the rationale "b" twice`:      {templates, []Category{{"a", []string{"b", "b"}}}},
		"has 10000 bytes, at most 400":     {templates, []Category{{strings.Repeat("x", 10000), []string{"b"}}}},
		"is not valid UTF-8":               {templates, []Category{{"a\xff", []string{"b"}}}},
		"a rationale is empty":             {templates, []Category{{"a", []string{" "}}}},
		"has 65 rationales, at most 64":    {templates, []Category{{"a", many(65)}}},
		"4097 categories, at most 4096":    {templates, make([]Category, 4097)},
		"0 category templates, want 1..32": {Templates{}, one},
		`conditional template "{c}" has no {r}`: {Templates{
			templates.Category, templates.Rationale, []string{"{c}"}}, one},
	} {
		_, err := NewLabels(c.t, c.c)
		require.ErrorContains(t, err, want)
	}
}

func TestKeep(t *testing.T) {
	for name, c := range map[string]struct {
		p         []float32
		coverage  float32
		limit     int
		want      []int
		uncovered float32
	}{
		"fewest that reach the mass": {[]float32{0.125, 0.5, 0.25, 0.125}, 0.75, 9, []int{1, 2}, 0.25},
		"limit":                      {[]float32{0.125, 0.5, 0.25, 0.125}, 0.75, 1, []int{1}, 0.5},
		"ties keep the order":        {[]float32{0.25, 0.25, 0.25, 0.25}, 0.5, 9, []int{0, 1}, 0.5},
		"everything":                 {[]float32{0.25, 0.75}, 1, 9, []int{1, 0}, 0},
		"at least one":               {[]float32{0.25, 0.75}, 0, 9, []int{1}, 0.25},
	} {
		kept, uncovered := Keep(c.p, c.coverage, c.limit)
		require.Equal(t, c.want, kept, name)
		require.Equal(t, c.uncovered, uncovered, name)
	}
}

// softmax in float64, of logits.
func softmax(x []float64) []float64 {
	sum := 0.0
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Exp(v)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// TestCombine compares every method with the formula of its definition in
// float64, on random logits of a pruned table.
func TestCombine(t *testing.T) {
	l := labels(t)
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		draw := func(n int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(4 * random.NormFloat64())
			}
			return x
		}
		c, kept := len(l.Categories), []int{2, 0}
		category, rationale, table := draw(c), draw(len(l.Rationales)), draw(len(kept)*c)
		pc, pr, all := softmax(wide(category)), softmax(wide(rationale)), softmax(wide(table))
		want := map[Method]func(i, k, r int) float64{
			ECOR:        func(i, k, r int) float64 { return pr[r] * softmax(wide(table[k*c : (k+1)*c]))[i] },
			Independent: func(i, _, r int) float64 { return pr[r] * pc[i] },
			Inverted: func(i, k, _ int) float64 {
				return pc[i] * softmax([]float64{float64(table[i]), float64(table[c+i])})[k]
			},
			Joint: func(i, k, _ int) float64 { return all[k*c+i] },
		}
		for m, formula := range want {
			got := Combine(m, l, &Evidence{
				Categories: append([]float32(nil), category...), Rationales: append([]float32(nil), rationale...),
				Conditional: append([]float32(nil), table...), Kept: kept,
			})
			for i := range c {
				sum := 0.0
				for k, r := range got.Rationales {
					p := formula(i, k, r)
					require.InDelta(t, p, got.Joint[i][k], 1e-5, "method %d category %d rationale %d", m, i, r)
					sum += p
				}
				require.InDelta(t, sum, got.Marginal[i], 1e-5, "method %d category %d", m, i)
			}
		}
		got := Combine(CLIP, l, &Evidence{Categories: append([]float32(nil), category...)})
		for i := range c {
			require.InDelta(t, pc[i], got.Marginal[i], 1e-5)
			require.Equal(t, l.Own[i], got.Columns[i])
			for _, p := range got.Joint[i] {
				require.InDelta(t, pc[i]/float64(len(l.Own[i])), p, 1e-5)
			}
		}
	}
}

func TestTop(t *testing.T) {
	table := &Table{
		Rationales: []int{7, 3, 5},
		Joint:      [][]float32{{0.25, 0.25, 0.5}},
		Marginal:   []float32{0.5, 0.125, 0.5},
	}
	require.Equal(t, []Score{{0, 0.5}, {2, 0.5}}, table.TopCategories(2))
	require.Equal(t, []Score{{5, 0.5}, {3, 0.25}, {7, 0.25}}, table.TopRationales(0, 9), "ties by index")
}
