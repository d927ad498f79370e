// Package labels_test holds the label packs to the rules of README.md.
package labels_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/wasm/host/labelpack"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// packs returns the packs of this folder by file name without ".json".
func packs(t *testing.T) map[string]*labelpack.Pack {
	t.Helper()
	files, err := filepath.Glob("*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	out := map[string]*labelpack.Pack{}
	for _, f := range files {
		p, err := labelpack.Read(f)
		require.NoError(t, err)
		out[strings.TrimSuffix(f, ".json")] = p
	}
	return out
}

func TestPacks(t *testing.T) {
	all := packs(t)
	require.Contains(t, all, "everyday")
	assert.GreaterOrEqual(t, len(all["everyday"].Categories), 150)
	for file, p := range all {
		t.Run(file, func(t *testing.T) {
			assert.Equal(t, file, p.Name)
			assert.Equal(t, "en", p.Language)
			assert.Equal(t, "Apache-2.0", p.License)
			assert.NotEmpty(t, p.Author)
			assert.Equal(t, all["everyday"].Templates, p.Templates, "the packs share their templates")
			assert.True(t, slices.IsSortedFunc(p.Categories, func(a, b wire.Category) int {
				return strings.Compare(a.Name, b.Name)
			}), "categories are in alphabetical order")
			for _, c := range p.Categories {
				checkCategory(t, c)
			}
		})
	}
}

func checkCategory(t *testing.T, c wire.Category) {
	t.Helper()
	assert.Empty(t, forbidden.FindString(c.Name), "category %q is about people's sex, age, origin, religion, looks or health", c.Name)
	assert.Equal(t, strings.ToLower(c.Name), c.Name)
	n := len(c.Rationales)
	assert.True(t, 5 <= n && n <= 8, "%q has %d rationales; want 5 to 8", c.Name, n)
	own := regexp.MustCompile(`\b` + regexp.QuoteMeta(c.Name) + `\b`)
	for _, r := range c.Rationales {
		n := len(strings.Fields(r))
		assert.True(t, 2 <= n && n <= 8, "%q: rationale %q has %d words; want 2 to 8", c.Name, r, n)
		assert.Empty(t, forbidden.FindString(r), "%q: rationale %q is about people's sex, age, origin, religion, looks or health", c.Name, r)
		assert.False(t, strings.HasSuffix(r, "."), "%q: rationale %q ends in a full stop", c.Name, r)
		assert.False(t, own.MatchString(r), "%q: rationale %q names its category", c.Name, r)
	}
}

// forbidden matches words about people's sex, age, origin, religion, looks and health.
var forbidden = regexp.MustCompile(`(?i)\b(?:` + strings.Join([]string{
	`m[ae]n`, `wom[ae]n`, `males?`, `females?`, `boys?`, `girls?`, `lad(?:y|ies)`, `gentlem[ae]n`, `mothers?`, `fathers?`, `sex\w*`, `genders?`,
	`masculine`, `feminine`, `transgender`, `gay`, `lesbian`, `pregnan\w*`, `breasts`, `nude`, `nudity`, `naked`,
	`bab(?:y|ies)`, `infants?`, `toddlers?`, `child`, `children`, `kids?`, `teen\w*`, `adults?`, `elderly`, `old`, `young`, `aged`, `seniors?`,
	`mixed race`, `rac(?:ial|is[tm])\w*`, `ethnic\w*`, `nationality`, `caucasian`, `african`, `asian`, `european`, `hispanic`, `latin[oa]s?`, `tribal`, `immigrants?`,
	`(?:black|white|brown|dark|light|pale)[- ](?:people|person|skinned)`, `skin colou?r`,
	`relig\w*`, `christian\w*`, `catholic\w*`, `jew(?:s|ish)?`, `muslims?`, `islam\w*`, `buddh\w*`, `hindu\w*`, `sikhs?`, `pray\w*`, `worship\w*`, `holy`,
	`beautiful`, `pretty`, `handsome`, `attractive`, `ugly`, `sexy`, `obese`, `overweight`, `fat`, `skinny`, `chubby`, `bald`, `tattoos?`, `makeup`,
	`health\w*`, `unhealthy`, `disab\w*`, `handicap\w*`, `diseases?`, `sick\w*`, `ill`, `illness`, `injur\w*`, `patients?`, `blind`, `deaf`, `autis\w*`,
}, "|") + `)\b`)

func TestForbidden(t *testing.T) {
	for _, s := range []string{"a young woman", "An Elderly person", "two children playing", "a dark-skinned person", "a praying figure", "a healthy smile"} {
		assert.Regexp(t, forbidden, s)
	}
	for _, s := range []string{"clothes on the body", "gray wrinkled skin", "a golden brown crust", "mandolin strings", "a race track around it"} {
		assert.NotRegexp(t, forbidden, s)
	}
}

// The table of README.md counts what is there.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for file, p := range packs(t) {
		set := p.LabelSet()
		row := fmt.Sprintf("| `%s.json` | %d | %d |", file, len(p.Categories), len(set.DistinctRationales()))
		assert.Contains(t, string(readme), row)
	}
}

// A category says the same in every pack, so that answers can be compared.
func TestSharedCategories(t *testing.T) {
	type first struct {
		pack       string
		rationales []string
	}
	seen := map[string]first{}
	shared := 0
	for file, p := range packs(t) {
		for _, c := range p.Categories {
			if f, ok := seen[c.Name]; ok {
				shared++
				assert.Equal(t, f.rationales, c.Rationales, "%q in %s and %s", c.Name, f.pack, file)
				continue
			}
			seen[c.Name] = first{file, c.Rationales}
		}
	}
	assert.Positive(t, shared)
}

// The map of the training sets' categories leads to categories of the packs.
func TestCategoryMap(t *testing.T) {
	known := map[string]bool{}
	for _, p := range packs(t) {
		for _, c := range p.Categories {
			known[c.Name] = true
		}
	}
	f, err := os.Open(filepath.Join("..", "..", "tools", "train", "category_map.json"))
	require.NoError(t, err)
	defer f.Close()
	d := json.NewDecoder(f)
	mapped := 0
	members(t, d, "the map", func(set string) {
		members(t, d, set, func(category string) {
			mapped++
			var name string
			require.NoError(t, d.Decode(&name), "%s %s", set, category)
			assert.True(t, known[name], "%s %s is %q, which no pack has", set, category, name)
		})
	})
	assert.Positive(t, mapped)
}

// members reads a JSON object, calls value after each key and refuses keys that come twice.
func members(t *testing.T, d *json.Decoder, what string, value func(key string)) {
	t.Helper()
	open, err := d.Token()
	require.NoError(t, err)
	require.Equal(t, json.Delim('{'), open, what)
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		require.NoError(t, err)
		key := token.(string)
		assert.False(t, seen[key], "%s has %q twice", what, key)
		seen[key] = true
		value(key)
	}
	_, err = d.Token()
	require.NoError(t, err)
}
