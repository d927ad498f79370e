package labels

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// files writes the text files of a small project and returns where they are.
func files(t *testing.T, change map[string]string) Paths {
	t.Helper()
	dir := t.TempDir()
	content := map[string]string{
		"train/texts.json": `{
			"names": {"toys": {"rubber_duck_side": "rubber duck"}},
			"people": {"toys": ["boy", "girl"]},
			"wider": {"bird": ["duck"]},
			"blocked": {"sex": "boys?|girls?"}, "harmless": "boys?enberry"}`,
		"train/category_map.json": `{"toys": {"rubber_duck_side": "duck", "ball": "ball", "boy": "person", "unknown": "not in a pack"}}`,
		"packs/everyday.json": `{"format": "ecor-labels-1", "categories": {
			"duck": ["an orange beak", "loved by girls"], "ball": ["a round shape"], "person": ["two arms"], "bird": ["wings"]}}`,
		"packs/few.json":        `{"format": "ecor-labels-1", "categories": {"ball": ["a round shape"]}}`,
		"rationales/clean.json": `{"toys": {"ball": ["bounces"], "boy": ["short hair"], "kite": ["a tail", "flown by boys", "a tail"]}}`,
	}
	for name, text := range change {
		content[name] = text
	}
	for name, text := range content {
		if text == "" {
			continue
		}
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return Paths{filepath.Join(dir, "train"), filepath.Join(dir, "packs"), dir}
}

func small(t *testing.T) *Texts {
	texts, err := Read(files(t, nil))
	require.NoError(t, err)
	return texts
}

var toys = []Category{
	{"rubber_duck_side", "Rubber Duck (side)"}, {"ball", "Ball"}, {"boy", "boy"}, {"girl", "girl"}, {"kite", "Kite"}, {"unknown", "unknown"},
}

func TestSet(t *testing.T) {
	texts := small(t)
	task := texts.Set("toys", toys, PacksOrCollected)
	assert.Equal(t, []Candidate{
		{"rubber duck", []string{"an orange beak"}}, // the other one is filtered
		{"ball", []string{"a round shape"}},
		{"person", []string{"two arms"}}, // two categories
		{"kite", []string{"a tail"}},
		{"unknown", nil},
	}, task.Candidates)
	assert.Equal(t, map[string]int{"rubber_duck_side": 0, "ball": 1, "boy": 2, "girl": 2, "kite": 3, "unknown": 4}, task.Gold)

	packs := texts.Set("toys", toys, Packs)
	assert.Empty(t, packs.Candidates[3].Rationales)
	collected := texts.Set("toys", toys, Collected)
	assert.Equal(t, []string{"bounces"}, collected.Candidates[1].Rationales)
	assert.Empty(t, collected.Candidates[2].Rationales, "none of the collected ones for people")
}

func TestWithoutPeople(t *testing.T) {
	texts := small(t)
	task := texts.WithoutPeople("toys", toys, PacksOrCollected)
	assert.Equal(t, "toys without people", task.Name)
	assert.Len(t, task.Candidates, 4)
	assert.NotContains(t, task.Gold, "boy")
	assert.Nil(t, texts.WithoutPeople("toys", toys[:3], Packs), "one such category is no group")
	assert.Nil(t, texts.WithoutPeople("other", toys, Packs))
}

func TestMapped(t *testing.T) {
	texts := small(t)
	task, err := texts.Mapped("toys", "everyday")
	require.NoError(t, err)
	assert.Equal(t, []Candidate{
		{"duck", []string{"an orange beak"}}, {"ball", []string{"a round shape"}}, {"person", []string{"two arms"}}, {"bird", []string{"wings"}},
	}, task.Candidates, "in the order of the pack")
	assert.Equal(t, map[string]int{"rubber_duck_side": 0, "ball": 1, "boy": 2}, task.Gold)
	assert.True(t, task.Mapped)
	_, err = texts.Mapped("games", "everyday")
	assert.EqualError(t, err, `category_map.json has no set "games"`)
	_, err = texts.Mapped("toys", "none")
	assert.EqualError(t, err, `there is no label pack "none"`)
}

func TestFolderTask(t *testing.T) {
	task := small(t).Folder("mine", []string{"Ball", "big_duck", "duck"})
	assert.Equal(t, []Candidate{{"ball", []string{"a round shape"}}, {"big duck", nil}, {"duck", []string{"an orange beak"}}}, task.Candidates)
}

func TestLabels(t *testing.T) {
	l := (&Task{Candidates: []Candidate{{"a", []string{"x", "y"}}, {"b", nil}, {"c", []string{"z", "x"}}}}).Labels()
	assert.Equal(t, []string{"a", "b", "c"}, l.Categories)
	assert.Equal(t, []string{"x", "y", "z"}, l.Rationales)
	assert.Equal(t, [][]int{{0, 1}, {}, {2, 0}}, l.Own)
}

func TestReadErrors(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"missing":        {"train/texts.json", "", "no such file"},
		"not JSON":       {"train/category_map.json", "{", "category_map.json: unexpected end"},
		"bad pattern":    {"train/texts.json", `{"blocked": {"a": "(?!x)"}, "harmless": "y"}`, "texts.json: blocked: "},
		"no filter":      {"train/texts.json", `{"names": {}}`, "it has no blocked or no harmless words"},
		"other pack":     {"packs/few.json", `{"format": "ecor-labels-1", "categories": {"ball": ["a flat shape"]}}`, `few.json: "ball" has other rationales in pack everyday`},
		"broken pack":    {"packs/few.json", `{}`, "few.json: "},
		"bad rationales": {"rationales/clean.json", `[]`, "clean.json: "},
	} {
		_, err := Read(files(t, map[string]string{c.file: c.text}))
		assert.ErrorContains(t, err, c.want, name)
	}
	texts, err := Read(files(t, map[string]string{"rationales/clean.json": ""}))
	require.NoError(t, err, "the collected rationales are optional")
	assert.Empty(t, texts.Set("toys", toys, Collected).Candidates[1].Rationales)
}

// repository is the texts of this repository and, where ECOR_DATA is set, the
// collected rationales.
func repository(t *testing.T) *Texts {
	texts, err := Read(Paths{"../../../train", "../../../../weights/labels", os.Getenv("ECOR_DATA")})
	require.NoError(t, err)
	return texts
}

// TestFilterAgreesWithTraining has the examples of tools/train/tests.
func TestFilterAgreesWithTraining(t *testing.T) {
	texts := repository(t)
	for _, text := range []string{"worn by women", "a man wearing a suit", "typically worn by muslim women", "used for prayer",
		"an old white person", "a bald head", "two breasts", "injured or ill people", "for ages 12 and up", "A Beautiful face", "blind people"} {
		assert.False(t, texts.Allowed(text), text)
	}
	for _, text := range []string{"long legs", "smooth skin", "a tall, slender tower", "a bald eagle", "a man-made structure",
		"baby back ribs", "a muscular body", "a red cross on the side", "ladybug", "a race car", "manhole"} {
		assert.True(t, texts.Allowed(text), text)
	}
	assert.True(t, texts.Related("bird", "goose") && texts.Related("goose", "bird") && texts.Related("goose", "goose"))
	assert.False(t, texts.Related("goose", "duck"))
}

func TestRealSets(t *testing.T) {
	data := os.Getenv("ECOR_DATA")
	if data == "" {
		t.Skip("ECOR_DATA is not set")
	}
	texts := repository(t)
	for set, want := range map[string]struct{ candidates, withoutPeople int }{
		"cifar10": {10, 0}, "cifar100": {96, 95}, "tiny-imagenet": {197, 0}, "caltech101": {100, 0}, "food101": {101, 0}, "scenes6": {6, 0},
	} {
		categories, err := ReadCategories(filepath.Join(data, set))
		require.NoError(t, err)
		task := texts.Set(set, categories, PacksOrCollected)
		assert.Len(t, task.Candidates, want.candidates, set)
		for _, c := range task.Candidates {
			assert.True(t, texts.Allowed(c.Name) || c.Name == "lady bug", "%s: %s", set, c.Name)
			assert.NotContains(t, c.Name, "_")
		}
		if others := texts.WithoutPeople(set, categories, Packs); want.withoutPeople > 0 {
			assert.Len(t, others.Candidates, want.withoutPeople)
		} else {
			assert.Nil(t, others)
		}
	}
	for _, set := range []string{"photos", "imagenet-samples"} {
		task, err := texts.Mapped(set, "everyday")
		require.NoError(t, err)
		assert.GreaterOrEqual(t, len(task.Candidates), 300)
		assert.GreaterOrEqual(t, len(task.Gold), 60, set)
	}
}
