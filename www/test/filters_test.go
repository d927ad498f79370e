package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestUnsure says what the filter "unsure" means: other limits let other photos
// through, and they are asked for only while that filter is on.
func TestUnsure(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.choose(manyScenes(t, 9)...)
	var review struct {
		Photos []struct {
			File       string
			Categories []struct{ Probability float64 }
			Uncovered  float64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(p.exported("export-json")), &review))
	var leads, uncovered []float64
	for _, photo := range review.Photos {
		leads = append(leads, (photo.Categories[0].Probability-photo.Categories[1].Probability)/(1-photo.Uncovered))
		uncovered = append(uncovered, photo.Uncovered)
	}
	below := func(limit float64) (n int) {
		for _, lead := range leads {
			if lead < limit {
				n++
			}
		}
		return n
	}
	limits := func(lead, unweighed string) {
		t.Helper()
		p.pick("#filter-lead", lead)
		p.pick("#filter-unweighed", unweighed)
	}
	const hint = `document.querySelector("label:has(#filter-unsure)").title`
	visible := func() []bool {
		return eval[[]bool](p, `["lead", "unweighed"].map((name) => document.querySelector("#filter-" + name).checkVisibility())`)
	}

	assert.Equal(t, []bool{false, false}, visible())
	p.click("#filter-unsure")
	assert.Equal(t, []bool{true, true}, visible())
	assert.Equal(t, []string{"10", "50"}, eval[[]string](p, `["lead", "unweighed"].map((name) => document.querySelector("#filter-" + name).placeholder)`))
	assert.Contains(t, eval[string](p, hint), "less than 10 %, or more than 50 %")
	p.waitTiles(below(.1))

	sorted := slices.Sorted(slices.Values(leads))
	limit := (sorted[3] + sorted[4]) / 2
	require.Less(t, sorted[3], sorted[4])
	limits(fmt.Sprint(100*limit), "100")
	p.waitTiles(4)
	assert.Contains(t, p.text("#shown"), "4 of 9")
	p.save("limits")

	// More than nothing not weighed is enough, too.
	limits("0", "100")
	p.waitTiles(0)
	limits("0", "0")
	weighedInPart := 0
	for _, u := range uncovered {
		if u > 0 {
			weighedInPart++
		}
	}
	p.waitTiles(weighedInPart)
	limits("100", "100")
	p.waitTiles(9)
	assert.Contains(t, eval[string](p, hint), "less than 100 %, or more than 100 %")

	// What it means outlives the filter; nothing in a field is its usual value.
	p.click("#filter-clear")
	assert.Equal(t, []bool{false, false}, visible())
	p.click("#filter-unsure")
	p.waitTiles(9)
	limits("", "")
	p.waitTiles(below(.1))
	assert.Empty(t, p.complaints())
}

// TestCopies counts the files that are there twice, and shows only them or hides them.
func TestCopies(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	photos := threePhotos(t)
	p.choose(photos...)
	const field = `document.querySelector("label:has(#filter-copies)")`
	require.False(t, eval[bool](p, field+`.checkVisibility()`), "there are no copies")

	dir := t.TempDir()
	var copies []string
	for i, file := range []string{photos[0], photos[0], photos[1]} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		again := filepath.Join(dir, fmt.Sprintf("again %d%s", i, filepath.Ext(file)))
		require.NoError(t, os.WriteFile(again, content, 0o600))
		copies = append(copies, again)
	}
	p.choose(copies...)
	p.waitFor(field + `.checkVisibility() && ` + field + `.firstChild.textContent === "Copies (3)"`)
	assert.Equal(t, []string{"any", "only (3)", "without (3)"}, p.options("#filter-copies"))
	names := func() []string {
		return eval[[]string](p, `[...document.querySelectorAll(".tile")].sort((a, b) => a.dataset.index - b.dataset.index).map((e) => e.title)`)
	}
	p.pick("#filter-copies", "only")
	p.waitFor(`document.querySelector("#shown").textContent.startsWith("3 of 6")`)
	p.waitTiles(3)
	assert.Equal(t, []string{"again 0.png", "again 1.png", "again 2.jpg"}, names())
	p.save("only")
	p.pick("#filter-copies", "none")
	p.waitFor(`document.querySelector(".tile[title='stripes.png']")`)
	p.waitTiles(3)
	assert.Equal(t, []string{"stripes.png", "evening.jpg", "walk.jpeg"}, names())
	p.click("#filter-clear")
	p.waitTiles(6)

	// Where the first of three is removed, the second is no copy any more.
	p.click(`.tile[title="stripes.png"] .name`)
	p.click("#remove-chosen")
	p.click("#remove-now")
	p.waitFor(field + `.firstChild.textContent === "Copies (2)"`)
	p.pick("#filter-copies", "only")
	p.waitTiles(2)
	assert.Equal(t, []string{"again 1.png", "again 2.jpg"}, names())

	// The field stays while it filters.
	p.chooseAll()
	p.click("#remove-chosen")
	p.click("#remove-now")
	p.waitFor(`!document.querySelector("#nothing").hidden`)
	assert.True(t, eval[bool](p, field+`.checkVisibility()`))
	p.click("#filter-clear")
	p.waitTiles(3)
	assert.False(t, eval[bool](p, field+`.checkVisibility()`))
	assert.Empty(t, p.complaints())
}

// TestActiveTileIsThere: the grid named an active tile that a filter had taken away
// until the next frame, which screen readers and axe-core stumbled over.
func TestActiveTileIsThere(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	const named = `document.querySelector("#grid").getAttribute("aria-activedescendant")`
	p.waitFor(named)
	p.do(`{
		globalThis.named = [];
		new MutationObserver(() => named.push(` + named + `)).observe(document.querySelector("#grid"), { childList: true });
	}`)
	p.set("#search", "no such photo")
	p.waitTiles(0)
	seen := eval[[]*string](p, `named`)
	require.NotEmpty(t, seen)
	for _, name := range seen {
		assert.Nil(t, name, "named after it was taken away")
	}
	p.click("#filter-clear")
	p.waitTiles(3)
	p.waitFor(`document.getElementById(` + named + `)?.matches(".tile")`)
}

// TestIdlePageStandsStill: the line of the queue went up to 200 ms after the page said that all was done, and
// what stands below moved away under the pointer.
func TestIdlePageStandsStill(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.do(`{
		globalThis.moves = [];
		const top = () => document.querySelector("#filter-unsure").getBoundingClientRect().top;
		new MutationObserver(() => {
			if (document.body.dataset.work === "idle") {
				const before = top();
				setTimeout(() => moves.push(top() - before), 400);
			}
		}).observe(document.body, { attributeFilter: ["data-work"] });
	}`)
	p.choose(manyScenes(t, 9)...)
	p.waitFor(`moves.length > 0`)
	for _, move := range eval[[]float64](p, `moves`) {
		assert.Zero(t, move, "pixels")
	}
}
