// Package test runs the site in Chromium.
package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/www/browser"
)

const (
	testTimeout = 5 * time.Minute  // of one test
	waitTimeout = 60 * time.Second // until the page does what it should
	frame       = 20 * time.Millisecond
)

// chromium is one browser for all tests. All that it asks of any network goes
// through the recorder.
var chromium struct {
	once  sync.Once
	tab   context.Context
	proxy *recorder
	err   error
	stop  func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
		chromium.proxy.server.Close()
	}
	os.Exit(code)
}

func startChromium() {
	path, err := browser.Find()
	if err != nil {
		chromium.err = err
		return
	}
	chromium.proxy = newRecorder()
	chromium.tab, chromium.stop, chromium.err = browser.Start(context.Background(), path,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("proxy-server", chromium.proxy.server.URL),
		chromedp.Flag("proxy-bypass-list", "<-loopback>"),
	)
}

// recorder is an HTTP proxy that reaches loopback addresses only and records
// every request.
type recorder struct {
	server *httptest.Server
	mu     sync.Mutex
	seen   []string // "host path"
}

func newRecorder() *recorder {
	r := &recorder{}
	r.server = httptest.NewServer(r)
	return r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.seen = append(r.seen, req.Host+" "+req.URL.Path)
	r.mu.Unlock()
	host, _, err := net.SplitHostPort(req.Host)
	if err != nil || req.Method == http.MethodConnect || !net.ParseIP(host).IsLoopback() {
		http.Error(w, "refused by the test's proxy", http.StatusForbidden)
		return
	}
	out := req.Clone(req.Context())
	out.RequestURI = ""
	res, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		// As an unreachable server looks: the connection ends without an answer.
		panic(http.ErrAbortHandler)
	}
	defer res.Body.Close()
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	io.Copy(w, res.Body)
}

// take returns the recorded requests and forgets them.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

// page is a tab with storage of its own.
type page struct {
	t       *testing.T
	ctx     context.Context
	timeout time.Duration
	mu      sync.Mutex
	logs    []string // console errors and warnings, uncaught exceptions
}

// newPage opens an empty tab, or skips the test where there is no browser.
func newPage(t *testing.T) *page {
	t.Helper()
	return newPageFor(t, testTimeout)
}

// newPageFor is newPage for a test that may take longer.
func newPageFor(t *testing.T, timeout time.Duration) *page {
	t.Helper()
	chromium.once.Do(startChromium)
	if errors.Is(chromium.err, browser.ErrNone) && os.Getenv("ECOR_REQUIRE_BROWSER") != "1" {
		t.Skip(chromium.err)
	}
	require.NoError(t, chromium.err)
	chromium.proxy.take()
	ctx, cancel, err := browser.NewTab(chromium.tab)
	require.NoError(t, err)
	t.Cleanup(cancel)
	ctx, cancelTimeout := context.WithTimeout(ctx, timeout)
	t.Cleanup(cancelTimeout)
	p := &page{t: t, ctx: ctx, timeout: timeout}
	go p.listen(chromedp.Console(ctx))
	return p
}

func (p *page) listen(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range messages {
		if err != nil {
			return
		}
		if m.IsException() || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning {
			p.mu.Lock()
			p.logs = append(p.logs, m.String()+" "+m.URL)
			p.mu.Unlock()
		}
	}
}

// complaints returns what the console said so far.
func (p *page) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.logs...)
}

func (p *page) run(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, waitTimeout)
	defer cancel()
	p.check(chromedp.Do(ctx, steps...))
}

func (p *page) check(err error) {
	p.t.Helper()
	if err != nil {
		p.save("failed")
	}
	require.NoError(p.t, err, "console: %v", p.complaints())
}

// eval runs JavaScript, waits for its promise and returns the value.
func eval[T any](p *page, script string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	p.check(err)
	return v
}

func (p *page) testing() *testing.T { return p.t }

// evaluate runs JavaScript, waits for its promise and decodes the value.
func (p *page) evaluate(expression string, into any) {
	p.t.Helper()
	if value := eval[json.RawMessage](p, expression); len(value) > 0 {
		require.NoError(p.t, json.Unmarshal(value, into))
	}
}

// do runs JavaScript for its effect.
func (p *page) do(script string) {
	p.t.Helper()
	eval[chromedp.Void](p, script)
}

// waitFor waits until a JavaScript condition holds. It evaluates from outside,
// where the page's policy does not apply.
func (p *page) waitFor(condition string) {
	p.t.Helper()
	p.waitUntil(condition, waitTimeout)
}

// waitLong is waitFor with all the time that a test has.
func (p *page) waitLong(condition string) {
	p.t.Helper()
	p.waitUntil(condition, p.timeout)
}

func (p *page) waitUntil(condition string, timeout time.Duration) {
	p.t.Helper()
	for end := time.Now().Add(timeout); !eval[bool](p, "Promise.resolve("+condition+").then(Boolean)"); {
		if time.Now().After(end) {
			p.save("failed")
			require.Fail(p.t, "still not so after "+timeout.String(), "%s\nconsole: %v", condition, p.complaints())
		}
		p.run(chromedp.Sleep(frame))
	}
}

// text returns the text of the first element that a selector finds, hidden or not.
func (p *page) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf("document.querySelector(%q).textContent", selector))
}

// texts returns the text of every element that a selector finds.
func (p *page) texts(selector string) []string {
	p.t.Helper()
	return eval[[]string](p, fmt.Sprintf("[...document.querySelectorAll(%q)].map((e) => e.textContent)", selector))
}

// open loads the page and waits until it is ready.
func (p *page) open(url string) {
	p.t.Helper()
	p.run(chromedp.Navigate(url))
	p.waitReady()
}

// waitReady waits for the model and until the site is on the device.
func (p *page) waitReady() {
	p.t.Helper()
	p.waitFor(`(document.body?.dataset.model ?? "loading") !== "loading"`)
	require.Equal(p.t, "The model is ready.", p.text("#loading-text"))
	p.waitFor(`navigator.serviceWorker.controller && document.querySelector("meta[content=\"connect-src 'none'\"]")`)
}

// choose gives files to the page and waits until each has an answer or an error.
func (p *page) choose(files ...string) {
	p.t.Helper()
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#picker"), files))
	p.waitIdle()
}

func (p *page) waitIdle() {
	p.t.Helper()
	p.waitLong(`document.body.dataset.work === "idle"`)
}

// view sets the size in CSS pixels and the colour scheme.
func (p *page) view(width, height int, scheme string) {
	p.t.Helper()
	p.run(chromedp.EmulateViewport(int64(width), int64(height)))
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	p.check(err)
}

// save writes a picture of the whole page to dist/test-output.
func (p *page) save(name string) {
	if picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100)); err == nil {
		savePicture(p.t, name, picture)
	}
}

// savePicture writes a PNG file to dist/test-output.
func savePicture(t *testing.T, name string, picture []byte) {
	dir := filepath.Join(root, "dist", "test-output")
	file := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name() + "-" + name + ".png")
	if os.MkdirAll(dir, 0o755) == nil && os.WriteFile(filepath.Join(dir, file), picture, 0o644) == nil {
		t.Log("saved dist/test-output/" + file)
	}
}
