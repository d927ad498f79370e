package score

import (
	"context"
	"runtime"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/metrics"
)

// Methods lists every method in the order of its number.
func Methods() []explain.Method {
	return []explain.Method{explain.ECOR, explain.CLIP, explain.Independent, explain.Inverted, explain.Joint}
}

// Photos are embedded photos with the candidates that are right for them.
type Photos struct {
	Embeddings []float32 // (N, dim)
	Gold       []int     // (N)
}

// Result is what every method made of every photo.
type Result struct {
	Outcomes  [][]metrics.Outcome // (methods, N), in the order of Methods
	Uncovered float64             // mean stage-1 mass of the rationales that were not scored
}

func newResult(photos int) *Result {
	r := &Result{Outcomes: make([][]metrics.Outcome, len(Methods()))}
	for m := range r.Outcomes {
		r.Outcomes[m] = make([]metrics.Outcome, photos)
	}
	return r
}

// tile is how many photos a product takes at a time.
const tile = 32

// Full scores photos over the whole table of a full bank, which cannot be used
// afterwards. done is told how many photos are finished.
func (m *Model) Full(ctx context.Context, b *Bank, p *Photos, done func(int)) (*Result, error) {
	l := b.labels
	categories, rationales, table := NewMatrix(b.categories, m.Dim), NewMatrix(b.rationales, m.Dim), NewMatrix(b.table, m.Dim)
	all := make([]int, len(l.Rationales))
	for i := range all {
		all[i] = i
	}
	n := len(p.Gold)
	result := newResult(n)
	err := parallel(ctx, runtime.GOMAXPROCS(0), (n+tile-1)/tile, func(ctx context.Context, part int) error {
		first, end := part*tile, min((part+1)*tile, n)
		size := end - first
		photos := p.Embeddings[first*m.Dim : end*m.Dim]
		byCategory, byRationale, byPair := m.logits(categories, photos, size), m.logits(rationales, photos, size), m.logits(table, photos, size)
		for i := range size {
			judge(result, l, first+i, p.Gold[first+i], &explain.Evidence{
				Categories:  row(byCategory, i, size),
				Rationales:  row(byRationale, i, size),
				Conditional: row(byPair, i, size),
				Kept:        all,
			})
		}
		done(size)
		return ctx.Err()
	})
	return result, err
}

func (m *Model) logits(x *Matrix, photos []float32, n int) []float32 {
	out := make([]float32, n*x.Rows())
	x.Logits(out, photos, n, m.Scale)
	return out
}

// row returns row i of n rows.
func row(x []float32, i, n int) []float32 {
	width := len(x) / n
	return x[i*width : (i+1)*width]
}

// judge fills in the outcomes of a photo.
func judge(result *Result, l *explain.Labels, photo, gold int, ev *explain.Evidence) {
	for i, method := range Methods() {
		own := &explain.Evidence{ // Combine changes it
			Categories: append([]float32(nil), ev.Categories...),
			Rationales: append([]float32(nil), ev.Rationales...),
			Kept:       ev.Kept,
		}
		if method.NeedsTable() {
			own.Conditional = append([]float32(nil), ev.Conditional...)
		}
		table := explain.Combine(method, l, own)
		result.Outcomes[i][photo] = metrics.Judge(table, l, gold)
	}
}
