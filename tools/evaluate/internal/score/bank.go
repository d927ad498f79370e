package score

import (
	"context"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/core/explain"
)

// Bank holds the embeddings of a task's prompts.
type Bank struct {
	labels     *explain.Labels
	categories []float32 // (C, dim)
	rationales []float32 // (R, dim)
	table      []float32 // (R, C, dim); nil where only the rationales kept for a photo are scored
}

// Labels returns what the bank's prompts are made of.
func (b *Bank) Labels() *explain.Labels { return b.labels }

// Full reports whether the bank has the prompts of every category given every
// rationale.
func (b *Bank) Full() bool { return b.table != nil }

// Prompts returns how many prompts a bank of the labels has.
func Prompts(l *explain.Labels, full bool) int {
	n := len(l.Categories) + len(l.Rationales)
	if full {
		n += len(l.Categories) * len(l.Rationales)
	}
	return n
}

// NewBank encodes the prompts of labels; full includes those of every category
// given every rationale. done is told how many prompts are finished.
func (m *Model) NewBank(ctx context.Context, l *explain.Labels, full bool, done func(int)) (*Bank, error) {
	b := &Bank{labels: l}
	var err error
	b.categories, err = m.prompts(ctx, len(l.Categories), m.Templates.Category, func(i int, t string) string {
		return explain.CategoryPrompt(t, l.Categories[i])
	}, done)
	if err != nil {
		return nil, err
	}
	b.rationales, err = m.prompts(ctx, len(l.Rationales), m.Templates.Rationale, func(i int, t string) string {
		return explain.RationalePrompt(t, l.Rationales[i])
	}, done)
	if err != nil || !full {
		return b, err
	}
	categories, rationales := len(l.Categories), len(l.Rationales)
	byRationale := rationaleFirst(m.Templates.Conditional)
	place := func(i int) (c, r int) { // of the i-th prompt
		if byRationale {
			return i % categories, i / categories
		}
		return i / rationales, i % rationales
	}
	b.table, err = m.prompts(ctx, categories*rationales, m.Templates.Conditional, func(i int, t string) string {
		c, r := place(i)
		return explain.ConditionalPrompt(t, l.Categories[c], l.Rationales[r])
	}, done)
	if err != nil || byRationale {
		return b, err
	}
	b.table = swapAxes(b.table, categories, rationales, m.Dim)
	return b, nil
}

// rationaleFirst reports whether prompts share more of their beginning where
// they have the rationale in common than where they have the category.
func rationaleFirst(templates []string) bool {
	return strings.Index(templates[0], "{r}") < strings.Index(templates[0], "{c}")
}

// swapAxes turns embeddings (a, b, dim) into (b, a, dim).
func swapAxes(x []float32, a, b, dim int) []float32 {
	out := make([]float32, len(x))
	for i := range a {
		for j := range b {
			copy(out[(j*a+i)*dim:(j*a+i+1)*dim], x[(i*b+j)*dim:(i*b+j+1)*dim])
		}
	}
	return out
}

// Subset returns the bank of labels that are all among b's own.
func (b *Bank) Subset(l *explain.Labels) *Bank {
	dim := len(b.categories) / len(b.labels.Categories)
	categories := places(b.labels.Categories, l.Categories)
	rationales := places(b.labels.Rationales, l.Rationales)
	s := &Bank{labels: l, categories: gather(b.categories, categories, dim), rationales: gather(b.rationales, rationales, dim)}
	if b.table != nil {
		s.table = make([]float32, 0, len(categories)*len(rationales)*dim)
		row := len(b.labels.Categories) * dim
		for _, r := range rationales {
			s.table = append(s.table, gather(b.table[r*row:(r+1)*row], categories, dim)...)
		}
	}
	return s
}

func places(all, some []string) []int {
	out := make([]int, len(some))
	for i, s := range some {
		out[i] = slices.Index(all, s)
	}
	return out
}

// gather returns the given rows of x.
func gather(x []float32, rows []int, dim int) []float32 {
	out := make([]float32, 0, len(rows)*dim)
	for _, r := range rows {
		out = append(out, x[r*dim:(r+1)*dim]...)
	}
	return out
}
