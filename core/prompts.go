package core

import (
	"container/list"
	"strings"

	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
)

// prompts holds the embeddings of a list of labels, encoded when first needed.
type prompts struct {
	templates []string
	labels    []string
	prompt    func(template, label string) string
	dim       int
	rows      []float32 // (labels, dim)
	have      []bool    // (labels)
}

// reset changes the labels. Embeddings of labels that stay are kept where the
// templates stay.
func (p *prompts) reset(templates, labels []string, prompt func(template, label string) string, dim int) {
	old := *p
	*p = prompts{templates, labels, prompt, dim, make([]float32, len(labels)*dim), make([]bool, len(labels))}
	if strings.Join(old.templates, "\n") != strings.Join(templates, "\n") || old.dim != dim {
		return
	}
	at := make(map[string]int, len(old.labels))
	for i, s := range old.labels {
		if old.have[i] {
			at[s] = i
		}
	}
	for i, s := range labels {
		if j, ok := at[s]; ok {
			p.set(i, old.row(j))
		}
	}
}

func (p *prompts) row(i int) []float32 { return p.rows[i*p.dim : (i+1)*p.dim] }

func (p *prompts) set(i int, v []float32) {
	copy(p.row(i), v)
	p.have[i] = true
}

// missing returns the labels without an embedding.
func (p *prompts) missing() []int {
	var out []int
	for i, ok := range p.have {
		if !ok {
			out = append(out, i)
		}
	}
	return out
}

// logits writes scale·cosine of the embedding with every label to dst (labels).
func logits(dst, rows, embedding []float32, scale float32) {
	d := len(embedding)
	for i := range dst {
		dst[i] = float32(scale * kernel.Dot(embedding, rows[i*d:(i+1)*d]))
	}
}

// tableCache keeps the embeddings of the conditional prompts of a rationale
// with every category, for the rationales used last.
type tableCache struct {
	rows  map[string]*list.Element // of *tableRow, by rationale
	order list.List                // most recent first
	limit int                      // rows kept at most
}

type tableRow struct {
	rationale  string
	embeddings []float32 // (categories, dim)
}

// reset prepares the cache for a label set. Rows stay where categories and
// templates stay.
func (t *tableCache) reset(l, old *explain.Labels, dim, bytes int) {
	same := old != nil &&
		strings.Join(old.Conditional, "\n") == strings.Join(l.Conditional, "\n") &&
		strings.Join(old.Categories, "\n") == strings.Join(l.Categories, "\n") &&
		len(old.Categories) == len(l.Categories)
	if !same {
		t.rows = make(map[string]*list.Element)
		t.order.Init()
	}
	t.limit = max(1, bytes/(4*dim*len(l.Categories)))
	t.trim()
}

func (t *tableCache) trim() {
	for t.order.Len() > t.limit {
		e := t.order.Back()
		delete(t.rows, e.Value.(*tableRow).rationale)
		t.order.Remove(e)
	}
}

// get returns the embeddings (categories, dim) of a rationale, or nil.
func (t *tableCache) get(rationale string) []float32 {
	e := t.rows[rationale]
	if e == nil {
		return nil
	}
	t.order.MoveToFront(e)
	return e.Value.(*tableRow).embeddings
}

// room returns a buffer of n values for the next put: that of the row that it
// would push out, or a new one.
func (t *tableCache) room(n int) []float32 {
	if t.order.Len() < t.limit {
		return make([]float32, n)
	}
	e := t.order.Back()
	row := e.Value.(*tableRow)
	delete(t.rows, row.rationale)
	t.order.Remove(e)
	return row.embeddings
}

func (t *tableCache) put(rationale string, embeddings []float32) {
	t.rows[rationale] = t.order.PushFront(&tableRow{rationale, embeddings})
}

// truncations names the labels whose prompts are cut at the context length.
func (c *Classifier) truncations() (warnings []string, err error) {
	m := c.model
	var ids []int32
	cut := func(prompt string) bool {
		truncated := false
		if err == nil {
			ids, truncated, err = m.Tokenizer.Encode(ids[:0], prompt, m.ContextLength)
		}
		return truncated
	}
	// longest warns of every label that is cut and returns one with the most tokens.
	longest := func(what string, p *prompts) string {
		most, label := 0, ""
		for _, s := range p.labels {
			for _, t := range p.templates {
				if cut(p.prompt(t, s)) {
					warnings = append(warnings, errs.Text(what, " ", errs.Quote(s), " is cut at ", m.ContextLength, " tokens"))
					break
				}
			}
			if len(ids) > most {
				most, label = len(ids), s
			}
		}
		return label
	}
	category := longest("category", &c.categories)
	rationale := longest("rationale", &c.rationales)
	for _, t := range c.labels.Conditional {
		if cut(explain.ConditionalPrompt(t, category, rationale)) {
			warnings = append(warnings, errs.Text("prompts of category and rationale together, such as ", errs.Quote(category),
				" with ", errs.Quote(rationale), ", are cut at ", m.ContextLength, " tokens"))
			break
		}
	}
	return warnings, err
}
