package test

import (
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOffline ends the server after the first visit.
func TestOffline(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.open(s.URL)
	p.waitOffline("Ready offline")
	photos := threePhotos(t)
	p.choose(photos...)
	first := p.tiles()

	s.Server.CloseClientConnections()
	s.Server.Close()
	chromium.proxy.take()
	p.run(chromedp.Reload())
	p.open(s.URL)
	p.waitOffline("Ready offline")
	p.waitTiles(3)
	assert.Equal(t, first, p.tiles(), "the review goes on")
	p.choose(append(photos, writePhoto(t, t.TempDir(), "new.png", "forest", 300, 200))...)
	p.waitTiles(4)
	assert.Equal(t, first, p.tiles()[:3])
	assert.Contains(t, p.tiles()[3], "because there is", "a new photo")
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

// makers are the domains that Chromium and Firefox ask for themselves, whatever the page.
var makers = []string{".google.com:443", ".googleapis.com:443", ".mozilla.com:443", ".mozilla.net:443", ".mozilla.org:443", ".firefox.com:443"}

// TestForcedReload: a page that the browser took past the service worker is answered by it all the same, soon.
func TestForcedReload(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	p.do(`globalThis.before = true`)
	_, err := chromedp.Call(p.ctx, cdppage.Reload, cdppage.ReloadParams{IgnoreCache: new(true)})
	require.NoError(t, err)
	p.waitFor(`globalThis.before === undefined`)
	p.waitReady()
	p.waitOffline("Ready offline")
}

// ofBrowser tells requests to the browser's makers.
func ofBrowser(request string) bool {
	host, _, _ := strings.Cut(request, " ")
	return slices.ContainsFunc(makers, func(domain string) bool { return strings.HasSuffix(host, domain) })
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
	p.pick("#method", "joint")
	p.waitIdle()
	for _, request := range chromium.proxy.take() {
		assert.True(t, ofBrowser(request) || request == own+"/sw.js", "after installing: %s", request)
	}
}

// workers returns the page's workers.
func (p *page) workers() []*page {
	p.t.Helper()
	var workers []*page
	for _, id := range p.workerTargets() {
		workers = append(workers, p.attach(id))
	}
	require.NotEmpty(p.t, workers, "the page has no worker")
	return workers
}

// workerTargets names the page's workers.
func (p *page) workerTargets() (ids []target.ID) {
	p.t.Helper()
	targets, err := chromedp.Targets(p.ctx)
	require.NoError(p.t, err)
	own := chromedp.FromContext(p.ctx).BrowserContextID
	for _, info := range targets {
		if info.Type == "worker" && info.BrowserContextID == own {
			ids = append(ids, info.TargetID)
		}
	}
	return ids
}

// waitOffline waits until the privacy panel says how far the page is kept.
func (p *page) waitOffline(want string) {
	p.t.Helper()
	p.waitFor(fmt.Sprintf(`document.querySelector("#traffic dd").textContent.includes(%q)`, want))
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
	p.workers()[0].do(`Uint8Array.prototype.set = () => { throw new WebAssembly.RuntimeError("unreachable") }`)
	photos := threePhotos(t)
	p.choose(photos...)
	for _, tile := range p.tiles() {
		assert.Contains(t, tile, "because there is", "in a new worker")
	}
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
	for _, w := range p.workers() {
		w.do(`{
		const set = Uint8Array.prototype.set;
		Uint8Array.prototype.set = function (...a) { globalThis.moduleBytes = this.buffer.byteLength; return set.apply(this, a); };
	}`)
	}
	p.choose(file)
	require.Contains(t, p.tiles()[0], "because there is")
	assert.Contains(t, p.text(".detail"), "8000 × 6000")
	bytes := 0.0
	for _, w := range p.workers() {
		bytes = max(bytes, eval[float64](w, `globalThis.moduleBytes ?? 0`))
	}
	assert.Less(t, bytes, 64e6, "the module's memory in bytes")
	t.Logf("%.1f MB, %s", bytes/1e6, p.text(".detail .timings"))
}

// TestUpdate puts another version of the site on the server.
func TestUpdate(t *testing.T) {
	first := tinySite(t)
	p := newPage(t)
	p.open(first.URL)
	version := func() string {
		return p.text("#model-sheet .facts dd:last-child")
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
	p.waitOffline("new version")
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
	p.click("#labels-open")
	assert.Contains(t, p.texts("#label-list button"), "striped horse")
	for _, request := range chromium.proxy.take() {
		assert.NotContains(t, request, "tiny.safetensors", "what has not changed is not fetched again")
	}
	assert.Len(t, eval[[]string](p, `caches.keys()`), 1, "the old version is gone")
	assert.Empty(t, p.complaints())
}
