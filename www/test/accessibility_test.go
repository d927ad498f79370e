package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// contrasts returns the text elements whose contrast with what is behind them
// is below WCAG's AA, 4.5 to 1, or 3 to 1 for large text. Disabled controls are exempt.
const contrasts = `(() => {
	const channels = (color) => color.match(/[\d.]+/g).map(Number);
	const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (e) => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } };
	const low = [];
	for (const e of document.querySelectorAll("body *")) {
		const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || e.matches("input:not([type=radio]), textarea");
		if (!own || !e.checkVisibility() || e.disabled) continue;
		const style = getComputedStyle(e);
		const [a, b] = [luminance(channels(style.color)), luminance(behind(e))].sort((x, y) => y - x);
		const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
		const ratio = (a + 0.05) / (b + 0.05);
		if (ratio < (large ? 3 : 4.5)) low.push(e.outerHTML.slice(0, 80) + " " + ratio.toFixed(2));
	}
	return low;
})()`

// stations leads through every state of the page that has controls of its own,
// and calls look at each.
func (p *page) stations(look func(name string)) {
	p.t.Helper()
	look("start")
	empty := filepath.Join(p.t.TempDir(), "empty.jpg")
	require.NoError(p.t, os.WriteFile(empty, nil, 0o600))
	photos := threePhotos(p.t)
	again := filepath.Join(p.t.TempDir(), "again.png") // brings the filter for copies
	require.NoError(p.t, os.Link(photos[0], again))
	p.choose(append(photos, empty, again)...)
	p.waitFor(`document.querySelector("[data-index='4'] .why").textContent.endsWith("same as stripes.png")`)
	p.press("k", "f", "r", kb.Home)
	p.do(`for (const d of document.querySelectorAll("details")) d.open = true`)
	p.waitFor(`document.querySelector(".heat")`)
	look("review")
	p.do(`{ const open = document.querySelector("#filters-open"); if (open.checkVisibility()) open.click(); document.querySelector("#filter-unsure").click(); }`)
	p.pick("#filter-lead", "0")
	p.waitFor(`!document.querySelector("#nothing").hidden`)
	require.True(p.t, eval[bool](p, `["lead", "unweighed", "copies"].every((name) => document.querySelector("#filter-" + name).checkVisibility())`))
	look("filters")
	p.do(`{ const open = document.querySelector("#filters-open"); if (open.checkVisibility()) open.click(); document.querySelector("#filter-clear").click(); }`)
	p.waitTiles(5)
	for _, id := range []string{"privacy", "labels", "model", "export", "help", "tag", "correct"} {
		p.click("#" + id + "-open")
		p.waitFor(`document.querySelector("dialog[open]")`)
		if id == "labels" {
			p.set("#label-rationales", "a mane\na mane") // a mistake, for its message
			require.NotEmpty(p.t, p.text("#label-problem"))
		}
		look(id)
		p.do(`document.querySelector("dialog[open]").close()`)
	}
	p.do(`document.querySelector("#grid").focus()`)
	p.press(kb.Home, "t")
	p.press("a tag", kb.Enter, kb.Enter)
	p.waitFor(`document.querySelector("#big").open`)
	look("big")
	p.press(kb.Escape)
}

func TestContrast(t *testing.T) {
	p := newPage(t)
	p.view(1400, 1000, "light")
	p.open(tinySite(t).URL)
	p.stations(func(name string) {
		for _, scheme := range []string{"light", "dark"} {
			p.view(1400, 1000, scheme)
			p.waitFor(`document.getAnimations().length === 0`)
			assert.Empty(t, eval[[]string](p, contrasts), "%s, %s", name, scheme)
		}
	})
}

// TestRules applies axe-core's rules for WCAG 2.2 A and AA and its good practices.
func TestRules(t *testing.T) { testRules(t, 1400, 1000, "light") }

// TestRulesInTheDark does so with the dark colours.
func TestRulesInTheDark(t *testing.T) { testRules(t, 1400, 1000, "dark") }

// TestRulesOnPhone does so on a small screen, where no panel may be wider than it.
func TestRulesOnPhone(t *testing.T) { testRules(t, 360, 740, "light") }

func testRules(t *testing.T, width, height int, scheme string) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(root, "www", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Skip("no axe-core: npm ci in www/ installs it")
	}
	p := newPage(t)
	p.view(width, height, scheme)
	p.open(tinySite(t).URL)
	// As an expression of the tools, which the page's policy does not bind.
	_, err = chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](string(script)+"\n;undefined"))
	require.NoError(t, err)
	p.stations(func(name string) {
		p.waitFor(`document.getAnimations().length === 0`)
		found := eval[[]string](p, `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
			.then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 150) + " " + n.failureSummary)))`)
		assert.Empty(t, found, name)
		assert.Zero(t, eval[int](p, `document.documentElement.scrollWidth - innerWidth`), "%s: sideways scrolling", name)
		assert.Empty(t, eval[[]string](p, `[...document.querySelectorAll("dialog[open], dialog[open] .sheet-body")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.id || e.parentElement.id)`), "%s: a panel that is too wide", name)
		if width < 400 {
			p.save(name)
		}
	})
}

// named are the roles that are nothing without a name.
var named = []string{"button", "checkbox", "combobox", "complementary", "dialog", "image", "link", "listbox", "option", "progressbar", "radio", "region", "searchbox", "spinbutton", "textbox"}

// TestAccessibilityTree reads the page as a screen reader does.
func TestAccessibilityTree(t *testing.T) {
	p := newPage(t)
	p.view(1400, 1000, "light")
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	p.press("k")
	tree, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	require.NoError(t, err)
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `"`)
	}
	names := map[string][]string{}
	for _, node := range tree.Nodes {
		if node.Ignored {
			continue
		}
		role := text(node.Role)
		names[role] = append(names[role], text(node.Name))
		if slices.Contains(named, role) {
			assert.NotEmpty(t, text(node.Name), "a %s without a name", role)
		}
	}
	assert.Equal(t, []string{"Photos"}, names["listbox"])
	tiles := p.tiles()
	require.Len(t, tiles, 3)
	for _, tile := range tiles {
		assert.True(t, slices.ContainsFunc(names["option"], func(name string) bool {
			return strings.Join(strings.Fields(name), "") == strings.Join(strings.Fields(tile), "")
		}), "%s: %v", tile, names["option"])
	}
	assert.Contains(t, tiles[0], ": keep")
	assert.Contains(t, names["group"], "Decisions about the chosen photos")
	assert.Subset(t, names["button"], []string{"Keep", "Flag", "Reject", "Tag", "Correct", "Add photos", "Export"}, fmt.Sprint(names["button"]))
	assert.Contains(t, names["searchbox"], "Search")
	assert.Len(t, names["main"], 1)
	assert.Len(t, names["banner"], 1)
	assert.Contains(t, names["heading"], "ecor")
	assert.Contains(t, names["image"], "Photo evening.jpg")
}
