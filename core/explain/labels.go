// Package explain turns cosines between a photo and prompts into categories,
// probabilities and the rationales behind them.
//
// It follows ECOR (Rasekh et al., arXiv 2404.12839): the joint probability of
// category and rationale given the image is P(c,r|I) = P(r|I)·P(c|r,I), each
// factor a softmax over prompts at the model's logit scale. The templates are
// this project's reading of the paper.
package explain

import (
	"strings"
	"unicode/utf8"

	"github.com/ecor-clip/ecor/core/errs"
)

// Limits of a label set.
const (
	MaxCategories         = 4096
	MaxRationales         = 16384 // distinct ones
	MaxCategoryRationales = 64
	MaxLabelBytes         = 400 // of a category, a rationale or a template
	MaxTemplates          = 32  // for each purpose
)

const (
	placeholderC = "{c}"
	placeholderR = "{r}"
)

// Templates are patterns of prompts; several for one purpose are an ensemble.
type Templates struct {
	Category    []string // with {c}
	Rationale   []string // with {r}
	Conditional []string // with {c} and {r}
}

// Category is a category with its own rationales.
type Category struct {
	Name       string
	Rationales []string
}

// Labels is a checked label set.
type Labels struct {
	Templates
	Categories []string
	Rationales []string // distinct, in order of first appearance
	Own        [][]int  // for each category the indices of its rationales
}

// NewLabels checks a label set. Categories and rationales keep their order.
func NewLabels(t Templates, categories []Category) (*Labels, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if len(categories) == 0 {
		return nil, errs.New("labels: there is no category")
	}
	if len(categories) > MaxCategories {
		return nil, errs.OverLimit("labels: ", len(categories), " categories, at most ", MaxCategories)
	}
	l := &Labels{Templates: t}
	categoryAt := make(map[string]bool, len(categories))
	rationaleAt := make(map[string]int)
	for _, c := range categories {
		if err := checkLabel("category", c.Name); err != nil {
			return nil, err
		}
		if categoryAt[c.Name] {
			return nil, errs.New("labels: category ", errs.Quote(c.Name), " occurs twice")
		}
		categoryAt[c.Name] = true
		switch n := len(c.Rationales); {
		case n == 0:
			return nil, errs.New("labels: category ", errs.Quote(c.Name), " has no rationale")
		case n > MaxCategoryRationales:
			return nil, errs.OverLimit("labels: category ", errs.Quote(c.Name), " has ", n, " rationales, at most ", MaxCategoryRationales)
		}
		own := make([]int, 0, len(c.Rationales))
		for _, r := range c.Rationales {
			if err := checkLabel("rationale", r); err != nil {
				return nil, err
			}
			i, ok := rationaleAt[r]
			if !ok {
				i = len(l.Rationales)
				rationaleAt[r] = i
				l.Rationales = append(l.Rationales, r)
			}
			for _, j := range own {
				if i == j {
					return nil, errs.New("labels: category ", errs.Quote(c.Name), " has the rationale ", errs.Quote(r), " twice")
				}
			}
			own = append(own, i)
		}
		l.Categories = append(l.Categories, c.Name)
		l.Own = append(l.Own, own)
	}
	if len(l.Rationales) > MaxRationales {
		return nil, errs.OverLimit("labels: ", len(l.Rationales), " distinct rationales, at most ", MaxRationales)
	}
	return l, nil
}

func checkLabel(what, s string) error {
	switch {
	case len(s) > MaxLabelBytes:
		return errs.OverLimit("labels: ", what, " ", errs.Quote(s), " has ", len(s), " bytes, at most ", MaxLabelBytes)
	case !utf8.ValidString(s):
		return errs.New("labels: ", what, " ", errs.Quote(s), " is not valid UTF-8")
	case strings.TrimSpace(s) == "":
		return errs.New("labels: a ", what, " is empty")
	}
	return nil
}

func (t *Templates) check() error {
	for _, k := range []struct {
		name         string
		list         []string
		placeholders []string
	}{
		{"category", t.Category, []string{placeholderC}},
		{"rationale", t.Rationale, []string{placeholderR}},
		{"conditional", t.Conditional, []string{placeholderC, placeholderR}},
	} {
		if n := len(k.list); n == 0 || n > MaxTemplates {
			return errs.OverLimit("labels: ", n, " ", k.name, " templates, want 1..", MaxTemplates)
		}
		for _, s := range k.list {
			if len(s) > MaxLabelBytes {
				return errs.OverLimit("labels: ", k.name, " template ", errs.Quote(s), " has ", len(s), " bytes, at most ", MaxLabelBytes)
			}
			if !utf8.ValidString(s) {
				return errs.New("labels: ", k.name, " template ", errs.Quote(s), " is not valid UTF-8")
			}
			for _, p := range k.placeholders {
				if !strings.Contains(s, p) {
					return errs.New("labels: ", k.name, " template ", errs.Quote(s), " has no ", p)
				}
			}
		}
	}
	return nil
}

// CategoryPrompt returns the prompt of a category in one template.
func CategoryPrompt(template, category string) string {
	return ConditionalPrompt(template, category, placeholderR)
}

// RationalePrompt returns the prompt of a rationale in one template.
func RationalePrompt(template, rationale string) string {
	return ConditionalPrompt(template, placeholderC, rationale)
}

// ConditionalPrompt returns the prompt of a category given a rationale. Braces
// inside the labels are kept as they are.
func ConditionalPrompt(template, category, rationale string) string {
	var b []byte
	for len(template) > 0 {
		switch {
		case strings.HasPrefix(template, placeholderC):
			b = append(b, category...)
			template = template[len(placeholderC):]
		case strings.HasPrefix(template, placeholderR):
			b = append(b, rationale...)
			template = template[len(placeholderR):]
		default:
			b = append(b, template[0])
			template = template[1:]
		}
	}
	return string(b)
}
