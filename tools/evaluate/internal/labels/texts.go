// Package labels says what the photos of a set are classified into: the
// categories' names and the rationales that count as right for each.
//
// Names, people and the filter are those of tools/train (texts.py, blocked.py),
// from the same data files.
package labels

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/wasm/host/labelpack"
)

// Paths says where texts come from.
type Paths struct {
	Train string // folder with texts.json and category_map.json
	Packs string // folder of label packs
	Data  string // folder with rationales/clean.json; "" for none
}

// Texts is everything that is known about categories.
type Texts struct {
	names     map[string]map[string]string   // set, category: a name instead of the set's own
	people    map[string]map[string]bool     // set, category: photos of people
	mapping   map[string]map[string]string   // set, category: category of our packs
	collected map[string]map[string][]string // set, category: rationales
	own       map[string][]string            // category of our packs: rationales
	packs     map[string][]string            // pack: its categories, in its order
	wider     map[string][]string            // name: narrower names
	blocked   *regexp.Regexp
	harmless  *regexp.Regexp
}

// Read reads the texts. It fails where two label packs disagree about a
// category.
func Read(p Paths) (*Texts, error) {
	t := &Texts{own: make(map[string][]string), packs: make(map[string][]string), people: make(map[string]map[string]bool)}
	if err := t.readTables(filepath.Join(p.Train, "texts.json")); err != nil {
		return nil, err
	}
	if err := readJSON(filepath.Join(p.Train, "category_map.json"), &t.mapping); err != nil {
		return nil, err
	}
	if err := t.readPacks(p.Packs); err != nil {
		return nil, err
	}
	if p.Data != "" {
		err := readJSON(filepath.Join(p.Data, "rationales", "clean.json"), &t.collected)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return t, nil
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (t *Texts) readTables(path string) error {
	var file struct {
		Names    map[string]map[string]string `json:"names"`
		People   map[string][]string          `json:"people"`
		Wider    map[string][]string          `json:"wider"`
		Blocked  map[string]string            `json:"blocked"`
		Harmless string                       `json:"harmless"`
	}
	if err := readJSON(path, &file); err != nil {
		return err
	}
	t.names, t.wider = file.Names, file.Wider
	for set, categories := range file.People {
		t.people[set] = make(map[string]bool)
		for _, c := range categories {
			t.people[set][c] = true
		}
	}
	var words []string
	for _, w := range file.Blocked {
		words = append(words, w)
	}
	if len(words) == 0 || file.Harmless == "" {
		return fmt.Errorf("%s: it has no blocked or no harmless words", path)
	}
	slices.Sort(words)
	var err error
	if t.blocked, err = regexp.Compile(`\b(?:` + strings.Join(words, "|") + `)\b`); err != nil {
		return fmt.Errorf("%s: blocked: %w", path, err)
	}
	if t.harmless, err = regexp.Compile(file.Harmless); err != nil {
		return fmt.Errorf("%s: harmless: %w", path, err)
	}
	return nil
}

func (t *Texts) readPacks(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("there is no label pack in %q", dir)
	}
	all := make(map[string][]string)
	first := make(map[string]string)
	for _, file := range files {
		pack, err := labelpack.Read(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for _, c := range pack.Categories {
			if other, ok := first[c.Name]; ok && !slices.Equal(all[c.Name], c.Rationales) {
				return fmt.Errorf("%s: %q has other rationales in pack %s", file, c.Name, other)
			}
			first[c.Name], all[c.Name] = name, c.Rationales
			if t.Allowed(c.Name) {
				t.packs[name] = append(t.packs[name], c.Name)
				t.own[c.Name] = t.filter(c.Rationales)
			}
		}
	}
	return nil
}

// Allowed reports whether a text says nothing about people's sex, age, race,
// religion, looks, bodies or health.
func (t *Texts) Allowed(text string) bool {
	return !t.blocked.MatchString(t.harmless.ReplaceAllString(strings.ToLower(text), " "))
}

func (t *Texts) filter(rationales []string) []string {
	var out []string
	for _, r := range rationales {
		if t.Allowed(r) {
			out = append(out, r)
		}
	}
	return out
}

// Related reports whether a and b are the same everyday name or one is a wider
// word for the other.
func (t *Texts) Related(a, b string) bool {
	return a == b || slices.Contains(t.wider[a], b) || slices.Contains(t.wider[b], a)
}
