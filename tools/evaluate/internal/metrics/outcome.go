// Package metrics turns joint tables of category and rationale into the figures
// of an evaluation.
package metrics

import (
	"slices"

	"github.com/ecor-clip/ecor/core/explain"
)

// Verdict says whether a photo's category and rationale are right, as the
// public code of "Doubly Right Object Recognition" (Mao et al., arXiv
// 2212.06202) counts it.
type Verdict uint8

// Verdicts. None is that of a photo whose category has no rationale.
const (
	None       Verdict = iota
	RightRight         // right category, for a right reason
	RightWrong         // right category, no right reason
	WrongRight         // wrong category, a right reason
	WrongWrong
)

var verdictNames = [...]string{"--", "RR", "RW", "WR", "WW"}

// String returns two letters: category, then rationale.
func (v Verdict) String() string { return verdictNames[v] }

// Outcome is what a method made of one photo.
type Outcome struct {
	Verdict    Verdict
	Predicted  int     // candidate with the highest P(c|I)
	Rank       int     // of the gold candidate by P(c|I), from 0
	Confidence float32 // P(c|I) of the predicted candidate
	Gold       float32 // P(c|I) of the gold candidate
	Top        [TopK]int
}

// TopK is how many categories an Outcome lists, most probable first, and how
// many pairs the verdict looks at. Where there are fewer candidates, the rest
// of Outcome.Top is -1.
const TopK = 5

// Judge returns the outcome of a photo whose gold candidate is given.
func Judge(t *explain.Table, l *explain.Labels, gold int) Outcome {
	top := topCategories(t.Marginal)
	o := Outcome{
		Predicted:  top[0],
		Confidence: t.Marginal[top[0]],
		Gold:       t.Marginal[gold],
		Top:        top,
		Verdict:    verdict(topPairs(t), l, gold),
	}
	for i, p := range t.Marginal {
		if p > o.Gold || p == o.Gold && i < gold {
			o.Rank++
		}
	}
	return o
}

// topCategories returns the candidates with the highest probability, equal
// ones in their order.
func topCategories(p []float32) [TopK]int {
	top := [TopK]int{-1, -1, -1, -1, -1}
	for i, v := range p {
		at := TopK
		for at > 0 && (top[at-1] < 0 || v > p[top[at-1]]) {
			at--
		}
		if at < TopK {
			copy(top[at+1:], top[at:])
			top[at] = i
		}
	}
	return top
}

// A pair is a category with a rationale.
type pair struct {
	category, rationale int
	p                   float32
}

// before orders pairs: the most probable first, equal ones by category, then by
// rationale.
func (a pair) before(b pair) bool {
	switch {
	case a.p != b.p:
		return a.p > b.p
	case a.category != b.category:
		return a.category < b.category
	}
	return a.rationale < b.rationale
}

// topPairs returns the first TopK pairs of a joint table, or all where there
// are fewer.
func topPairs(t *explain.Table) []pair {
	top := make([]pair, 0, TopK+1)
	for c, row := range t.Joint {
		names := t.Rationales
		if t.Columns != nil {
			names = t.Columns[c]
		}
		for j, p := range row {
			if len(top) == TopK && p < top[TopK-1].p {
				continue
			}
			new := pair{c, names[j], p}
			at := len(top)
			for at > 0 && new.before(top[at-1]) {
				at--
			}
			top = slices.Insert(top, at, new)
			top = top[:min(len(top), TopK)]
		}
	}
	return top
}

// verdict walks the pairs, counting categories, up to the first that has the
// gold category and one of its rationales. The prediction is the category that
// was met most often, of equal ones the one met first.
func verdict(top []pair, l *explain.Labels, gold int) Verdict {
	reasons := l.Own[gold]
	if len(reasons) == 0 {
		return None
	}
	var met, count []int
	together := false
	for _, p := range top {
		i := slices.Index(met, p.category)
		if i < 0 {
			i = len(met)
			met, count = append(met, p.category), append(count, 0)
		}
		count[i]++
		if p.category == gold && slices.Contains(reasons, p.rationale) {
			together = true
			break
		}
	}
	best := 0
	for i, n := range count {
		if n > count[best] {
			best = i
		}
	}
	predicted := met[best]
	switch {
	case predicted == gold && together:
		return RightRight
	case predicted == gold:
		return RightWrong
	}
	for _, p := range top {
		if p.category == predicted && slices.Contains(reasons, p.rationale) {
			return WrongRight
		}
	}
	return WrongWrong
}
