package test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEmbed runs the example of docs/embedding.md: a page of somebody else,
// with the site's files in a folder, on a server that knows nothing of ecor.
func TestEmbed(t *testing.T) {
	s := tinySite(t)
	example, err := os.ReadFile(filepath.Join(root, "docs", "example.html"))
	require.NoError(t, err)
	var mu sync.Mutex
	asked := map[string]int{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { w.Write(example) })
	mux.Handle("/ecor/", http.StripPrefix("/ecor", http.FileServer(http.Dir(s.dir))))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)

	p := newPage(t)
	p.run(chromedp.Navigate(server.URL))
	p.waitFor(`document.querySelector("#status").textContent.startsWith("Ready")`)
	p.run(chromedp.SetUploadFiles(chromedp.CSS("input[type=file]"), threePhotos(t)))
	p.waitFor(`document.querySelectorAll("#answers li").length === 3 && !document.querySelector("#answers").textContent.includes("…")`)
	for _, line := range p.texts("#answers li") {
		assert.Regexp(t, `^[a-z]+\.(png|jpe?g): (zebra|sunset|forest) \d+ %, because there is [a-z ]+$`, line)
	}
	assert.Empty(t, p.complaints())
	mu.Lock()
	defer mu.Unlock()
	for _, path := range []string{s.assets.Weights, s.assets.Labels} {
		assert.Equal(t, 1, asked["/ecor/"+path], path)
	}
	assert.Equal(t, 1, asked["/ecor/"+s.assets.Module]+asked["/ecor/"+s.assets.Relaxed], "one of the modules")
}
