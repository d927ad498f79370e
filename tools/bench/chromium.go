package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/chromedp"

	chromium "github.com/ecor-clip/ecor/www/browser"
	"github.com/ecor-clip/ecor/www/site/static"
)

type chromiumRunner struct {
	browser, tab context.Context
	server       *httptest.Server
	closeTab     func()
}

// newChromium opens a tab of a running browser on the site in f.site, with the
// module in the given file.
func newChromium(browser context.Context, f files, module string, kernels []byte, photos [][]byte) (_ *chromiumRunner, err error) {
	c := &chromiumRunner{browser: browser, closeTab: func() {}}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	code, err := os.ReadFile(module)
	if err != nil {
		return nil, err
	}
	handler, err := benchSite(f.site, code, kernels, photos)
	if err != nil {
		return nil, err
	}
	c.server = httptest.NewServer(handler)
	if c.tab, c.closeTab, err = chromium.NewTab(browser); err != nil {
		return nil, err
	}
	if err := chromedp.Do(c.tab, chromedp.Navigate(c.server.URL+"/bench.html")); err != nil {
		return nil, err
	}
	for _, start := range []string{"bench.startKernels()", "bench.start()"} {
		if _, err := chromium.Eval[chromedp.Void](c.tab, start); err != nil {
			return nil, fmt.Errorf("%s: %w", start, err)
		}
	}
	return c, nil
}

// benchSite serves the site with another module and, at its root, what
// page/page.ts needs.
func benchSite(dir string, module, kernels []byte, photos [][]byte) (http.Handler, error) {
	site, err := static.Handler(dir)
	if err != nil {
		return nil, err
	}
	scripts := filepath.Join("tools", "bench", "page")
	script, err := static.Bundle(filepath.Join(scripts, "page.ts"), nil)
	if err != nil {
		return nil, err
	}
	assets, err := static.ReadAssets(dir)
	if err != nil {
		return nil, err
	}
	// Whichever the browser would take.
	assets.Put(assets.Module, module)
	assets.Put(assets.Relaxed, module)
	worker, err := static.Bundle(filepath.Join(scripts, "worker.ts"), assets.Define())
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	add := func(path, mediaType string, body []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", mediaType)
			// Isolated pages have the finer clock.
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			h.Set("Cross-Origin-Embedder-Policy", "require-corp")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
		})
	}
	add("/bench.html", "text/html", []byte(`<!doctype html><script src="bench.js"></script>`))
	add("/bench.js", "text/javascript", script)
	add("/bench-worker.js", "text/javascript", worker)
	add("/bench-kernels.wasm", "application/wasm", kernels)
	add("/ecor.wasm", "application/wasm", module)
	add("/ecor-relaxed.wasm", "application/wasm", module)
	for i, b := range photos {
		add("/bench-photo/"+strconv.Itoa(i), "image/jpeg", b)
	}
	mux.Handle("/", site)
	return mux, nil
}

func (c *chromiumRunner) kernel(ctx context.Context, index, calls int) (float64, error) {
	return chromium.Eval[float64](c.tab, fmt.Sprintf("bench.kernel(%d, %d)", index, calls))
}

func (c *chromiumRunner) forget(context.Context) error {
	_, err := chromium.Eval[chromedp.Void](c.tab, "bench.forget()")
	return err
}

func (c *chromiumRunner) classify(_ context.Context, index int) (times, error) {
	return chromium.Eval[times](c.tab, fmt.Sprintf("bench.classify(%d)", index))
}

func (c *chromiumRunner) alone(_ context.Context, texts []string) (float64, error) {
	list, err := json.Marshal(texts)
	if err != nil {
		return 0, err
	}
	return chromium.Eval[float64](c.tab, fmt.Sprintf("bench.alone(%s)", list))
}

// memory returns the module's memory and, where the system tells it, the
// greatest resident size that the largest renderer process had.
func (c *chromiumRunner) memory(context.Context) (map[string]float64, error) {
	n, err := chromium.Eval[float64](c.tab, "bench.memory()")
	if err != nil {
		return nil, err
	}
	m := map[string]float64{"module": n}
	list, err := chromedp.CallBrowser(c.browser, systeminfo.GetProcessInfo, cdp.Empty{})
	if err != nil {
		return nil, err
	}
	for _, p := range list.ProcessInfo {
		if p.Type != "renderer" {
			continue
		}
		peak, ok := strings.CutSuffix(field(fmt.Sprintf("/proc/%d/status", p.ID), "VmHWM"), " kB")
		if kilobytes, err := strconv.Atoi(peak); ok && err == nil {
			m["tab's process"] = max(m["tab's process"], float64(kilobytes)*1024)
		}
	}
	return m, nil
}

func (c *chromiumRunner) close() {
	c.closeTab()
	if c.server != nil {
		c.server.Close()
	}
}

func chromiumVersion(tab context.Context) (string, error) {
	v, err := chromedp.CallBrowser(tab, browser.GetVersion, cdp.Empty{})
	return strings.ReplaceAll(v.Product, "/", " "), err
}

//go:embed page/first-answer.js
var firstAnswer string

// visitTimes are seconds since a navigation began.
type visitTimes struct {
	Model, Name, Answer float64
	State               string
}

const forgetSessions = `indexedDB.databases().then((all) => Promise.all(all.map(({ name }) => new Promise((done) => {
	const request = indexedDB.deleteDatabase(name);
	request.onsuccess = request.onerror = done;
}))).then(() => {}))`

// visit opens the site in a tab with empty storage, then once more, and
// returns when the model was ready, when the photo was named and when its
// answer was complete.
func visit(browser context.Context, url string, photo []byte) (first, second visitTimes, err error) {
	tab, closeTab, err := chromium.NewTab(browser)
	if err != nil {
		return first, second, err
	}
	defer closeTab()
	tab, cancel := context.WithTimeout(tab, 5*time.Minute)
	defer cancel()
	script := strings.ReplaceAll(firstAnswer, "PHOTO", `"`+base64.StdEncoding.EncodeToString(photo)+`"`)
	if _, err := chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
		return first, second, err
	}
	for _, v := range []*visitTimes{&first, &second} {
		// What the page kept of the photo would be its answer.
		if err := chromedp.Do(tab, chromedp.Navigate(url+"/nothing")); err != nil {
			return first, second, err
		}
		if _, err := chromium.Eval[chromedp.Void](tab, forgetSessions); err != nil {
			return first, second, err
		}
		if err := chromedp.Do(tab, chromedp.Navigate(url)); err != nil {
			return first, second, err
		}
		for v.Answer == 0 {
			if *v, err = chromium.Eval[visitTimes](tab, "benchTimes"); err != nil {
				return first, second, err
			}
			if err := chromedp.Do(tab, chromedp.Sleep(20*time.Millisecond)); err != nil {
				return first, second, err
			}
		}
		if v.State == "failed" {
			text, _ := chromium.Eval[string](tab, "document.body.innerText")
			return first, second, errors.New("the page shows an error: " + text)
		}
		v.Model /= 1e3
		v.Name /= 1e3
		v.Answer /= 1e3
	}
	return first, second, nil
}
