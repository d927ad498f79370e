package labels

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/tsv"
)

// Source says which rationales count as right.
type Source string

// Sources of gold rationales.
const (
	PacksOrCollected Source = "packs-or-collected" // the packs', where they have the category
	Packs            Source = "packs"              // written for this project
	Collected        Source = "collected"          // rationales/clean.json, filtered
)

// Sources lists every Source.
func Sources() []Source { return []Source{PacksOrCollected, Packs, Collected} }

const person = "person"

// Candidate is a category to choose from.
type Candidate struct {
	Name       string
	Rationales []string // may be empty
}

// Task is what photos are classified into.
type Task struct {
	Name       string
	Candidates []Candidate
	// Gold is the candidate that a photo's category stands for. Photos of other
	// categories are left out.
	Gold map[string]int
	// Mapped means that the candidates are a label pack's, among them wider and
	// narrower words for the same thing.
	Mapped bool
}

// Labels returns the candidates with their distinct rationales in the order of
// first appearance.
func (t *Task) Labels() *explain.Labels {
	l := &explain.Labels{}
	at := make(map[string]int)
	for _, c := range t.Candidates {
		own := make([]int, len(c.Rationales))
		for i, r := range c.Rationales {
			j, ok := at[r]
			if !ok {
				j = len(l.Rationales)
				at[r] = j
				l.Rationales = append(l.Rationales, r)
			}
			own[i] = j
		}
		l.Categories = append(l.Categories, c.Name)
		l.Own = append(l.Own, own)
	}
	return l
}

// add makes a photo category stand for the candidate of that name, and counts
// rationales as right for it.
func (t *Task) add(category, name string, rationales []string) {
	i := slices.IndexFunc(t.Candidates, func(c Candidate) bool { return c.Name == name })
	if i < 0 {
		i = len(t.Candidates)
		t.Candidates = append(t.Candidates, Candidate{Name: name})
	}
	c := &t.Candidates[i]
	for _, r := range rationales {
		if !slices.Contains(c.Rationales, r) {
			c.Rationales = append(c.Rationales, r)
		}
	}
	t.Gold[category] = i
}

// Category is a line of a set's categories.tsv.
type Category struct{ Name, Display string }

// Set returns the task of a photo set with all its categories as candidates.
// Categories of one name, such as those that are people, are one candidate.
func (t *Texts) Set(set string, categories []Category, s Source) *Task {
	task := &Task{Name: set, Gold: make(map[string]int)}
	for _, c := range categories {
		everyday := t.mapping[set][c.Name]
		people := t.isPeople(set, c.Name)
		name := strings.ToLower(c.Display)
		if set == "tiny-imagenet" { // a list of synonyms
			name, _, _ = strings.Cut(name, ",")
			name = strings.TrimSpace(name)
		}
		if other, ok := t.names[set][c.Name]; ok {
			name = other
		}
		var collected []string
		if people {
			name = person
		} else {
			collected = t.filter(t.collected[set][c.Name])
		}
		task.add(c.Name, name, s.choose(t.own[everyday], collected))
	}
	return task
}

func (t *Texts) isPeople(set, category string) bool {
	return t.people[set][category] || t.mapping[set][category] == person
}

func (s Source) choose(own, collected []string) []string {
	switch {
	case s == Collected || s == PacksOrCollected && len(own) == 0:
		return collected
	default:
		return own
	}
}

// WithoutPeople returns the task of the set without its categories that are
// people, or nil where there are fewer than two of them.
func (t *Texts) WithoutPeople(set string, categories []Category, s Source) *Task {
	var others []Category
	for _, c := range categories {
		if !t.isPeople(set, c.Name) {
			others = append(others, c)
		}
	}
	if len(categories)-len(others) < 2 || len(others) == 0 {
		return nil
	}
	task := t.Set(set, others, s)
	task.Name += " without people"
	return task
}

// Folder returns the task of a plain folder of categories: their names are
// those of the folders, with spaces for underscores, their rationales those of
// the label packs.
func (t *Texts) Folder(name string, categories []string) *Task {
	task := &Task{Name: name, Gold: make(map[string]int)}
	for _, c := range categories {
		label := strings.ToLower(strings.ReplaceAll(c, "_", " "))
		task.add(c, label, t.own[label])
	}
	return task
}

// Mapped returns the task of a set whose photos are classified into all
// categories of a label pack, through the map of categories.
func (t *Texts) Mapped(set, pack string) (*Task, error) {
	mapping := t.mapping[set]
	if len(mapping) == 0 {
		return nil, fmt.Errorf("category_map.json has no set %q", set)
	}
	names := t.packs[pack]
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no label pack %q", pack)
	}
	task := &Task{Name: set + " as " + pack, Gold: make(map[string]int), Mapped: true}
	for _, n := range names {
		task.Candidates = append(task.Candidates, Candidate{n, t.own[n]})
	}
	for category, name := range mapping {
		if i := slices.Index(names, name); i >= 0 {
			task.Gold[category] = i
		}
	}
	return task, nil
}

// ReadCategories reads the categories.tsv of a set's folder.
func ReadCategories(dir string) ([]Category, error) {
	rows, err := tsv.Read(filepath.Join(dir, "categories.tsv"), "category", "display_name")
	if err != nil {
		return nil, err
	}
	out := make([]Category, len(rows))
	for i, r := range rows {
		out[i] = Category{r[0], r[1]}
	}
	return out, nil
}
