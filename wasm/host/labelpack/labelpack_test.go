package labelpack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/wasm/wire"
)

const small = `{
  "format": "ecor-labels-1", "name": "Small", "language": "en", "author": "us", "license": "CC0-1.0",
  "templates": {"category": "a photo of a {c}", "conditional": ["{c}, {r}", "{r}: {c}"]},
  "categories": {
    "zebra": ["black and white stripes", "four legs"],
    " Äpfel ": ["rote Schale"],
    "cat": "whiskers",
    "bear": ["four legs"]
  }
}`

func TestParse(t *testing.T) {
	p, err := Parse([]byte(small))
	require.NoError(t, err)
	assert.Equal(t, []wire.Category{
		{Name: "zebra", Rationales: []string{"black and white stripes", "four legs"}},
		{Name: "Äpfel", Rationales: []string{"rote Schale"}},
		{Name: "cat", Rationales: []string{"whiskers"}},
		{Name: "bear", Rationales: []string{"four legs"}},
	}, p.Categories, "in the order of the file")
	assert.Equal(t, wire.Templates{
		Category: []string{"a photo of a {c}"}, Conditional: []string{"{c}, {r}", "{r}: {c}"},
	}, p.Templates)
	assert.Equal(t, []string{"Small", "en", "us", "CC0-1.0"}, []string{p.Name, p.Language, p.Author, p.License})
	sum := sha256.Sum256([]byte(small))
	assert.Equal(t, hex.EncodeToString(sum[:]), p.SHA256)
	assert.Equal(t, wire.LabelSet{Templates: p.Templates, Categories: p.Categories}, p.LabelSet())
}

func TestByteOrderMark(t *testing.T) {
	p, err := Parse([]byte("\ufeff" + small))
	require.NoError(t, err)
	assert.Len(t, p.Categories, 4)
}

// with returns a pack whose "categories" are the given JSON.
func with(categories string) string {
	return `{"format": "ecor-labels-1", "categories": ` + categories + `}`
}

func withTemplates(templates string) string {
	return `{"format": "ecor-labels-1", "templates": ` + templates + `, "categories": {"a": ["b"]}}`
}

func many(n int, item func(i int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return strings.Join(items, ",")
}

func TestLimitsAreReachable(t *testing.T) {
	label := strings.Repeat("a", MaxLabel)
	categories := many(MaxCategories, func(i int) string { return fmt.Sprintf(`"c%d": ["r%d"]`, i, i) })
	rationales := many(MaxRationales, func(i int) string { return fmt.Sprintf(`"r%d"`, i) })
	for _, text := range []string{
		with(`{"` + label + `": ["` + label + `"]}`),
		with(`{` + categories + `}`),
		with(`{"a": [` + rationales + `]}`),
	} {
		_, err := Parse([]byte(text))
		require.NoError(t, err)
	}
}

func TestErrors(t *testing.T) {
	long := strings.Repeat("a", 10_000)
	cut := `"` + long[:40] + `"…`
	for _, c := range []struct{ name, text, want string }{
		{"empty file", "", "the JSON text ends early"},
		{"not JSON", "zebra", "line 1, column 1: invalid character 'z'"},
		{"a list", "[]", "the label pack must be an object, not a list"},
		{"null", "null", "the label pack must be an object, not null"},
		{"syntax", "{\n  \"format\": \"ecor-labels-1\",\n  \"name\": nope}", "line 3, column 12: invalid character 'o'"},
		{"cut off", small[:len(small)-2], "line 9, column 3: unexpected end of JSON input"},
		{"more text", small + "{}", "text after the end of the JSON object"},
		{"invalid UTF-8", with("{\"caf\xe9\": [\"b\"]}"), "line 1, column 48: byte 0xe9 is not valid UTF-8"},
		{"lone surrogate", with(`{"a\ud800": ["b"]}`), "contains a broken character"},
		{"no format", `{"categories": {"a": ["b"]}}`, `format is "", want "ecor-labels-1"`},
		{"other format", `{"format": "ecor-labels-2", "categories": {"a": ["b"]}}`, `format is "ecor-labels-2", want "ecor-labels-1"`},
		{"unknown key", `{"labels": []}`, `unknown key "labels": want format, name,`},
		{"key twice", `{"name": "a", "name": "b"}`, `key "name" is given twice`},
		{"name of wrong kind", `{"name": 7}`, `"name" must be a string, not 7`},
		{"name too long", `{"name": "` + long + `"}`, `"name" ` + cut + ` has 10000 bytes; the limit is 400`},
		{"no categories key", `{"format": "ecor-labels-1"}`, "no categories"},
		{"no categories", with(`{}`), "no categories"},
		{"categories of wrong kind", with(`["a"]`), "categories must be an object, not a list"},
		{"category twice", with(`{"a": ["b"], "a": ["c"]}`), `category "a" is given twice`},
		{"category twice in other case", with(`{"Polar bear": ["b"], " polar  BEAR": ["c"]}`),
			`category "polar  BEAR" is given twice: it equals "Polar bear"`},
		{"category empty", with(`{" ": ["b"]}`), "category is empty"},
		{"category too long", with(`{"` + long + `": ["b"]}`), "category " + cut + " has 10000 bytes; the limit is 400"},
		{"category with line break", with(`{"a\nb": ["c"]}`), `category "a\nb" contains a control character`},
		{"too many categories", with(`{` + many(MaxCategories+1, func(i int) string { return fmt.Sprintf(`"c%d": ["r"]`, i) }) + `}`),
			`category "c4096" is one too many: the limit is 4096 categories`},
		{"no rationales", with(`{"a": []}`), `category "a": rationale list is empty; at least one is needed`},
		{"rationales of wrong kind", with(`{"a": {}}`), `category "a": rationale must be a string or a list of strings, not an object`},
		{"rationale of wrong kind", with(`{"a": ["b", null]}`), `category "a": rationale must be a string, not null`},
		{"rationale a list", with(`{"a": [["b"]]}`), `category "a": rationale must be a string, not a list`},
		{"rationale twice", with(`{"a": ["b", "B "]}`), `category "a": rationale "B" is given twice`},
		{"rationale empty", with(`{"a": ["b", ""]}`), `category "a": rationale is empty`},
		{"rationale too long", with(`{"a": ["` + long + `"]}`), `category "a": rationale ` + cut + ` has 10000 bytes; the limit is 400`},
		{"too many rationales", with(`{"a": [` + many(MaxRationales+1, func(i int) string { return fmt.Sprintf(`"r%d"`, i) }) + `]}`),
			`category "a": rationale "r64" is one too many: the limit is 64`},
		{"unknown template", withTemplates(`{"class": "{c}"}`), `unknown kind of template "class"`},
		{"template twice", withTemplates(`{"category": "{c}", "category": "{c}"}`), `key "category" of templates is given twice`},
		{"category template without slot", withTemplates(`{"category": "a photo"}`), `category template "a photo" must contain {c}`},
		{"rationale template without slot", withTemplates(`{"rationale": ["{r}", "{c}"]}`), `rationale template "{c}" must not contain {c}`},
		{"conditional template without slot", withTemplates(`{"conditional": "{c}"}`), `conditional template "{c}" must contain {r}`},
		{"slot twice", withTemplates(`{"category": "{c} {c}"}`), `contains {c} 2 times; the limit is 1`},
		{"empty templates", withTemplates(`{"category": []}`), `category template list is empty`},
		{"too many templates", withTemplates(`{"category": [` + many(MaxTemplates+1, func(i int) string { return fmt.Sprintf(`"%d {c}"`, i) }) + `]}`),
			`the limit is 16`},
		{"file too long", strings.Repeat(" ", maxFile+1), "longer than 8388608 bytes"},
		{"labels too long together", with(`{` + many(MaxCategories, func(i int) string {
			return fmt.Sprintf(`"%d": ["%s","%s","%s"]`, i, long[:380], "b"+long[:380], "c"+long[:380])
		}) + `}`), "the limit is 4194304"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse([]byte(c.text))
			require.ErrorContains(t, err, c.want)
			assert.True(t, strings.HasPrefix(err.Error(), "label pack: "))
			assert.Less(t, len(err.Error()), 300)
			assert.Nil(t, p)
		})
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.json"), filepath.Join(dir, "bad.json")
	require.NoError(t, os.WriteFile(good, []byte(small), 0o600))
	require.NoError(t, os.WriteFile(bad, []byte("{}"), 0o600))

	p, err := Read(good)
	require.NoError(t, err)
	assert.Len(t, p.Categories, 4)
	_, err = Read(bad)
	require.ErrorContains(t, err, bad+": label pack: format")
	_, err = Read(filepath.Join(dir, "absent.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// FuzzParse: a pack that parses is inside the limits, and writing its
// categories as JSON and parsing them again gives the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(with(`{"a": ["b"], "c": ["d", "e"]}`)))
	f.Add([]byte(withTemplates(`{"rationale": "{r}"}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		require.NotEmpty(t, p.Categories)
		require.LessOrEqual(t, len(p.Categories), MaxCategories)
		var text strings.Builder
		for i, c := range p.Categories {
			require.NotEmpty(t, c.Rationales)
			require.LessOrEqual(t, len(c.Rationales), MaxRationales)
			name, err := json.Marshal(c.Name)
			require.NoError(t, err)
			rationales, err := json.Marshal(c.Rationales)
			require.NoError(t, err)
			fmt.Fprintf(&text, "%s%s:%s", []string{"", ","}[min(i, 1)], name, rationales)
		}
		again, err := Parse([]byte(with("{" + text.String() + "}")))
		require.NoError(t, err)
		require.Equal(t, p.Categories, again.Categories)
	})
}
