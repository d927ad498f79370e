package test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chooseAll chooses every photo in view.
func (p *page) chooseAll() {
	p.t.Helper()
	p.do(`document.querySelector("#grid").focus()`)
	p.run(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
}

// waitKept waits until so many photos are on disk, and nothing of them changes any more.
func (p *page) waitKept(n int) {
	p.t.Helper()
	p.waitIdle()
	p.do(writeNow)
	p.waitFor(kept(n))
}

// writeNow has what waits for its turn written to disk.
const writeNow = `document.dispatchEvent(new Event("visibilitychange"))`

// kept is a condition: so many photos are on disk, and nothing of them has changed since it was asked before.
func kept(n int) string {
	return fmt.Sprintf(`(async () => {
		const [{ name }] = (await indexedDB.databases()).filter((d) => d.name.startsWith("ecor"));
		const of = (request) => new Promise((ok) => { request.onsuccess = () => ok(request.result); });
		const db = await of(indexedDB.open(name));
		const items = await of(db.transaction("items").objectStore("items").getAll());
		db.close();
		const now = JSON.stringify(items);
		const same = now === window.keptBefore;
		window.keptBefore = now;
		if (!same) await new Promise((r) => setTimeout(r, 700));
		return same && items.length === %d;
	})()`, n)
}

// manyScenes writes n small photos, of which no two are equal.
func manyScenes(t *testing.T, n int) []string {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for i := range n {
		files = append(files, writePhoto(t, dir, fmt.Sprintf("%02d.png", i), []string{"zebra", "sunset", "forest"}[i%3], 120+i, 90))
	}
	return files
}

// TestPauseWhileIdle: the key that pauses does nothing where there is nothing
// to pause, and what comes later is looked at.
func TestPauseWhileIdle(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.press("p")
	p.waitFor(`document.querySelector("#message").textContent.includes("nothing to pause")`)
	p.choose(threePhotos(t)...)
	assert.Contains(t, p.tiles()[0], "because")
	p.waitFor(`document.querySelector("#queue").hidden`)
	assert.Empty(t, p.complaints())
}

// TestCancelWhilePaused ends the work while it is paused and nothing runs any
// more: the bar goes, all cancelled photos can be tried again at once or
// removed, and starting anew ends a pause too.
func TestCancelWhilePaused(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.applyPack(slowPack(t))
	p.start(manyScenes(t, 12)...)
	pause := func() {
		t.Helper()
		p.waitFor(`!document.querySelector("#queue").hidden`)
		p.click("#pause")
		p.waitLong(`document.querySelector("#queue-text").textContent.startsWith("Paused") && !document.querySelector(".tile[data-state=working]")`)
		assert.Regexp(t, `^Paused · \d+ of 12 photos$`, p.text("#queue-text"))
		assert.Equal(t, "Go on", p.text("#pause"))
		assert.Equal(t, "busy", eval[string](p, `document.body.dataset.work`))
	}
	pause()
	p.save("paused")
	p.click("#cancel")
	p.waitIdle()
	p.waitFor(`document.querySelector("#queue").hidden`)
	cancelled := eval[int](p, `document.querySelectorAll(".tile[data-state=failed]").length`)
	require.Positive(t, cancelled)
	assert.Equal(t, fmt.Sprintf("%d photos cancelled.", cancelled), p.text("#message p"))

	p.chooseAll()
	p.waitFor(`!document.querySelector("#retry-chosen").hidden`)
	assert.Equal(t, fmt.Sprintf("Try %d again", cancelled), p.text("#retry-chosen"))
	p.save("chosen")
	p.click("#retry-chosen")
	p.waitFor(`document.querySelectorAll(".tile[data-state=failed]").length === 0`)
	assert.Equal(t, "grid", eval[string](p, `document.activeElement.id`))

	// What waits is removed while it is paused.
	p.waitFor(`!document.querySelector("#queue").hidden`)
	p.click("#pause")
	p.waitLong(`!document.querySelector(".tile[data-state=working]")`)
	p.chooseAll()
	p.click("#remove-chosen")
	p.waitFor(`document.querySelector("#remove-sheet").open`)
	assert.Contains(t, p.text("#remove-sheet p"), "12 photos and all decisions")
	p.click("#remove-now")
	p.waitFor(`document.body.dataset.photos === "none"`)
	p.waitIdle()
	p.waitFor(`document.querySelector("#queue").hidden`)

	// Starting anew, too. A new worker has none of the prompts: photos take long again.
	p.reload()
	p.start(manyScenes(t, 12)...)
	pause()
	p.click("#start-over")
	p.click("#remove-all")
	p.waitFor(`document.body.dataset.photos === "none" && document.body.dataset.work === "idle"`)
	p.press("p")
	p.waitFor(`document.querySelector("#message").textContent.includes("nothing to pause")`)
	assert.Empty(t, p.complaints())
}

// TestCancelWhileListing ends the work while a folder is still being read: its
// other files are not added, and that is said.
func TestCancelWhileListing(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.applyPack(slowPack(t))
	p.folders(manyScenes(t, 6)...)
	p.do(`{
		const { getFile } = FileSystemFileHandle.prototype;
		const gate = new Promise((open) => (globalThis.openGate = open));
		FileSystemFileHandle.prototype.getFile = async function () { if (this.name === "05.png") await gate; return getFile.call(this); };
		const { now } = performance;
		performance.now = () => (globalThis.clock = (globalThis.clock ?? now.call(performance)) + 200); // a file at a time
	}`)
	p.click("#choose-folder")
	p.waitFor(`!document.querySelector("#queue").hidden`)
	p.click("#cancel")
	p.waitIdle()
	assert.Contains(t, p.text("#message p"), "cancelled. Files that were still being looked for were not added.")
	p.do(`openGate()`)
	p.run(chromedp.Sleep(10 * frame))
	assert.Less(t, len(p.tiles()), 6)
	assert.Contains(t, p.text("#message p"), "cancelled", "nothing else is said")
	assert.Empty(t, p.complaints())
}

// renamedWeights writes a site's tiny weights under another name, "mine", into a file.
func renamedWeights(t *testing.T, s *site) string {
	t.Helper()
	weights, err := os.ReadFile(s.file(s.assets.Weights))
	require.NoError(t, err)
	renamed := bytes.Replace(weights, []byte(`"name":"tiny"`), []byte(`"name":"mine"`), 1)
	require.NotEqual(t, weights, renamed)
	file := filepath.Join(t.TempDir(), "my weights.safetensors")
	require.NoError(t, os.WriteFile(file, renamed, 0o600))
	return file
}

// TestOwnWeightsAfterReload: answers by weights from a file are not dropped
// before the person has said which model to go on with.
func TestOwnWeightsAfterReload(t *testing.T) {
	s := tinySite(t)
	mine := renamedWeights(t, s)
	openMine := func(p *page) {
		t.Helper()
		p.upload("#weights-file", []string{mine})
		p.waitFor(`document.querySelector("#weights-status").textContent === "mine is in use now."`)
		p.waitIdle()
	}
	const question = `document.querySelector(".message[data-kind=question]")`

	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(s.URL)
	photos := threePhotos(t)
	p.choose(photos...)
	openMine(p)
	before := p.tiles()
	p.waitKept(3)
	_, err := chromedp.Call(p.ctx, cdppage.SetInterceptFileChooserDialog, cdppage.SetInterceptFileChooserDialogParams{Enabled: true})
	require.NoError(t, err)
	answer := func(button int) {
		t.Helper()
		p.waitFor(question)
		assert.Contains(t, p.text(".message[data-kind=question]"), "my weights.safetensors")
		p.waitTiles(3)
		assert.Equal(t, before, p.tiles(), "nothing is dropped before there is an answer")
		p.click(fmt.Sprintf(".message[data-kind=question] button:nth-of-type(%d)", button))
	}

	p.reload()
	p.save("question")
	p.waitFor(`document.querySelector(".detail input:disabled")`)
	p.start(photos...)
	p.waitFor(question)
	assert.Equal(t, []string{"Open the weights file…", "Use the shipped model"}, p.texts(".message[data-kind=question] button"))
	answer(1)
	p.waitFor(`document.querySelector("#model-sheet").open`)
	openMine(p)
	p.waitFor(`!` + question)
	p.press(kb.Escape)
	assert.Equal(t, before, p.tiles())
	p.waitFor(`document.querySelector(".detail input:enabled")`)

	p.reload()
	answer(2)
	p.waitFor(`!` + question)
	p.waitFor(`document.querySelectorAll(".tile[data-state=waiting]").length === 3`)
	p.choose(photos...)
	assert.Equal(t, before, p.tiles(), "the same network by another name")

	assert.Empty(t, p.complaints())
}

// TestShippedModelAgain goes back to the shipped model in a window that keeps
// nothing: decisions and photos stay, as the page is not loaded anew.
func TestShippedModelAgain(t *testing.T) {
	s := tinySite(t)
	mine := renamedWeights(t, s)
	p := newPage(t)
	p.before(`Object.defineProperty(globalThis, "indexedDB", { value: undefined })`)
	p.view(1400, 900, "light")
	p.open(s.URL)
	p.choose(threePhotos(t)...)
	p.press("k")
	before := p.tiles()
	assert.Contains(t, before[0], ": keep")
	p.upload("#weights-file", []string{mine})
	p.waitFor(`document.querySelector("#weights-status").textContent === "mine is in use now."`)
	p.waitIdle()
	p.click("#model-open")
	p.do(`globalThis.before = true; [...document.querySelectorAll("#model-sheet button")].find((b) => b.textContent.includes("shipped model")).click()`)
	p.waitFor(`document.querySelector("#weights-status").textContent === "tiny is in use now."`)
	p.press(kb.Escape)
	p.waitIdle()
	assert.True(t, eval[bool](p, `globalThis.before`), "the page was not loaded anew")
	assert.Equal(t, before, p.tiles())
	assert.Contains(t, p.texts("#model-sheet .facts dd"), "this site")
}

// TestSameWeightsAgain opens weights that are in use already while photos are
// looked at: each of them gets its answer all the same.
func TestSameWeightsAgain(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(s.URL)
	photos := manyScenes(t, 60)
	p.start(photos...)
	p.waitFor(`document.querySelector(".tile[data-state=done]")`)
	p.upload("#weights-file", []string{s.file(s.assets.Weights)})
	p.waitFor(`document.querySelector("#weights-status").textContent === "tiny is in use now."`)
	p.waitIdle()
	assert.Contains(t, p.options("#filter-state"), "answered (60)")
}

// TestKeptImageAndItsFile: a photo that the browser keeps takes its file back, and
// can be added again once its image is kept no more.
func TestKeptImageAndItsFile(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.folders(threePhotos(t)...)
	p.click("#choose-folder")
	p.waitTiles(3)
	p.waitIdle()
	p.do(`document.querySelector("#keep-images").click()`)
	p.waitKept(3)
	p.reload()
	p.pickers()
	p.waitTiles(3)
	movable := func() bool {
		p.do(`document.querySelector("#export-open").click()`)
		defer p.press(kb.Escape)
		return eval[bool](p, `!document.querySelector("#export-move").disabled`)
	}
	assert.False(t, movable(), "what is kept is no file that could be moved")
	p.do(`document.querySelector("#add-folder").click()`)
	p.waitFor(`document.querySelector("#message").textContent.includes("3 photos of this review found again")`)
	assert.True(t, movable())

	p.reload()
	p.pickers()
	p.waitTiles(3)
	p.do(`document.querySelector("#keep-images").click()`)
	p.waitTiles(3)
	p.do(`document.querySelector("#add-folder").click()`)
	p.waitFor(`document.querySelector("#message").textContent.includes("3 photos of this review found again")`)
}

// TestRefusedLabelsOfReview: categories of a review that cannot be used any more can be taken away.
func TestRefusedLabelsOfReview(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	p.waitKept(3)
	p.record("info", `"info"`, `(info) => ({ ...info, shipped: false, labels: '{"format": "ecor-labels-1", "categories": {"mine": []}}' })`)
	p.reload()
	p.waitFor(`document.querySelector(".message[data-kind=problem]")`)
	assert.Contains(t, p.text(".message[data-kind=problem]"), "The categories of this review could not be used")
	got := eval[string](p, `(async () => {
		const saved = new Promise((ok) => { URL.createObjectURL = (blob) => (ok(blob.text()), "#"); });
		document.querySelector(".message[data-kind=problem] button").click();
		return saved;
	})()`)
	assert.Contains(t, got, `"mine"`)
}

// TestCameraOpenedTwice opens the camera, closes its panel while the browser
// still asks, and opens it again: the first stream is switched off.
func TestCameraOpenedTwice(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.do(`{
		globalThis.streams = [];
		globalThis.answers = [];
		navigator.mediaDevices.getUserMedia = () => new Promise((ok) => answers.push(() => {
			const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 20 });
			canvas.getContext("2d").fillRect(0, 0, 32, 20);
			streams.push(canvas.captureStream(30));
			ok(streams.at(-1));
		}));
	}`)
	for range 2 {
		p.click("#use-camera")
		p.waitFor(`document.querySelector("#camera").open`)
		p.press(kb.Escape)
		p.waitFor(`!document.querySelector("#camera").open`)
	}
	p.click("#use-camera")
	p.do(`answers.forEach((f) => f())`)
	p.waitFor(`streams.length === 3 && streams[0].getTracks()[0].readyState === "ended" && streams[1].getTracks()[0].readyState === "ended"`)
	assert.Equal(t, "live", eval[string](p, `streams[2].getTracks()[0].readyState`))
	p.press(kb.Escape)
	p.waitFor(`streams[2].getTracks()[0].readyState === "ended"`)
}

// TestComparison looks at one photo by another way of scoring, while the way for
// all photos, the labels and the engine change.
func TestComparison(t *testing.T) {
	p := newPage(t)
	p.view(1400, 1000, "light")
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	by := func(method string) {
		t.Helper()
		p.do(fmt.Sprintf(`document.querySelector(".detail input[value=%s]").click()`, method))
	}
	const weighing = `document.querySelector(".detail").textContent.includes("Weighing")`

	// Back to the review's own way, which then changes.
	by("clip")
	p.waitFor(`document.querySelector(".changes")`)
	by("ecor")
	p.waitFor(`!document.querySelector(".changes")`)
	p.pick("#method", "joint")
	p.waitIdle()
	p.waitFor(`document.querySelector(".detail input:checked").value === "joint" && !(` + weighing + `)`)

	// Other labels: both columns are about them.
	by("clip")
	p.waitFor(`document.querySelector(".changes")`)
	file := filepath.Join(t.TempDir(), "two.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"format":"ecor-labels-1","name":"two","categories":{"night":["a moon"],"day":["a sun"]}}`), 0o600))
	p.applyPack(file)
	p.waitFor(`document.querySelector(".changes") && [...document.querySelectorAll(".changes tbody td:first-child")].every((e) => /^(night|day)$/.test(e.textContent))`)
	assert.NotContains(t, p.texts(".changes td"), "–", "a share in every field")

	// The engine fails once: it is said, and can be tried again.
	for _, w := range p.workers() {
		w.do(`{ globalThis.real = postMessage; globalThis.postMessage = (reply, ...rest) => { if (reply?.type === "done" && reply.result?.answer?.method === "inverted") { globalThis.postMessage = real; reply = { type: "failed", id: reply.id, kind: "refused", reason: "The test says no." }; rest = []; } real(reply, ...rest); }; }`)
	}
	by("inverted")
	p.waitFor(`document.querySelector(".detail [role=alert]")`)
	assert.Equal(t, "The test says no.", p.text(".detail [role=alert]"))
	p.save("failed")
	p.do(`[...document.querySelectorAll(".detail button")].find((b) => b.textContent === "Try again").click()`)
	p.waitFor(`document.querySelector(".changes") && !document.querySelector(".detail [role=alert]")`)
	assert.Contains(t, p.texts(".changes th"), "Inverted")
	assert.Empty(t, p.complaints())
}

// TestFocusStays: what is drawn again under the focus keeps it, and the skip
// link leads to the photos.
func TestFocusStays(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	skip := func(want string) {
		t.Helper()
		p.do(`document.querySelector(".skip").focus()`)
		p.press(kb.Enter)
		assert.Equal(t, want, eval[string](p, `document.activeElement.id`))
	}
	skip("choose")
	p.choose(threePhotos(t)...)
	skip("grid")
	p.press(kb.Home, kb.Enter)
	p.waitFor(`document.querySelector("#big").open`)
	focus := func(text string) {
		t.Helper()
		p.do(fmt.Sprintf(`[...document.querySelectorAll("#big button")].find((b) => (b.title || b.textContent) === %q).focus()`, text))
	}
	focused := func() string {
		return eval[string](p, `document.activeElement.title || document.activeElement.textContent`)
	}
	focus("Keep")
	p.press(kb.Enter)
	p.waitFor(`document.querySelector("#big .file").textContent === "evening.jpg"`)
	assert.Equal(t, "Keep", focused())
	focus("Next photo")
	p.press(kb.Enter)
	p.waitFor(`document.querySelector("#big .file").textContent === "walk.jpeg"`)
	assert.Equal(t, "Next photo", focused())
	p.do(`document.querySelector("#big input[value=ecor]").focus()`)
	p.press(kb.ArrowRight)
	p.waitFor(`document.querySelector(".changes")`)
	assert.Equal(t, "clip", eval[string](p, `document.activeElement.value`))
	assert.Empty(t, p.complaints())
}

// slowSite is a tinySite that keeps the weights back until they are released.
func slowSite(t *testing.T) (s *site, release func()) {
	t.Helper()
	s = tinySite(t)
	weights := make(chan struct{})
	release = sync.OnceFunc(func() { close(weights) })
	t.Cleanup(release)
	serve := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/"+s.assets.Weights {
			<-weights
		}
		serve.ServeHTTP(w, r)
	})
	return s, release
}

// TestPanelsBeforeTheModel opens the panels while the model is still on its way.
func TestPanelsBeforeTheModel(t *testing.T) {
	s, release := slowSite(t)
	p := newPage(t)
	p.view(1400, 900, "light")
	p.run(chromedp.Navigate(s.URL))
	p.waitFor(`document.querySelector("#labels-open")`)
	p.waitFor(`document.querySelector("#loading-text").textContent === "Starting the engine…"`)
	p.click("#labels-open")
	assert.Equal(t, "Getting ready…", p.text("#label-status"))
	p.do(`document.querySelector("#label-export").focus()`)
	assert.NotEqual(t, "label-export", eval[string](p, `document.activeElement.id`), "out of reach")
	p.save("labels")
	p.press(kb.Escape)
	p.click("#model-open")
	assert.Equal(t, "Getting ready…", p.text("#weights-status"))
	assert.True(t, eval[bool](p, `document.querySelector("#model-sheet button.primary").disabled`))
	p.press(kb.Escape)
	release()
	p.waitReady()
	assert.Empty(t, p.text("#weights-status"))
	p.click("#labels-open")
	assert.Equal(t, "As shipped.", p.text("#label-status"))
	assert.Empty(t, p.complaints())
}

// record changes a record of the page's database; change is a function of it.
func (p *page) record(store, key, change string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`(async () => {
		const [{ name }] = (await indexedDB.databases()).filter((d) => d.name.startsWith("ecor"));
		const of = (request) => new Promise((ok, no) => { request.onsuccess = () => ok(request.result); request.onerror = () => no(request.error); });
		const db = await of(indexedDB.open(name));
		const records = db.transaction(%[1]q, "readwrite").objectStore(%[1]q);
		const record = (%[3]s)(await of(records.get(%[2]s)));
		await of(records.keyPath ? records.put(record) : records.put(record, %[2]s));
		db.close();
	})()`, store, key, change))
}

// TestDamagedReview: what is wrong with a kept review is said, and does not
// leave the page without a word.
func TestDamagedReview(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	p.waitKept(3)
	p.record("info", `"info"`, `(info) => ({ ...info, shipped: false, labels: "no labels" })`)
	p.reload()
	p.waitFor(`document.querySelector(".message[data-kind=problem]")`)
	assert.Contains(t, p.text(".message[data-kind=problem]"), "The categories of this review could not be used, so the shipped ones are. Export yours to keep them. The label pack is not JSON")

	p.waitKept(3)
	p.record("items", `1`, `(item) => ({ ...item, answer: { categories: 5 } })`)
	p.run(chromedp.Reload())
	p.waitFor(`document.body?.dataset.model === "failed"`)
	assert.Contains(t, p.text("#loading-text"), "The page could not be started: ")
	p.click("#labels-open")
	assert.Contains(t, p.text("#label-status"), "The page could not be started: ")
	p.press(kb.Escape)
	p.upload("#picker", threePhotos(t))
	p.waitFor(`document.querySelector("#message").textContent.includes("nothing can be added")`)
	p.save("failed")

	// Deleting everything is the way out.
	p.click("#privacy-open")
	p.do(`document.querySelector("#deletion button").click()`)
	p.click("#delete-now")
	p.waitFor(`document.querySelector("#deleted")`)
	p.click("#deletion button")
	p.waitFor(`document.body?.dataset.model === "ready" && document.body.dataset.photos === "none"`)
}

// TestProgressAfterFailure: how far loading has come does not take the place of
// why the page could not be started.
func TestProgressAfterFailure(t *testing.T) {
	s, release := slowSite(t)
	p := newPage(t)
	p.view(1400, 900, "light")
	p.run(chromedp.Navigate(s.URL))
	p.waitFor(`document.querySelector("#picker")`)
	p.upload("#picker", threePhotos(t))
	p.waitFor(`document.querySelectorAll(".tile").length === 3`)
	p.run(chromedp.Sleep(50 * frame))                             // their headers are read
	p.do(`document.dispatchEvent(new Event("visibilitychange"))`) // writes what waits
	p.run(chromedp.Sleep(10 * frame))
	p.record("items", `1`, `(item) => ({ ...item, state: "done", answer: { categories: 5 } })`)
	p.run(chromedp.Reload())
	p.waitFor(`document.body?.dataset.model === "failed"`)
	release()
	p.run(chromedp.Sleep(50 * frame)) // the tiny weights are loaded
	assert.Contains(t, p.text("#loading-text"), "The page could not be started: ")
}

// TestDeletionInPart: what was deleted is said beside what could not be, and
// nothing but loading the page anew is left to do, also where it is loading still.
func TestDeletionInPart(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.choose(threePhotos(t)...)
	p.press("k")
	p.do(`CacheStorage.prototype.delete = async () => { throw new Error("The test keeps the cache."); }`)
	p.click("#privacy-open")
	p.do(`document.querySelector("#deletion button").click()`)
	p.click("#delete-now")
	p.waitFor(`document.querySelector("#deleted")`)
	assert.Contains(t, strings.Join(p.texts("#deleted li"), "\n"), "Decisions: 1")
	assert.Contains(t, p.text("#not-deleted"), "The test keeps the cache.")
	p.save("part")
	p.press(kb.Escape, kb.Escape, kb.Escape)
	assert.True(t, eval[bool](p, `document.querySelector("#privacy").open`), "the page is over")
	p.do(`{
		const data = new DataTransfer();
		data.items.add(new File([new Uint8Array(3)], "note.png", { type: "image/png" }));
		document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
	}`)
	p.run(chromedp.Sleep(10 * frame))
	p.waitTiles(3)

	// While it is loading.
	p.run(chromedp.Reload())
	p.waitFor(`document.querySelector("#delete-now") === null && document.querySelector("#deletion button")`)
	p.do(`document.querySelector("#privacy-open").click(); document.querySelector("#deletion button").click(); document.querySelector("#delete-now").click()`)
	p.waitFor(`document.querySelector("#deletion h3")`)
	assert.Empty(t, eval[[]any](p, `indexedDB.databases()`))
	assert.Empty(t, eval[[]string](p, `caches.keys()`))
	assert.Zero(t, eval[int](p, `navigator.serviceWorker.getRegistrations().then((all) => all.length)`))
	assert.Empty(t, p.complaints())
}

// TestKeepImages ticks the box that keeps images: after a reload they are there
// without their files, and thumbnails of tall ones are made, too.
func TestKeepImages(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.choose(writePhoto(t, t.TempDir(), "tall.png", "forest", 60, 20000), writePhoto(t, t.TempDir(), "wide.png", "sunset", 400, 200))
	p.click("#privacy-open")
	p.click("#keep-images")
	p.press(kb.Escape)
	p.waitFor(`(async () => {
		const [{ name }] = (await indexedDB.databases()).filter((d) => d.name.startsWith("ecor"));
		const of = (request) => new Promise((ok) => { request.onsuccess = () => ok(request.result); });
		const db = await of(indexedDB.open(name));
		const n = await of(db.transaction("images").objectStore("images").count());
		db.close();
		return n === 2;
	})()`)
	p.waitKept(2)
	p.reload()
	p.waitFor(`document.querySelectorAll(".tile img").length === 2`)
	sizes := eval[[][]int](p, `Promise.all([0, 1].map((i) => { const m = document.querySelector("[data-index='" + i + "'] img"); return m.decode().then(() => [m.naturalWidth, m.naturalHeight]); }))`)
	assert.Equal(t, [][]int{{1, 256}, {256, 128}}, sizes)
	assert.Empty(t, p.text("#message"), "nothing is missing")
	p.click("#privacy-open")
	assert.True(t, eval[bool](p, `document.querySelector("#keep-images").checked`))
	p.click("#keep-images")
	p.reload()
	p.waitFor(`document.querySelector("#message").textContent.includes("2 photos of this review are not here")`)
	assert.Empty(t, p.complaints())
}

// folders gives the page folders of the origin's own file system for its
// dialogs: the photos are in "album".
func (p *page) folders(files ...string) {
	p.t.Helper()
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(p.t, err)
		p.do(fmt.Sprintf(`(async () => {
			const album = await (await navigator.storage.getDirectory()).getDirectoryHandle("album", { create: true });
			const writable = await (await album.getFileHandle(%q, { create: true })).createWritable();
			await writable.write(Uint8Array.from(atob(%q), (c) => c.charCodeAt(0)));
			await writable.close();
		})()`, filepath.Base(file), base64.StdEncoding.EncodeToString(text)))
	}
	p.pickers()
}

// pickers has the page's dialogs answered by folders of the origin's own file system.
func (p *page) pickers() {
	p.t.Helper()
	p.do(`globalThis.showDirectoryPicker = async ({ id }) => (await navigator.storage.getDirectory()).getDirectoryHandle(id === "ecor-photos" ? "album" : "sorted", { create: true })`)
}

// tree lists the files of the origin's own file system.
func (p *page) tree() []string {
	p.t.Helper()
	return eval[[]string](p, `(async () => {
		const walk = async (folder, path) => {
			const found = [];
			for await (const child of folder.values()) found.push(...(child.kind === "directory" ? await walk(child, path + child.name + "/") : [path + child.name]));
			return found;
		};
		return (await walk(await navigator.storage.getDirectory(), "")).sort();
	})()`)
}

// TestMove moves photos into folders: the right to do so is asked for before,
// the panel stays open meanwhile, and a reload finds them where they are now.
func TestMove(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.folders(threePhotos(t)...)
	p.click("#choose-folder")
	p.waitTiles(3)
	p.waitIdle()
	p.press("k", "k", "r")
	p.click("#export-open")
	p.pick("#export-by", "decision")

	// Without the right nothing happens.
	p.do(`{
		globalThis.asked = [];
		FileSystemHandle.prototype.queryPermission = async () => "prompt";
		FileSystemHandle.prototype.requestPermission = async function ({ mode }) { asked.push(this.name + " " + mode); return globalThis.answer; };
		globalThis.answer = "denied";
	}`)
	p.click("#export-move")
	p.waitFor(`document.querySelector("#export-status").textContent.includes("can only be copied")`)
	assert.Equal(t, []string{"album readwrite"}, eval[[]string](p, `asked`), "before anything is copied")
	assert.Equal(t, []string{"album/evening.jpg", "album/stripes.png", "album/walk.jpeg"}, p.tree())

	p.do(`globalThis.answer = "granted"`)
	p.do(`{
		const { createWritable } = FileSystemFileHandle.prototype;
		globalThis.gate = new Promise((open) => (globalThis.openGate = open));
		FileSystemFileHandle.prototype.createWritable = async function (...a) { await gate; return createWritable.apply(this, a); };
	}`)
	p.click("#export-move")
	p.click("#move-now")
	p.waitFor(`!document.querySelector("#export progress").hidden`)
	p.press(kb.Escape, kb.Escape, kb.Escape)
	p.do(`document.querySelector("#export").dispatchEvent(new MouseEvent("mousedown", { bubbles: true }))`)
	assert.True(t, eval[bool](p, `document.querySelector("#export").open`), "a stray press does not end it")
	p.save("moving")
	p.do(`openGate()`)
	p.waitFor(`document.querySelector("#export-status").textContent === "3 files written."`)
	assert.Equal(t, []string{"sorted/keep/evening.jpg", "sorted/keep/stripes.png", "sorted/reject/walk.jpeg"}, p.tree())
	p.press(kb.Escape)
	assert.False(t, eval[bool](p, `document.querySelector("#export").open`))

	p.waitKept(3)
	p.reload()
	p.pickers()
	p.waitFor(`document.querySelector("#message button")`)
	assert.Contains(t, p.text("#message"), "Read the folder again")
	p.click("#message button")
	p.waitFor(`document.querySelectorAll(".tile img").length === 3`)
	assert.Contains(t, p.text("#message"), "3 photos of this review found again.")

	// Starting anew forgets the folders.
	p.click("#start-over")
	p.click("#remove-all")
	p.choose(threePhotos(t)...)
	p.waitKept(3)
	p.reload()
	p.waitFor(`document.querySelector("#message").textContent.includes("not here")`)
	assert.NotContains(t, p.text("#message"), "Read the folder again")
	assert.Empty(t, p.complaints())
}

// TestExportButtons takes the review away as JSON and ZIP, says what is left
// out, and what goes wrong.
func TestExportButtons(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	photos := threePhotos(t)
	p.choose(photos...)
	p.press("k")
	p.waitKept(3)
	p.reload()
	p.waitTiles(3)
	p.choose(photos[:2]...)
	p.do(`globalThis.showSaveFilePicker = undefined`)

	var review struct {
		Format string
		Photos []struct{ File, Decision string }
	}
	require.NoError(t, json.Unmarshal([]byte(p.exported("export-json")), &review))
	assert.Equal(t, "ecor-review-1", review.Format)
	require.Len(t, review.Photos, 3)
	assert.Equal(t, "keep", review.Photos[0].Decision)

	p.do(`{ const make = URL.createObjectURL; URL.createObjectURL = (blob) => { if (blob.type === "application/zip") globalThis.saved = blob; return make.call(URL, blob); }; }`)
	p.click("#export-open")
	assert.Equal(t, "1 photo is not here and left out of folders and ZIP: add its file again first.", p.text("#export-absent"))
	p.save("panel")
	p.click("#export-zip")
	p.waitFor(`document.querySelector("#export-status").textContent.includes("written")`)
	assert.Contains(t, p.text("#export-status"), "2 files written. 1 photo is not here")
	encoded := eval[string](p, `new Promise((ok) => { const r = new FileReader(); r.onload = () => ok(r.result.split(",")[1]); r.readAsDataURL(saved); })`)
	data, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	var names []string
	for _, f := range r.File {
		names = append(names, filepath.Base(f.Name))
	}
	assert.Equal(t, []string{"stripes.png", "evening.jpg"}, names)

	p.do(`globalThis.Blob = class { constructor() { throw new Error("no memory"); } }`)
	p.click("#export-csv")
	p.waitFor(`document.querySelector("#export-status").textContent === "The export stopped: no memory"`)
	assert.Empty(t, p.complaints())
}

// before has a script run before those of every document from now on.
func (p *page) before(script string) (forget func()) {
	p.t.Helper()
	added, err := chromedp.Call(p.ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	require.NoError(p.t, err)
	return func() {
		_, err := chromedp.Call(p.ctx, cdppage.RemoveScriptToEvaluateOnNewDocument, cdppage.RemoveScriptToEvaluateOnNewDocumentParams(added))
		require.NoError(p.t, err)
	}
}

// TestWithoutStorage: where the browser keeps nothing, the page says so, in a
// message and in the panel, and everything else works.
func TestWithoutStorage(t *testing.T) {
	for name, script := range map[string]string{
		"absent":  `Object.defineProperty(globalThis, "indexedDB", { value: undefined })`,
		"refused": `IDBFactory.prototype.open = () => { throw new DOMException("The test refuses.", "SecurityError"); }`,
		"private": `IDBFactory.prototype.open = () => { const request = { error: new DOMException("A mutation operation was attempted.", "InvalidStateError") }; setTimeout(() => request.onerror()); return request; }`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPage(t)
			p.view(1400, 900, "light")
			p.before(script)
			p.open(tinySite(t).URL)
			const said = "This browser window keeps nothing, as in private browsing."
			p.waitFor(`document.querySelector(".message[data-kind=problem]")`)
			assert.Contains(t, p.text(".message[data-kind=problem]"), said)
			assert.Contains(t, p.text("#privacy"), said)
			p.choose(threePhotos(t)...)
			assert.Contains(t, p.tiles()[0], "because")
			p.press("k")
			assert.Contains(t, p.tiles()[0], ": keep")
			p.pick("#filter-decision", "keep")
			p.waitTiles(1)
			assert.Len(t, p.texts(".message[data-kind=problem]"), 1, "it is said once")
			p.save("said")

			// Images cannot be kept either: nobody is offered that they are.
			p.do(`{
				const data = new DataTransfer();
				data.items.add(new File([new Uint8Array(3)], "image.png", { type: "image/png" }));
				document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
			}`)
			p.waitFor(`document.querySelector("#shown").textContent.includes("of 4")`)
			assert.Len(t, p.texts(".message[data-kind=problem]"), 1)

			p.reload()
			assert.Equal(t, "none", eval[string](p, `document.body.dataset.photos`), "as it was said")
			assert.Empty(t, p.complaints())
		})
	}
}

// TestNoSpaceLeft: where the browser has no space for answers, the page says so,
// goes on, and keeps what is decided.
func TestNoSpaceLeft(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	forget := p.before(`{
		const { put } = IDBObjectStore.prototype;
		IDBObjectStore.prototype.put = function (value, ...key) {
			if (this.name === "items") throw new DOMException("The test has no space.", "QuotaExceededError");
			return put.call(this, value, ...key);
		};
	}`)
	p.open(tinySite(t).URL)
	assert.Empty(t, p.text("#message"))
	photos := threePhotos(t)
	p.choose(photos...)
	p.waitFor(`document.querySelector(".message[data-kind=problem]")`)
	const said = "The browser has no space left for this page. Decisions are kept as long as they fit, answers are not"
	assert.Contains(t, p.text(".message[data-kind=problem]"), said)
	assert.Contains(t, p.text("#privacy"), said)
	before := p.tiles()
	assert.Contains(t, before[2], "because")
	p.press("k", "f")
	p.choose(writePhoto(t, t.TempDir(), "more.png", "forest", 200, 100))
	p.waitTiles(4)
	assert.Contains(t, p.tiles()[3], "because", "the page goes on")
	assert.Len(t, p.texts(".message[data-kind=problem]"), 1, "it is said once")
	p.save("said")

	forget()
	p.do(`document.dispatchEvent(new Event("visibilitychange"))`) // writes what waits
	p.reload()
	p.waitTiles(2)
	p.choose(photos...)
	p.waitTiles(3)
	after := p.tiles()
	assert.Contains(t, after[0], ": keep")
	assert.Contains(t, after[1], ": flag")
	assert.Empty(t, p.complaints())
}

// TestDecisionsDoNotFit: where there is no space for decisions either, nobody is left to believe that they are kept.
func TestDecisionsDoNotFit(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.do(`IDBObjectStore.prototype.put = () => { throw new DOMException("The test has no space.", "QuotaExceededError"); }`)
	p.choose(threePhotos(t)...)
	const problems = `document.querySelectorAll(".message[data-kind=problem]").length`
	p.waitFor(problems + ` === 1`)
	assert.Contains(t, p.text(".message[data-kind=problem]"), "Decisions are kept as long as they fit")
	p.press("k")
	p.waitFor(problems + ` === 2`)
	assert.Contains(t, p.texts(".message[data-kind=problem]")[1], "The browser does not keep this review any more.")
	assert.Contains(t, p.text("#privacy"), "The browser does not keep this review any more.")
	p.press("f")
	assert.Contains(t, p.tiles()[1], ": flag")
	assert.Empty(t, p.complaints())
}

// TestSecondTab: a review is held by one tab; another one says that it keeps nothing.
func TestSecondTab(t *testing.T) {
	s := tinySite(t)
	first := newPage(t)
	first.open(s.URL)
	first.choose(threePhotos(t)...)
	first.waitKept(3)

	ctx, cancel := chromedp.NewContext(first.ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	second := &page{t: t, ctx: ctx, timeout: first.timeout}
	second.open(s.URL)
	second.waitFor(`document.querySelector(".message[data-kind=problem]")`)
	assert.Contains(t, second.text(".message[data-kind=problem]"), "Another tab has this review open. What you do here is not kept.")
	assert.Empty(t, second.tiles())
	second.choose(threePhotos(t)...)
	second.press("k")
	assert.Contains(t, second.tiles()[0], ": keep")

	first.reload()
	first.waitTiles(3)
	assert.NotContains(t, first.tiles()[0], ": keep")
	assert.Empty(t, first.complaints())
}

// TestWithoutServiceWorker: where the page cannot be kept for offline use, that
// is said in the panel, and everything else works.
func TestWithoutServiceWorker(t *testing.T) {
	p := newPage(t)
	p.before(`Object.defineProperty(Navigator.prototype, "serviceWorker", { value: undefined })`)
	p.run(chromedp.Navigate(tinySite(t).URL))
	p.waitFor(`document.body?.dataset.model === "ready"`)
	p.waitOffline("Works while this tab is open")
	p.choose(threePhotos(t)...)
	assert.Contains(t, p.tiles()[0], "because")
	assert.Empty(t, p.complaints())
}
