// Package test runs the site in Chromium.
package test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browserNames are tried in this order where CHROMIUM is not set.
var browserNames = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// testTimeout bounds a test's time in the browser.
const testTimeout = 2 * time.Minute

var browser struct {
	once   sync.Once
	ctx    context.Context
	proxy  *recorder
	absent string // why there is none
	err    error
	stop   []func()
}

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // chromedp logs events newer than it knows
	code := m.Run()
	for i := len(browser.stop) - 1; i >= 0; i-- {
		browser.stop[i]()
	}
	os.Exit(code)
}

func findBrowser() (string, error) {
	if name := os.Getenv("CHROMIUM"); name != "" {
		return exec.LookPath(name)
	}
	for _, name := range browserNames {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %s found; set CHROMIUM", strings.Join(browserNames, ", "))
}

// startBrowser starts one Chromium for all tests. All it asks of any network
// goes through a recorder.
func startBrowser() {
	path, err := findBrowser()
	if err != nil {
		browser.absent = err.Error()
		return
	}
	browser.proxy = newRecorder()
	dir, err := os.MkdirTemp("", "ecor-browser-")
	if err != nil {
		browser.err = err
		return
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.UserDataDir(dir),
		chromedp.Headless,
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.WindowSize(1200, 900),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("proxy-server", browser.proxy.server.URL),
		chromedp.Flag("proxy-bypass-list", "<-loopback>"),
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	browser.ctx = ctx
	browser.stop = append(browser.stop, func() { os.RemoveAll(dir) }, browser.proxy.server.Close, stopAllocator, stop)
	browser.err = chromedp.Run(ctx)
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
	t    *testing.T
	ctx  context.Context
	mu   sync.Mutex
	logs []string // console errors and warnings, uncaught exceptions
}

// newPage opens an empty tab, or skips the test where there is no browser.
func newPage(t *testing.T) *page {
	t.Helper()
	browser.once.Do(startBrowser)
	if browser.absent != "" {
		if os.Getenv("ECOR_REQUIRE_BROWSER") == "1" {
			t.Fatal("no browser: " + browser.absent)
		}
		t.Skip("no browser: " + browser.absent)
	}
	require.NoError(t, browser.err)
	browser.proxy.take()
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancelTimeout := context.WithTimeout(ctx, testTimeout)
	t.Cleanup(cancelTimeout)
	p := &page{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, p.listen)
	p.run(runtime.Enable(), cdplog.Enable())
	return p
}

func (p *page) listen(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning || e.Type == runtime.APITypeAssert {
			for _, a := range e.Args {
				text += string(a.Value) + a.Description + " "
			}
		}
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Error()
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.LevelError || e.Entry.Level == cdplog.LevelWarning {
			text = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if text != "" {
		p.mu.Lock()
		p.logs = append(p.logs, text)
		p.mu.Unlock()
	}
}

// complaints returns what the console said so far.
func (p *page) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.logs...)
}

func (p *page) run(actions ...chromedp.Action) {
	p.t.Helper()
	err := chromedp.Run(p.ctx, actions...)
	if err != nil {
		p.save("failed")
	}
	require.NoError(p.t, err, "console: %v", p.complaints())
}

// eval runs JavaScript, waits for its promise and stores the value in out.
func (p *page) eval(script string, out any) {
	p.t.Helper()
	p.run(chromedp.Evaluate(script, out, func(e *runtime.EvaluateParams) *runtime.EvaluateParams {
		return e.WithAwaitPromise(true)
	}))
}

// waitFor waits until a JavaScript condition holds.
func (p *page) waitFor(condition string) {
	p.t.Helper()
	p.run(chromedp.Poll(condition, nil, chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(testTimeout)))
}

// text returns the visible text of the first element that a selector finds.
func (p *page) text(selector string) string {
	p.t.Helper()
	var s string
	p.eval(fmt.Sprintf("document.querySelector(%q).innerText", selector), &s)
	return s
}

// open loads the page and waits for the model.
func (p *page) open(url string) {
	p.t.Helper()
	p.run(chromedp.Navigate(url))
	p.waitFor(`document.body.dataset.model !== "loading"`)
	require.Equal(p.t, "The model is ready.", strings.TrimSpace(p.content("#loading-text")))
}

// content returns an element's text, hidden or not.
func (p *page) content(selector string) string {
	p.t.Helper()
	var s string
	p.eval(fmt.Sprintf("document.querySelector(%q).textContent", selector), &s)
	return s
}

// choose gives files to the page and waits until each has an answer or an error.
func (p *page) choose(files ...string) {
	p.t.Helper()
	p.run(chromedp.SetUploadFiles("#picker", files, chromedp.ByQuery))
	p.waitIdle()
}

func (p *page) waitIdle() {
	p.t.Helper()
	p.waitFor(`document.body.dataset.work === "idle" && !document.querySelector(".card[data-state=busy]")`)
}

// view sets the size in CSS pixels and the colour scheme.
func (p *page) view(width, height int, scheme string) {
	p.t.Helper()
	p.run(
		chromedp.EmulateViewport(int64(width), int64(height)),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
	)
}

// save writes a picture of the whole page to dist/test-output.
func (p *page) save(name string) {
	dir := filepath.Join(root, "dist", "test-output")
	var picture []byte
	if chromedp.Run(p.ctx, chromedp.FullScreenshot(&picture, 100)) != nil || os.MkdirAll(dir, 0o755) != nil {
		return
	}
	file := strings.NewReplacer("/", "-", " ", "-").Replace(p.t.Name() + "-" + name + ".png")
	if os.WriteFile(filepath.Join(dir, file), picture, 0o644) == nil {
		p.t.Log("saved dist/test-output/" + file)
	}
}
