package score

import (
	"context"
	"runtime"
	"slices"

	"github.com/ecor-clip/ecor/core/explain"
)

// Pruning bounds what is scored for a photo, as in the engine: the fewest
// rationales that reach a share of stage 1.
type Pruning struct {
	Coverage      float32
	MaxRationales int
}

// evidenceBytes bounds the logits that are held at a time.
const evidenceBytes = 256 << 20

// Pruned scores photos over the rationales that each of them keeps. started is
// told how many more prompts will be encoded, done how many are finished.
func (m *Model) Pruned(ctx context.Context, b *Bank, p *Photos, prune Pruning, started, done func(int)) (*Result, error) {
	l := b.labels
	categories, rationales := NewMatrix(b.categories, m.Dim), NewMatrix(b.rationales, m.Dim)
	n := len(p.Gold)
	result := newResult(n)
	group := max(1, evidenceBytes/(4*prune.MaxRationales*len(l.Categories)))
	for first := 0; first < n; first += group {
		end := min(first+group, n)
		photos := p.Embeddings[first*m.Dim : end*m.Dim]
		evidence := make([]explain.Evidence, end-first)
		keepers := make([][]int, len(l.Rationales)) // photos of the group that keep a rationale
		byCategory, byRationale := m.logits(categories, photos, len(evidence)), m.logits(rationales, photos, len(evidence))
		for i := range evidence {
			e := &evidence[i]
			e.Categories, e.Rationales = row(byCategory, i, len(evidence)), row(byRationale, i, len(evidence))
			stage1 := append([]float32(nil), e.Rationales...)
			explain.Softmax(stage1)
			var uncovered float32
			e.Kept, uncovered = explain.Keep(stage1, prune.Coverage, prune.MaxRationales)
			result.Uncovered += float64(uncovered) / float64(n)
			e.Conditional = make([]float32, len(e.Kept)*len(l.Categories))
			for _, r := range e.Kept {
				keepers[r] = append(keepers[r], i)
			}
		}
		if err := m.fill(ctx, l, photos, evidence, keepers, started, done); err != nil {
			return nil, err
		}
		err := parallel(ctx, runtime.GOMAXPROCS(0), len(evidence), func(ctx context.Context, i int) error {
			judge(result, l, first+i, p.Gold[first+i], &evidence[i])
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return result, nil
}

// fill encodes the prompts of every rationale that a photo keeps with all
// categories and computes their logits.
func (m *Model) fill(ctx context.Context, l *explain.Labels, photos []float32, evidence []explain.Evidence, keepers [][]int, started, done func(int)) error {
	var kept []int
	for r, k := range keepers {
		if len(k) > 0 {
			kept = append(kept, r)
		}
	}
	c := len(l.Categories)
	started(len(kept) * c)
	return parallel(ctx, m.Workers, len(kept), func(ctx context.Context, i int) error {
		r := kept[i]
		one := Model{m.Engine, 1, m.Dim, m.Scale, m.Templates}
		rows, err := one.prompts(ctx, c, m.Templates.Conditional, func(i int, t string) string {
			return explain.ConditionalPrompt(t, l.Categories[i], l.Rationales[r])
		}, done)
		if err != nil {
			return err
		}
		logits := m.logits(NewMatrix(rows, m.Dim), gather(photos, keepers[r], m.Dim), len(keepers[r]))
		for j, photo := range keepers[r] {
			e := &evidence[photo]
			at := slices.Index(e.Kept, r) * c
			copy(e.Conditional[at:at+c], row(logits, j, len(keepers[r])))
		}
		return nil
	})
}
