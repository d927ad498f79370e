package test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/host/photo"
)

// exported presses a button of the export panel and returns the file that it saves.
func (p *page) exported(button string) string {
	p.t.Helper()
	p.do(`{ globalThis.makeURL ??= URL.createObjectURL; URL.createObjectURL = (blob) => { if (/csv|json|zip/.test(blob.type)) globalThis.saved = blob; return makeURL.call(URL, blob); }; }`)
	p.click("#export-open")
	p.click("#" + button)
	p.waitFor(`document.querySelector("#export-status").textContent.includes("is saved")`)
	text := eval[string](p, `saved.text()`)
	p.do(`URL.createObjectURL = globalThis.makeURL`)
	p.press(kb.Escape)
	return text
}

// classifyCSV runs the command line over files of a folder with a site's module and weights.
func classifyCSV(t *testing.T, s *site, labels, dir string, files []string) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "classify")
	build := exec.Command("go", "build", "-o", tool, "./tools/classify")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	args := []string{"-csv", "-j", "2"}
	for flag, file := range map[string]string{"-module": s.file(s.assets.Module), "-weights": s.file(s.assets.Weights), "-labels": labels} {
		abs, err := filepath.Abs(file)
		require.NoError(t, err)
		args = append(args, flag, abs)
	}
	run := exec.Command(tool, append(args, files...)...)
	run.Dir = dir
	var stderr bytes.Buffer
	run.Stderr = &stderr
	text, err := run.Output()
	require.NoError(t, err, "%s", &stderr)
	return string(text)
}

// TestExportEqualsCommandLine exports the answers about PNG files, of which
// every decoder gives the same pixels: every digit is that of the command line.
func TestExportEqualsCommandLine(t *testing.T) {
	s := tinySite(t)
	dir := t.TempDir()
	var names, files []string
	for i, scene := range []string{"zebra", "sunset", "forest"} {
		name := fmt.Sprintf("%d %s, =first.png", i, scene)
		names = append(names, name)
		files = append(files, writePhoto(t, dir, name, scene, 300+40*i, 200))
	}
	p := newPage(t)
	p.open(s.URL)
	p.choose(files...)
	assert.Equal(t, classifyCSV(t, s, s.file(s.assets.Labels), dir, names), p.exported("export-answers"))

	p.press("k", "r")
	rows, err := csv.NewReader(strings.NewReader(p.exported("export-csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	assert.Equal(t, "decision", rows[0][1])
	assert.Equal(t, []string{"keep", "reject", "none"}, []string{rows[1][1], rows[2][1], rows[3][1]})
	assert.Empty(t, p.complaints())
}

// TestReload loads the page again in the middle of a run: what was decided and
// what was answered is there, and choosing the same files goes on with the rest.
func TestReload(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	p.applyPack(slowPack(t))
	dir := t.TempDir()
	var files []string
	for i := range 10 {
		files = append(files, writePhoto(t, dir, fmt.Sprintf("%02d.png", i), []string{"zebra", "sunset", "forest"}[i%3], 150+i, 100))
	}
	p.start(files...)
	p.waitTiles(10)
	p.press("k", "f", "r", "k")
	p.waitFor(`document.querySelectorAll(".tile[data-state=done]").length >= 2`)
	p.press("t")
	p.waitFor(`document.querySelector("#tag-sheet").open`)
	p.set("#tags", "mine")
	p.press(kb.Enter)
	p.waitFor(`!document.querySelector("#tag-sheet").open`)
	p.reload()
	p.waitTiles(10)
	decided := func() []string {
		return eval[[]string](p, `[...document.querySelectorAll(".tile")].sort((a, b) => a.dataset.index - b.dataset.index).map((e) => e.dataset.decision)`)
	}
	want := []string{"keep", "flag", "reject", "keep", "none", "none", "none", "none", "none", "none"}
	assert.Equal(t, want, decided())
	assert.Equal(t, []string{"mine"}, p.texts(`[data-index="4"] .tags span`))
	assert.Contains(t, p.text("#message"), "10 photos of this review are not here")
	p.save("after")

	p.choose(files...)
	p.waitFor(`document.querySelectorAll(".tile[data-state=done]").length === 10`)
	assert.Equal(t, want, decided())
	p.waitFor(`document.querySelectorAll(".tile img").length === 10`) // thumbnails made again where they are needed
	p.save("again")

	// One button deletes all that this browser keeps, and says what that was.
	p.click("#privacy-open")
	p.do(`document.querySelector("#deletion button").click()`)
	p.click("#delete-now")
	p.waitFor(`document.querySelector("#deleted")`)
	deleted := strings.Join(p.texts("#deleted li"), "\n")
	assert.Contains(t, deleted, "Decisions: 5")
	assert.Contains(t, deleted, "Answers about photos: 10")
	assert.Contains(t, deleted, "Service worker")
	p.save("deleted")
	assert.Empty(t, eval[[]string](p, `caches.keys()`))
	p.click("#deletion button")
	p.waitFor(`document.body?.dataset.model === "ready" && document.body.dataset.photos === "none"`)
	assert.Empty(t, p.complaints())
}

// start gives files to the page without waiting for answers.
func (p *page) start(files ...string) {
	p.t.Helper()
	p.upload("#picker", files)
}

// sessionPhotos are sixty photos of the shared data: JPEG as they come, and
// every fourth as a PNG, which every decoder reads alike.
func sessionPhotos(t *testing.T) (dir string, names []string) {
	t.Helper()
	data := os.Getenv("ECOR_DATA")
	if data == "" {
		t.Skip("ECOR_DATA is not set")
	}
	all, err := filepath.Glob(filepath.Join(data, "photos", "*.jpg"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(all), 60)
	dir = t.TempDir()
	for i, file := range all[:60] {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		name := filepath.Base(file)
		if i%4 == 3 {
			m, err := jpeg.Decode(bytes.NewReader(text))
			require.NoError(t, err)
			opaque := image.NewRGBA(m.Bounds())
			draw.Draw(opaque, opaque.Bounds(), m, m.Bounds().Min, draw.Src)
			var b bytes.Buffer
			require.NoError(t, png.Encode(&b, opaque))
			name, text = strings.TrimSuffix(name, ".jpg")+".png", b.Bytes()
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
		names = append(names, name)
	}
	return dir, names
}

// TestSession is a review of sixty photos with the shipped weights and the pack
// of animals: drop, watch, filter, correct, undo, export.
func TestSession(t *testing.T) {
	dir, names := sessionPhotos(t)
	s := realSite(t)
	p := newPageFor(t, 4*testTimeout)
	p.view(1400, 900, "light")
	p.open(s.URL)
	p.click("#labels-open")
	p.pick("#label-choice", "1")
	p.click("#label-apply")
	p.waitApplied()
	p.press(kb.Escape)
	var files []string
	for _, name := range names {
		files = append(files, filepath.Join(dir, name))
	}
	p.drop(files...)
	p.waitLong(`document.querySelectorAll(".tile[data-state=done]").length >= 3`)
	p.save("watch")
	p.waitLong(`document.body.dataset.work === "idle"`)
	assert.Contains(t, p.text("#shown"), "60 photos")
	p.save("done")

	p.pick("#sort", "share")
	p.set("#search", "accordion")
	p.waitTiles(1)
	p.save("found")
	p.click("#filter-clear")
	p.pick("#sort", "added")
	p.waitFor(`document.querySelector("[data-index='0'] .text") && document.querySelector("#shown").textContent.startsWith("60")`)
	p.do(`document.querySelector("#grid").focus()`)
	p.press(kb.Home, "c")
	p.waitFor(`document.querySelector("#correct-sheet").open`)
	p.set("#correction", "an instrument")
	p.press(kb.Enter, "f")
	p.run(undoKeys()...)
	p.waitFor(`document.querySelector("[data-index='0']").dataset.decision === "none"`)
	assert.Contains(t, p.tiles()[0], "an instrument, by you")
	p.save("corrected")
	p.do(`document.querySelector(".detail details > summary").click()`)
	p.do(`document.querySelector("#grid").focus()`)
	p.press(kb.Enter)
	p.waitFor(`document.querySelector("#big").open && document.querySelectorAll("#big .heat td").length === 400`)
	p.do(`document.querySelector("#big .heat").scrollIntoView({ block: "center" })`)
	p.save("table")
	p.press(kb.Escape)

	ours := answerRows(t, p.exported("export-answers"))
	theirs := answerRows(t, classifyCSV(t, s, filepath.Join(root, "weights", "labels", "animals.json"), dir, names))
	pngs, jpegs, same := 0, 0, 0
	for _, name := range names {
		if strings.HasSuffix(name, ".png") {
			pngs++
			assert.Equal(t, theirs[name], ours[name], name)
			continue
		}
		jpegs++
		if ours[name][0][4] == theirs[name][0][4] {
			same++
		}
	}
	cosine := p.meanCosine(s, dir, names)
	t.Logf("%d PNG files equal; %d JPEG files: top-1 agrees on %d, mean cosine of embeddings %.6f", pngs, jpegs, same, cosine)
	assert.GreaterOrEqual(t, float64(same)/float64(jpegs), 0.95)
	assert.GreaterOrEqual(t, cosine, 0.99)
	review, err := csv.NewReader(strings.NewReader(p.exported("export-csv"))).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, "an instrument", review[1][slices.Index(review[0], "corrected")])
	assert.Empty(t, p.complaints())
}

// answerRows groups the lines of an answers file by photo.
func answerRows(t *testing.T, text string) map[string][][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	out := map[string][][]string{}
	for _, row := range rows[1:] {
		out[row[0]] = append(out[row[0]], row)
	}
	return out
}

// meanCosine compares the embeddings that the page keeps of JPEG files with those of the Go host.
func (p *page) meanCosine(s *site, dir string, names []string) float64 {
	p.t.Helper()
	p.waitFor(`document.body.dataset.work === "idle"`)
	kept := eval[map[string][]float32](p, `(async () => {
		const [{ name }] = (await indexedDB.databases()).filter((d) => d.name.startsWith("ecor"));
		const of = (request) => new Promise((ok, no) => { request.onsuccess = () => ok(request.result); request.onerror = () => no(request.error); });
		const db = await of(indexedDB.open(name));
		const items = await of(db.transaction("items").objectStore("items").getAll());
		db.close();
		return Object.fromEntries(items.filter((i) => i.embedding).map((i) => [i.name, [...i.embedding]]));
	})()`)
	ctx := p.t.Context()
	h, err := host.Open(ctx, host.Config{Module: host.File(s.file(s.assets.Module)), Weights: host.File(s.file(s.assets.Weights))})
	require.NoError(p.t, err)
	defer h.Close(ctx)
	sum, n := 0.0, 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".jpg") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(p.t, err)
		m, err := photo.Decode(bytes.NewReader(text))
		require.NoError(p.t, err)
		theirs, err := h.EmbedImage(ctx, m)
		require.NoError(p.t, err)
		require.Len(p.t, kept[name], len(theirs), name)
		var dot, a, b float64
		for i, v := range theirs {
			w := float64(kept[name][i])
			dot, a, b = dot+float64(v)*w, a+float64(v)*float64(v), b+w*w
		}
		sum += dot / math.Sqrt(a*b)
		n++
	}
	return sum / float64(n)
}
