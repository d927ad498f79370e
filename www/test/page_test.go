package test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tiles returns what a screen reader says of each photo in the grid, in order.
func (p *page) tiles() []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll(".tile")].sort((a, b) => a.dataset.index - b.dataset.index).map((e) => {
		const said = e.cloneNode(true);
		said.querySelectorAll("[aria-hidden=true]").forEach((part) => part.remove());
		return said.textContent;
	})`)
}

// press sends keys to what has the focus.
func (p *page) press(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		p.run(chromedp.KeyEvent(k))
	}
}

// upload gives files to an input.
func (p *page) upload(selector string, files []string) {
	p.t.Helper()
	p.run(chromedp.SetUploadFiles(chromedp.CSS(selector), files))
}

// reload loads the page again and waits until it is ready.
func (p *page) reload() {
	p.t.Helper()
	p.do(`globalThis.before = true`)
	p.run(chromedp.Reload())
	p.waitFor(`globalThis.before === undefined`)
	p.waitReady()
}

// undoKeys are those that take a decision back.
func undoKeys() []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{chromedp.KeyEvent("z", chromedp.KeyModifiers(chromedp.ModifierCtrl))}
}

// click clicks what a selector finds.
func (p *page) click(selector string) {
	p.t.Helper()
	p.run(chromedp.Click(chromedp.CSS(selector)))
}

// point moves the pointer over what a selector finds.
func (p *page) point(selector string) {
	p.t.Helper()
	at := eval[[]float64](p, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({ block: "center" }); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`, selector))
	p.run(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]))
}

// pick chooses an option of a list.
func (p *page) pick(selector, value string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`{ const e = document.querySelector(%q); e.focus(); e.value = %q; e.dispatchEvent(new Event("change")); }`, selector, value))
}

// options returns the options of a list, as it offers them now.
func (p *page) options(selector string) []string {
	p.t.Helper()
	return eval[[]string](p, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.blur(); e.focus(); return [...e.options].map((o) => o.text); })()`, selector))
}

// set types text into a field as a person does.
func (p *page) set(selector, text string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`{ const e = document.querySelector(%q); e.focus(); e.select(); }`, selector))
	p.press(text)
}

// waitTiles waits until the grid has so many photos in view.
func (p *page) waitTiles(n int) {
	p.t.Helper()
	p.waitFor(fmt.Sprintf(`document.querySelectorAll(".tile").length === %d`, n))
}

func TestPhotos(t *testing.T) {
	p := newPage(t)
	p.view(1200, 900, "light")
	p.open(tinySite(t).URL)
	p.save("start")
	p.choose(threePhotos(t)...)

	tiles := p.tiles()
	require.Len(t, tiles, 3)
	for i, name := range []string{"stripes.png", "evening.jpg", "walk.jpeg"} {
		assert.Regexp(t, "^"+name+`: (perhaps )?(zebra|sunset|forest), [\d.]+ %, because there is [a-z ]+, [a-z ]+$`, tiles[i], "in the order given")
	}
	assert.Equal(t, []float64{256, 256, 192}, eval[[]float64](p, `Promise.all([...document.querySelectorAll(".tile img")].map((m) => m.decode().then(() => m.naturalWidth)))`),
		"thumbnails are at most 256 pixels")
	p.waitFor(`document.querySelector(".detail figure img").naturalWidth === 320`) // the whole photo, not its thumbnail
	assert.Equal(t, "grid", eval[string](p, `document.activeElement.id`), "keys work at once")

	// The photo in hand, with the reasons of whichever category is chosen.
	assert.Equal(t, "stripes.png", p.text(".detail .file"))
	assert.Len(t, p.texts(".detail section:first-of-type .bars li"), 3, "one bar a category")
	second := p.text(".detail section:first-of-type li:nth-child(2) .row-name")
	p.click(".detail section:first-of-type li:nth-child(2) .row-name")
	assert.Contains(t, p.texts(".detail h2"), "Reasons for "+second)
	assert.Contains(t, p.text(".detail"), "looked at closely")
	assert.Regexp(t, `open .* · resize .* · image .* · reasons`, p.text(".detail .timings"))
	p.save("desktop")
	p.view(1200, 900, "dark")
	p.save("dark")

	p.view(360, 740, "light")
	p.waitTiles(3)
	p.waitFor(`document.documentElement.scrollWidth === 360`) // no sideways scrolling on a small phone
	p.save("phone")
	p.click(".tile:nth-of-type(2)")
	p.waitFor(`document.querySelector("#big").open`)
	assert.Zero(t, eval[int](p, `document.querySelector("#big").scrollWidth - document.querySelector("#big").clientWidth`))
	p.save("phone-photo")
	p.press(kb.Escape)

	p.view(1200, 900, "light")
	p.click("#start-over")
	p.click("#remove-all")
	assert.Equal(t, "none", eval[string](p, `document.body.dataset.photos`))
	assert.Empty(t, p.complaints())
}

// TestRealWeights shows the page with the weights that are shipped.
func TestRealWeights(t *testing.T) {
	s := realSite(t)
	p := newPage(t)
	p.view(1200, 900, "light")
	p.open(s.URL)
	require.NotEmpty(t, s.assets.Embeddings)
	assert.Empty(t, p.text("#notes"), "the prepared embeddings fit")
	p.choose(threePhotos(t)...)
	assert.Len(t, p.tiles(), 3)
	p.save("desktop")
	assert.Empty(t, p.complaints())
}

// TestJointTable reads the heat map by pointer and by keys.
func TestJointTable(t *testing.T) {
	p := newPage(t)
	p.view(1400, 1100, "light")
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	p.do(`document.querySelector(".detail details > summary").click()`)
	p.waitFor(`document.querySelector(".heat")`)
	assert.Len(t, p.texts(".heat thead th"), 4, "a column for each category, and the corner")
	rows := len(p.texts(".heat tbody tr"))
	assert.Positive(t, rows)
	p.point(".heat tbody tr:nth-child(2) td:nth-child(3)")
	pointed := p.text(".readout")
	assert.Regexp(t, `^\w+, because there is [a-z ]+: [<>]? ?[\d.]+ %$`, pointed)
	p.do(`document.querySelector(".heat td").focus()`)
	first := p.text(".readout")
	p.press(kb.ArrowDown, kb.ArrowRight)
	assert.Equal(t, pointed, p.text(".readout"), "the same cell by keys")
	p.press(kb.Home, kb.ArrowUp)
	assert.Equal(t, first, p.text(".readout"))
	sum := eval[float64](p, `[...document.querySelectorAll(".heat td")].map((c) => parseFloat(c.getAttribute("aria-label").match(/([\d.]+) %$/)[1])).reduce((a, b) => a + b)`)
	assert.InDelta(t, 100, sum, 3, "the pairs' shares add up")
	p.save("table")
	assert.Empty(t, p.complaints())
}

func TestMethods(t *testing.T) {
	p := newPage(t)
	p.view(1400, 1000, "light")
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	seen := map[string][]string{"ecor": p.tiles()}

	// For one photo, with what changes.
	p.click(`.detail input[value=clip] + span`)
	p.waitFor(`document.querySelector(".changes")`)
	assert.Equal(t, []string{"Category", "CLIP", "ECOR"}, p.texts(".changes th"))
	assert.Equal(t, seen["ecor"], p.tiles(), "the others stay")
	p.save("changes")

	p.do(`globalThis.decoded = 0; const decode = createImageBitmap; globalThis.createImageBitmap = (...a) => (decoded++, decode(...a))`)
	for _, method := range []string{"clip", "independent", "inverted", "joint", "ecor"} {
		p.pick("#method", method)
		p.waitIdle()
		now := p.tiles()
		require.Len(t, now, 3)
		if method == "ecor" {
			assert.Equal(t, seen["ecor"], now, "back to where it was")
			continue
		}
		for other, answers := range seen {
			assert.NotEqual(t, answers, now, "%s and %s", method, other)
		}
		seen[method] = now
	}
	assert.NotContains(t, seen["clip"][0], "because")
	assert.Zero(t, eval[int](p, `decoded`), "nothing of the image is done again")
	assert.Empty(t, p.complaints())
}

func (p *page) waitApplied() {
	p.t.Helper()
	p.waitFor(`document.querySelector("#label-status").textContent.startsWith("Applied")`)
	p.waitIdle()
}

func TestLabels(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	before := p.tiles()
	p.click("#labels-open")
	assert.Equal(t, "3 categories, 7 reasons", p.text("#label-counts"))

	// Searching finds reasons too.
	p.set("#label-search", "shadows")
	assert.Equal(t, []string{"sunset", "forest"}, p.texts("#label-list button"))
	p.press(kb.Escape)
	assert.Len(t, p.texts("#label-list button"), 3)
	assert.True(t, eval[bool](p, `document.querySelector("#labels").open`), "Escape leaves the search first")

	// Mistakes are named where they are made, and cannot be applied.
	p.click("#label-add")
	p.set("#label-name", "Zebra")
	assert.Equal(t, `The category "Zebra" has no rationale; at least one is needed.`, p.text("#label-problem"))
	assert.True(t, eval[bool](p, `document.querySelector("#label-apply").disabled`))
	p.set("#label-rationales", "a desk\na lamp\na desk")
	assert.Contains(t, p.text("#label-problem"), `rationale "a desk" is given twice`)
	p.set("#label-rationales", "a desk\na lamp")
	assert.Contains(t, p.texts("#label-list button.bad"), "zebra", "the second of the two that are equal")
	p.save("problem")
	p.set("#label-name", "office")
	assert.Empty(t, p.text("#label-problem"))
	p.do(`document.querySelector("#labels details").open = true`)
	p.set("#template-rationale", "without a slot")
	assert.Contains(t, p.text("#label-status"), "must contain {r} once")
	p.do(`{ const e = document.querySelector("#template-rationale"); e.value = ""; e.dispatchEvent(new Event("input")); }`)

	// Applying scores the photos again, from what is already known of them.
	p.click("#label-apply")
	p.waitApplied()
	after := p.tiles()
	assert.NotEqual(t, before, after)
	assert.Contains(t, p.texts(".detail .row-name"), "office")

	// Import; reset brings the first one back.
	file := filepath.Join(t.TempDir(), "two.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"format":"ecor-labels-1","name":"two","categories":{"night":["a moon"],"day":["a sun"]}}`), 0o600))
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#label-file"), []string{file}))
	p.waitFor(`document.querySelector("#label-status").textContent.startsWith("Imported two")`)
	p.click("#label-apply")
	p.waitApplied()
	for _, a := range p.tiles() {
		assert.Regexp(t, `night|day`, a)
	}
	p.click("#label-reset")
	p.click("#label-apply")
	p.waitApplied()
	assert.Equal(t, before, p.tiles())

	require.NoError(t, os.WriteFile(file, []byte(`{"format":"ecor-labels-1","categories":{"night":[]}}`), 0o600))
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#label-file"), []string{file}))
	p.waitFor(`document.querySelector("#label-status").textContent.includes("was not imported")`)
	assert.Contains(t, p.text("#label-status"), `"night" has no rationale`)

	// The other packs of the project, and labels that survive a reload.
	p.pick("#label-choice", "2")
	assert.Contains(t, p.texts("#label-list button"), "pizza")
	p.click("#label-apply")
	p.waitApplied()
	food := p.tiles()
	p.reload()
	p.waitTiles(3)
	assert.Equal(t, food, p.tiles())
	assert.Empty(t, p.complaints())
}

// TestModel opens weights from a file: refused ones change nothing, others score every photo anew.
func TestModel(t *testing.T) {
	s := tinySite(t)
	weights, err := os.ReadFile(s.file(s.assets.Weights))
	require.NoError(t, err)
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(s.URL)
	p.choose(threePhotos(t)...)
	before := p.tiles()
	p.click("#model-open")
	facts := p.texts("#model-sheet .facts dd")
	assert.Contains(t, facts, "this site")
	assert.Contains(t, facts, "Apache-2.0")
	assert.Contains(t, facts, fmt.Sprintf("%x", sha256.Sum256(weights)))

	dir := t.TempDir()
	open := func(name string, content []byte, want string) {
		t.Helper()
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		p.upload("#weights-file", []string{file})
		p.waitFor(fmt.Sprintf(`document.querySelector("#weights-status").textContent.includes(%q)`, want))
	}
	open("short.safetensors", weights[:len(weights)/2], "The file was refused, and the model before stays.")
	p.save("refused")
	p.set("#weights-hash", strings.Repeat("0", 64))
	open("other.safetensors", weights, "The file was refused, and the model before stays.")
	assert.Equal(t, facts, p.texts("#model-sheet .facts dd"))

	// The same network by another name.
	p.do(`document.querySelector("#weights-hash").value = ""`)
	p.upload("#weights-file", []string{renamedWeights(t, s)})
	p.waitFor(`document.querySelector("#weights-status").textContent === "mine is in use now."`)
	assert.Contains(t, p.texts("#model-sheet .facts dd"), "a file of yours")
	p.press(kb.Escape)
	p.waitIdle()
	assert.Equal(t, before, p.tiles())
	assert.Empty(t, p.complaints())
}

// TestScrollBarOfPanel: a press inside a panel's box, as on its scroll bar, does not close it; one beside it does.
func TestScrollBarOfPanel(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	press := func(x, y string) bool {
		t.Helper()
		return eval[bool](p, fmt.Sprintf(`(() => {
			const panel = document.querySelector("#privacy");
			const { left, right, top, bottom } = panel.getBoundingClientRect();
			panel.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, clientX: %s, clientY: %s }));
			return panel.open;
		})()`, x, y))
	}
	p.click("#privacy-open")
	assert.True(t, press("right - 4", "(top + bottom) / 2"), "its scroll bar")
	assert.False(t, press("left - 4", "(top + bottom) / 2"), "beside it")
}

// TestHiddenPhotoIsNotDecided: a key decides nothing about the photo in hand once a filter hides it.
func TestHiddenPhotoIsNotDecided(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	p.set("#search", "walk")
	p.waitTiles(1)
	p.do(`document.querySelector("#grid").focus()`)
	p.press("r")
	p.waitFor(`document.querySelector("#message").textContent.includes("Choose a photo first")`)
	p.do(`document.querySelector("#filter-clear").click()`)
	p.waitTiles(3)
	assert.Equal(t, "grid", eval[string](p, `document.activeElement.id`), "the focus is not lost with the button")
	for _, tile := range p.tiles() {
		assert.NotContains(t, tile, "reject")
	}
}

// TestRemoveFromDetailAsks: a photo is not removed before that was asked, and the next one is shown.
func TestRemoveFromDetailAsks(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	note := filepath.Join(t.TempDir(), "note.png")
	require.NoError(t, os.WriteFile(note, []byte("no image"), 0o600))
	p.choose(append([]string{note}, threePhotos(t)...)...)
	p.waitTiles(4)
	p.press(kb.Enter)
	p.waitFor(`document.querySelector("#big").open`)
	p.do(`[...document.querySelectorAll("#big button")].find((b) => b.textContent.includes("Remove from this review")).click()`)
	p.waitFor(`document.querySelector("#remove-sheet").open`)
	p.waitTiles(4)
	p.click("#remove-now")
	p.waitTiles(3)
	assert.Equal(t, "stripes.png", p.text("#big .file"))
}

// TestCategoriesByKeys goes through the list of categories with one stop of the Tab key.
func TestCategoriesByKeys(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.click("#labels-open")
	assert.Equal(t, 1, eval[int](p, `document.querySelectorAll("#label-list button:not([tabindex='-1'])").length`))
	p.do(`document.querySelector("#label-list button:not([tabindex='-1'])").focus()`)
	p.press(kb.End, kb.ArrowUp)
	want := eval[string](p, `document.activeElement.textContent`)
	assert.Equal(t, 1, eval[int](p, `document.querySelectorAll("#label-list button:not([tabindex='-1'])").length`))
	p.press(kb.Enter)
	assert.Equal(t, want, eval[string](p, `document.activeElement.value`), "on to the fields")
}

func TestBrokenFiles(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		return file
	}
	first := writePhoto(t, dir, "first.png", "zebra", 200, 150)
	same, err := os.ReadFile(first)
	require.NoError(t, err)
	p.choose(
		first,
		write("empty.jpg", nil),
		write("letter.jpg", []byte(strings.Repeat("Dear reader, this is no photo. ", 20))),
		write("bomb.png", pngHeader(30000, 30000)),
		write("header.png", pngHeader(300, 200)),
		write("again.png", same),
		writePhoto(t, dir, "last.jpg", "forest", 200, 150),
	)
	tiles := p.tiles()
	assert.Equal(t, []string{
		"empty.jpg: The file is empty (0 bytes).",
		"letter.jpg: This is not a JPEG, PNG, GIF, WebP or AVIF image.",
		"bomb.png: The image is 30000 × 30000 pixels, 900 million; the limit is 128 million.",
		"header.png: The browser cannot decode this PNG file; it may be damaged, or of a kind that this browser does not know.",
	}, tiles[1:5])
	p.waitFor(`document.querySelector("[data-index='5'] .why").textContent.endsWith("same as first.png")`)
	assert.Contains(t, tiles[6], "last.jpg: ", "the good ones are answered")
	assert.Contains(t, tiles[6], "because")
	p.save("tiles")
	p.click(`[data-index="4"]`)
	assert.Contains(t, p.text(".detail .error"), "may be damaged")
	p.save("one")
	assert.Empty(t, p.complaints())
}

// slowPack has so many pairs of categories and reasons that a photo takes a while.
func slowPack(t *testing.T) string {
	t.Helper()
	categories := map[string][]string{}
	for i := range 400 {
		for j := range 8 {
			name := fmt.Sprintf("thing number %d", i)
			categories[name] = append(categories[name], fmt.Sprintf("feature %d of some kind", (7*i+j)%150))
		}
	}
	text, err := json.Marshal(map[string]any{"format": "ecor-labels-1", "name": "slow", "categories": categories})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "slow.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// applyPack puts a label pack's file to use.
func (p *page) applyPack(file string) {
	p.t.Helper()
	p.click("#labels-open")
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#label-file"), []string{file}))
	p.waitFor(`document.querySelector("#label-status").textContent.startsWith("Imported")`)
	p.click("#label-apply")
	p.waitApplied()
	p.press(kb.Escape)
}

func TestPauseAndCancel(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.applyPack(slowPack(t))
	dir := t.TempDir()
	var files []string
	for i := range 12 {
		files = append(files, writePhoto(t, dir, fmt.Sprintf("%02d.png", i), "forest", 120+i, 90))
	}
	p.start(files...)
	p.waitFor(`!document.querySelector("#queue").hidden`)
	p.click("#pause")
	p.waitFor(`document.querySelector("#queue-text").textContent.startsWith("Paused")`)
	p.save("paused")
	p.click("#pause")

	started := time.Now()
	p.click("#cancel")
	p.waitIdle()
	assert.Less(t, time.Since(started), 10*time.Second)
	cancelled := eval[int](p, `document.querySelectorAll(".tile[data-state=failed]").length`)
	assert.Positive(t, cancelled)
	assert.Contains(t, p.text("#message"), "cancelled")
	assert.Contains(t, p.text(`.tile[data-state=failed] .why`), "Cancelled before it was done.")

	// Trying again works.
	p.click(`.tile[data-state=failed]`)
	p.do(`[...document.querySelectorAll(".detail button")].find((b) => b.textContent === "Try again").click()`)
	p.waitIdle()
	assert.Equal(t, cancelled-1, eval[int](p, `document.querySelectorAll(".tile[data-state=failed]").length`))
	assert.Empty(t, p.complaints())
}

// TestDecisions marks photos by keys and buttons, filters them and takes it back.
func TestDecisions(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	dir := t.TempDir()
	var files []string
	for i, scene := range []string{"zebra", "sunset", "forest", "zebra", "sunset", "forest", "zebra", "sunset"} {
		files = append(files, writePhoto(t, dir, fmt.Sprintf("%d %s.png", i, scene), scene, 200+10*i, 150))
	}
	p.choose(files...)
	decisions := func() []string {
		return eval[[]string](p, `[...document.querySelectorAll(".tile")].sort((a, b) => a.dataset.index - b.dataset.index).map((e) => e.dataset.decision)`)
	}

	p.press("k", "f", "r") // each goes to the next photo
	assert.Equal(t, []string{"keep", "flag", "reject", "none", "none", "none", "none", "none"}, decisions())
	assert.Contains(t, p.tiles()[1], ": flag")
	p.run(undoKeys()...)
	assert.Equal(t, "none", decisions()[2])
	assert.Contains(t, eval[string](p, `document.querySelector(".tile.active").dataset.index`), "2", "back at the photo")
	p.do(`document.querySelector("#redo").click()`)
	assert.Equal(t, "reject", decisions()[2])

	// Several at once, by shift and arrows.
	p.do(`document.querySelector("#grid").focus()`)
	p.click(`[data-index="3"] .name`)
	p.run(chromedp.KeyEvent(kb.ArrowRight, chromedp.KeyModifiers(chromedp.ModifierShift)))
	p.run(chromedp.KeyEvent(kb.ArrowRight, chromedp.KeyModifiers(chromedp.ModifierShift)))
	p.waitFor(`document.querySelector("#chosen span").textContent === "3 chosen"`)
	p.press("t")
	p.waitFor(`document.querySelector("#tag-sheet").open`)
	p.set("#tags", "Trip, to print")
	p.press(kb.Enter)
	p.waitFor(`!document.querySelector("#tag-sheet").open`)
	assert.Equal(t, []string{"Trip", "to print"}, p.texts(`[data-index="4"] .tags span`))
	p.press("c")
	p.waitFor(`document.querySelector("#correct-sheet").open`)
	p.set("#correction", "meadow")
	p.press(kb.Enter)
	p.waitFor(`!document.querySelector("#correct-sheet").open`)
	p.waitFor(`document.querySelector("[data-index='5']").textContent.includes("meadow, by you")`)
	assert.Contains(t, p.text(".detail .verdict"), "You say meadow; the model said")
	p.save("decided")

	// Filters, each alone.
	shown := func(n int) {
		t.Helper()
		p.waitTiles(n)
		assert.Contains(t, p.text("#shown"), fmt.Sprintf("%d of 8", n))
		p.click("#filter-clear")
		p.waitTiles(8)
	}
	p.pick("#filter-decision", "flag")
	shown(1)
	assert.Contains(t, p.options("#filter-category"), "meadow (3)")
	p.pick("#filter-category", "meadow")
	shown(3)
	p.pick("#filter-tag", "Trip")
	shown(3)
	p.set("#search", "4 SUN")
	shown(1)
	p.options("#filter-rationale")
	reason := eval[string](p, `[...document.querySelector("#filter-rationale").options].find((o) => o.value && !o.text.endsWith("(8)")).value`)
	p.pick("#filter-rationale", reason)
	p.waitFor(`document.querySelectorAll(".tile").length < 8`)
	for _, tile := range p.tiles() {
		assert.NotEmpty(t, tile)
	}
	p.click("#filter-clear")
	p.set("#filter-from", "101")
	p.do(`document.querySelector("#filter-from").dispatchEvent(new Event("change"))`)
	p.waitFor(`!document.querySelector("#nothing").hidden`)
	assert.Contains(t, p.text("#nothing"), "No photo fits")
	p.save("nothing")
	p.click("#nothing button")
	p.waitTiles(8)
	shares := func() []float64 {
		return eval[[]float64](p, `[...document.querySelectorAll(".tile")].sort((a, b) => a.dataset.index - b.dataset.index).map((e) => parseFloat(e.querySelector(".share > :last-child").textContent)).filter((v) => v === v)`)
	}
	p.pick("#sort", "share")
	p.waitFor(`document.querySelector("[data-index='0'] .share > :last-child").textContent`)
	middle := math.Floor(shares()[2])
	p.set("#filter-from", fmt.Sprint(middle))
	p.set("#filter-to", "100")
	p.do(`document.querySelector("#filter-to").dispatchEvent(new Event("change"))`)
	p.waitFor(`document.querySelector("#shown").textContent.includes(" of 8")`)
	p.waitFor(`document.querySelectorAll(".tile").length === parseInt(document.querySelector("#shown").textContent)`)
	assert.NotEmpty(t, shares())
	for _, share := range shares() {
		assert.GreaterOrEqual(t, share, middle)
	}
	p.click("#filter-clear")
	p.waitTiles(8)
	p.do(`document.querySelector("#filter-unsure").click()`)
	p.waitFor(`document.querySelector("#shown").textContent.includes(" of 8")`)
	p.click("#filter-clear")
	p.waitTiles(8)

	// Sorting.
	p.pick("#sort", "share")
	falling := shares()
	assert.IsNonIncreasing(t, falling)
	assert.Equal(t, []string{"true", "↓"}, eval[[]string](p, `(({ ariaPressed, textContent }) => [ariaPressed, textContent])(document.querySelector("#descending"))`))
	p.click("#descending")
	assert.Equal(t, "↑", p.text("#descending"))
	slices.Reverse(falling)
	p.waitFor(fmt.Sprintf(`parseFloat(document.querySelector("[data-index='0'] .share > :last-child").textContent) === %g`, falling[0]))
	assert.Equal(t, falling, shares(), "the smallest first")

	// What vanishes behind a filter leaves its place to the next one.
	p.pick("#sort", "added")
	p.pick("#filter-decision", "none")
	p.waitTiles(5)
	p.click(`[data-index="0"] .name`)
	p.press("k")
	p.waitTiles(4)
	assert.Equal(t, "0", eval[string](p, `document.querySelector(".tile.active").dataset.index`))

	// Where single letters are switched off, they do nothing.
	p.press("?")
	p.waitFor(`document.querySelector("#help").open`)
	p.do(`document.querySelector("#single-keys").click()`)
	p.press(kb.Escape)
	p.do(`document.querySelector("#grid").focus()`)
	p.press("k")
	assert.Len(t, p.tiles(), 4)
	assert.Empty(t, p.complaints())
}

// TestKeyboard goes through the page without a pointer.
func TestKeyboard(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	at := func() string {
		return eval[string](p, `(() => { const e = document.activeElement; return e.id || e.className || e.tagName })()`)
	}
	tab := func(want string) {
		t.Helper()
		p.press(kb.Tab)
		require.Equal(t, want, at())
		assert.NotEqual(t, "none", eval[string](p, `(() => { const e = document.activeElement; return getComputedStyle(e.id === "grid" ? e.querySelector(".active") : e).outlineStyle })()`), "%s: focus is visible", want)
	}

	tab("skip")
	tab("labels-open")
	tab("model-open")
	tab("help-open")
	tab("privacy-open")
	p.press(kb.Enter)
	p.waitFor(`document.querySelector("#privacy").open`)
	p.press(kb.Escape)
	require.Equal(t, "privacy-open", at(), "the focus goes back")
	tab("choose")
	_, err := chromedp.Call(p.ctx, cdppage.SetInterceptFileChooserDialog, cdppage.SetInterceptFileChooserDialogParams{Enabled: true})
	require.NoError(t, err)
	opened := chromedp.Events(p.ctx, cdppage.FileChooserOpened)
	p.press(kb.Enter)
	for chooser, err := range opened {
		require.NoError(t, err)
		_, err = chromedp.Call(p.ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: threePhotos(t), BackendNodeID: chooser.BackendNodeID})
		require.NoError(t, err)
		break
	}
	p.waitTiles(3)
	p.waitIdle()
	require.Equal(t, "grid", at(), "where the photos are")
	active := func() string {
		return eval[string](p, `document.getElementById(document.querySelector("#grid").getAttribute("aria-activedescendant")).querySelector(".name").textContent + document.querySelector(".detail .file").textContent`)
	}
	first := active()
	p.press(kb.ArrowRight)
	assert.NotEqual(t, first, active())
	p.press(kb.End)
	assert.Contains(t, active(), "walk.jpeg")
	p.press(kb.Home)
	assert.Equal(t, first, active())

	// Large, with arrows and decisions.
	p.press(kb.Enter)
	p.waitFor(`document.querySelector("#big").open`)
	p.press(kb.ArrowRight)
	assert.Equal(t, "evening.jpg", p.text("#big .file"))
	p.press("f")
	assert.Equal(t, "walk.jpeg", p.text("#big .file"), "goes on")
	p.save("big")
	p.press(kb.Escape)
	require.Equal(t, "grid", at())
	assert.Equal(t, "flag", eval[string](p, `document.querySelector("[data-index='1']").dataset.decision`))

	p.press("/")
	require.Equal(t, "search", at())
	p.set("#search", "walk")
	p.waitTiles(1)
	p.do(`document.querySelector("#grid").focus()`)
	tab("side")
	assert.Empty(t, p.complaints())
}

// drop drags files over the page and lets go.
func (p *page) drop(files ...string) {
	p.t.Helper()
	drag := func(kind input.DispatchDragEventType) {
		_, err := chromedp.Call(p.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{
			Type: kind, X: 300, Y: 300, Data: &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1},
		})
		p.check(err)
	}
	drag(input.DispatchDragEventTypeDragEnter)
	p.waitFor(`!document.querySelector("#dropping").hidden`)
	drag(input.DispatchDragEventTypeDragOver)
	drag(input.DispatchDragEventTypeDrop)
}

// TestDrop drops files on the page.
func TestDrop(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.drop(threePhotos(t)...)
	p.waitTiles(3)
	p.waitIdle()
	assert.True(t, eval[bool](p, `document.querySelector("#dropping").hidden`))
	assert.Contains(t, p.tiles()[0], "because")
	assert.Empty(t, p.complaints())
}

// TestFolderPicker chooses a folder where the browser has no folder dialog of
// its own: files come with their folders, and what systems leave there does not.
func TestFolderPicker(t *testing.T) {
	album := filepath.Join(t.TempDir(), "album")
	require.NoError(t, os.MkdirAll(filepath.Join(album, "day 2", ".thumbnails"), 0o700))
	writePhoto(t, album, "stripes.png", "zebra", 320, 240)
	writePhoto(t, filepath.Join(album, "day 2"), "evening.jpg", "sunset", 300, 200)
	writePhoto(t, filepath.Join(album, "day 2"), "stripes.png", "forest", 320, 240)
	writePhoto(t, filepath.Join(album, "day 2", ".thumbnails"), "evening.jpg", "sunset", 90, 60)
	require.NoError(t, os.WriteFile(filepath.Join(album, "desktop.ini"), []byte("[x]"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(album, "notes.txt"), []byte("These are notes about the photos of this album, no photo."), 0o600))

	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.do(`globalThis.showDirectoryPicker = undefined`)
	_, err := chromedp.Call(p.ctx, cdppage.SetInterceptFileChooserDialog, cdppage.SetInterceptFileChooserDialogParams{Enabled: true})
	require.NoError(t, err)
	choose := func(button string) {
		t.Helper()
		opened := chromedp.Events(p.ctx, cdppage.FileChooserOpened)
		p.click(button)
		for chooser, err := range opened {
			require.NoError(t, err)
			assert.True(t, eval[bool](p, `document.querySelector("#folder-picker").webkitdirectory`))
			_, err = chromedp.Call(p.ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{album}, BackendNodeID: chooser.BackendNodeID})
			require.NoError(t, err)
			break
		}
	}
	paths := func() []string {
		return eval[[]string](p, `[...document.querySelectorAll(".tile")].map((e) => e.title).sort()`)
	}
	want := []string{"album/day 2/evening.jpg", "album/day 2/stripes.png", "album/notes.txt", "album/stripes.png"}
	choose("#choose-folder")
	p.waitTiles(4)
	p.waitIdle()
	assert.Equal(t, want, paths())
	assert.Contains(t, p.text(`.tile[title="album/day 2/stripes.png"]`), "because")
	assert.Contains(t, p.text(`.tile[title="album/notes.txt"] .why`), "not a JPEG")

	// The same folder again brings what is new in it.
	writePhoto(t, album, "walk.jpeg", "forest", 200, 300)
	choose("#add-folder")
	p.waitTiles(5)
	p.waitIdle()
	assert.Equal(t, append(want, "album/walk.jpeg"), paths())
	choose("#add-folder")
	p.waitFor(`document.querySelector("#message").textContent === "5 files were here already."`)

	// After a reload the files find their photos.
	p.waitKept(5)
	p.reload()
	p.waitTiles(5)
	p.do(`globalThis.showDirectoryPicker = undefined`)
	choose("#add-folder")
	p.waitFor(`document.querySelector("#message").textContent.includes("found again")`)
	assert.Equal(t, "5 photos of this review found again.", p.text("#message p"))
	assert.Empty(t, p.complaints())
}

// TestCameraAndPaste takes a snapshot of a camera that the test makes, and what the clipboard has.
func TestCameraAndPaste(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	assert.True(t, eval[bool](p, `document.featurePolicy.allowsFeature("camera")`), "for this page alone")
	p.do(`navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); }`)
	p.click("#use-camera")
	p.waitFor(`document.querySelector("#camera .error").textContent.includes("may not be used")`)
	p.press(kb.Escape)
	p.do(`{
		const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 200 });
		const context = canvas.getContext("2d");
		let n = 0;
		setInterval(() => { context.fillStyle = n++ % 2 ? "#2a6" : "#2b6"; context.fillRect(0, 0, 320, 200); }, 30);
		navigator.mediaDevices.getUserMedia = async () => (globalThis.stream = canvas.captureStream(30));
	}`)
	p.click("#use-camera")
	p.waitFor(`!document.querySelector("#camera button.primary").disabled && document.querySelector("#camera video").videoWidth === 320`)
	p.save("camera")
	p.click("#camera button.primary")
	p.waitTiles(1)
	p.waitIdle()
	assert.Regexp(t, `^camera [\d-]+ [\d.]+\.jpg: `, p.tiles()[0])
	assert.Equal(t, "ended", eval[string](p, `stream.getTracks()[0].readyState`), "the camera is off")
	p.waitFor(`document.querySelector("#message").textContent.includes("a reload loses it")`)
	p.save("warned")
	p.click(".message[data-kind=problem] button")
	assert.True(t, eval[bool](p, `document.querySelector("#keep-images").checked`), "images are kept from now on")
	p.do(`document.querySelector("#keep-images").click()`)

	p.do(`{
		const data = new DataTransfer();
		data.items.add(new File([new Uint8Array(3)], "note.png", { type: "image/png" }));
		document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
	}`)
	p.waitFor(`document.querySelectorAll(".tile")[1]?.textContent.includes("note.png: This is not a")`)
	assert.Empty(t, p.complaints())
}
