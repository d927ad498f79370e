package explain

import (
	"sort"

	"github.com/ecor-clip/ecor/core/kernel"
)

// Method is a way to score categories and rationales.
type Method uint8

// Scoring methods.
const (
	ECOR        Method = iota // P(r|I)·P(c|r,I)
	CLIP                      // P(c|I), r uniform over the category's own rationales
	Independent               // P(r|I)·P(c|I)
	Inverted                  // P(c|I)·P(r|c,I)
	Joint                     // one softmax over all (c, r)
	methods
)

// Valid reports whether m is a known method.
func (m Method) Valid() bool { return m < methods }

// NeedsCategories reports whether m uses the category prompts.
func (m Method) NeedsCategories() bool { return m == CLIP || m == Independent || m == Inverted }

// NeedsRationales reports whether m uses the rationale prompts.
func (m Method) NeedsRationales() bool { return m != CLIP }

// NeedsTable reports whether m uses the conditional prompts (stage 2).
func (m Method) NeedsTable() bool { return m == ECOR || m == Inverted || m == Joint }

// Softmax turns logits into probabilities in place.
func Softmax(x []float32) { kernel.Softmax(x, len(x), 1, len(x), 1) }

// Keep returns the fewest rationales, most probable first, whose probabilities
// p sum to at least coverage, but at most limit of them, and the mass of the
// others. Equal probabilities keep the order of the rationales.
func Keep(p []float32, coverage float32, limit int) (kept []int, uncovered float32) {
	order := top(p, nil, len(p))
	var covered float32
	n := 0
	for n < len(order) && n < limit && (n == 0 || covered < coverage) {
		covered += order[n].P
		n++
	}
	kept = make([]int, n)
	for i, s := range order[:n] {
		kept[i] = s.Index
	}
	for _, s := range order[n:] {
		uncovered += s.P
	}
	return kept, uncovered
}

// Evidence is what a method combines. All values are logits: the logit scale
// times a cosine.
type Evidence struct {
	Categories  []float32 // (C) category prompts
	Rationales  []float32 // (R) rationale prompts
	Conditional []float32 // (K, C) conditional prompts of the kept rationales
	Kept        []int     // (K) rationale of each row of Conditional
}

// Table is a joint distribution of categories and rationales.
type Table struct {
	Rationales []int       // (K) rationale of each column
	Joint      [][]float32 // (C, K) P(c,r|I); a row may be shorter for CLIP
	Columns    [][]int     // (C, own) rationales of each row, for CLIP; else nil
	Marginal   []float32   // (C) P(c|I)
}

// Combine scores evidence by a method. It changes ev's slices.
func Combine(m Method, l *Labels, ev *Evidence) *Table {
	c := len(l.Categories)
	t := &Table{Marginal: make([]float32, c), Joint: make([][]float32, c)}
	if m.NeedsCategories() {
		Softmax(ev.Categories)
	}
	if m == CLIP {
		t.Columns = l.Own
		for i, p := range ev.Categories {
			t.Marginal[i] = p
			row := make([]float32, len(l.Own[i]))
			for j := range row {
				row[j] = p / float32(len(row))
			}
			t.Joint[i] = row
		}
		return t
	}
	Softmax(ev.Rationales)
	if m == Independent {
		t.Rationales = make([]int, len(ev.Rationales))
		for j := range t.Rationales {
			t.Rationales[j] = j
		}
		for i, p := range ev.Categories {
			t.Marginal[i] = p
			row := make([]float32, len(ev.Rationales))
			for j, q := range ev.Rationales {
				row[j] = float32(p * q)
			}
			t.Joint[i] = row
		}
		return t
	}
	k := len(ev.Kept)
	t.Rationales = ev.Kept
	cells := make([]float32, c*k)
	switch m {
	case Joint:
		Softmax(ev.Conditional)
		kernel.Transpose(cells, k, ev.Conditional, c, k, c)
	case Inverted:
		kernel.Transpose(cells, k, ev.Conditional, c, k, c)
		for i, p := range ev.Categories {
			row := cells[i*k : (i+1)*k]
			Softmax(row)
			kernel.Scale(row, p)
		}
	default:
		for j, r := range ev.Kept {
			row := ev.Conditional[j*c : (j+1)*c]
			Softmax(row)
			kernel.Scale(row, ev.Rationales[r])
		}
		kernel.Transpose(cells, k, ev.Conditional, c, k, c)
	}
	for i := range c {
		row := cells[i*k : (i+1)*k]
		t.Joint[i] = row
		for _, p := range row {
			t.Marginal[i] += p
		}
	}
	return t
}

// Score is a category or rationale with its probability.
type Score struct {
	Index int
	P     float32
}

// TopCategories returns the n most probable categories.
func (t *Table) TopCategories(n int) []Score { return top(t.Marginal, nil, n) }

// TopRationales returns the n rationales with the highest joint probability
// with a category.
func (t *Table) TopRationales(category, n int) []Score {
	names := t.Rationales
	if t.Columns != nil {
		names = t.Columns[category]
	}
	return top(t.Joint[category], names, n)
}

// top returns the n largest of p, largest first, equal ones in the order of
// their names. names[i] is the index that p[i] belongs to; nil means i.
func top(p []float32, names []int, n int) []Score {
	all := make([]Score, len(p))
	for i, v := range p {
		all[i] = Score{i, v}
		if names != nil {
			all[i].Index = names[i]
		}
	}
	sort.Sort(byScore(all))
	return all[:min(n, len(all))]
}

// byScore orders the highest score first, equal ones by index.
type byScore []Score

func (s byScore) Len() int      { return len(s) }
func (s byScore) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s byScore) Less(i, j int) bool {
	return s[i].P > s[j].P || s[i].P == s[j].P && s[i].Index < s[j].Index
}
