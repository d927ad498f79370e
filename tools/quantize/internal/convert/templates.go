package convert

import (
	"fmt"
	"strings"
)

// Templates are the prompts' patterns; several of one kind are an ensemble.
type Templates struct {
	Category    []string // with {c}
	Rationale   []string // with {r}
	Conditional []string // with {c} and {r}
}

// Check reports a template that lacks one of its slots or takes more than one line.
func (t *Templates) Check() error {
	for _, k := range []struct {
		kind  string
		list  []string
		slots []string
	}{
		{"category", t.Category, []string{"{c}"}},
		{"rationale", t.Rationale, []string{"{r}"}},
		{"conditional", t.Conditional, []string{"{c}", "{r}"}},
	} {
		for _, s := range k.list {
			if strings.Contains(s, "\n") {
				return fmt.Errorf("%s template %q has more than one line", k.kind, s)
			}
			for _, slot := range k.slots {
				if !strings.Contains(s, slot) {
					return fmt.Errorf("%s template %q has no %s", k.kind, s, slot)
				}
			}
		}
	}
	return nil
}
