package static

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// options returns what Build needs, with made-up files for the module and the model.
func options(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	o := Options{
		Source:  filepath.Join("..", ".."),
		Module:  filepath.Join(dir, "ecor.wasm"),
		Relaxed: filepath.Join(dir, "ecor-relaxed.wasm"),
		Weights: filepath.Join(dir, "weights"),
		Out:     filepath.Join(dir, "www"),
	}
	require.NoError(t, os.Mkdir(o.Weights, 0o700))
	for name, content := range map[string]string{
		o.Module:  strings.Repeat("module", 1000),
		o.Relaxed: strings.Repeat("faster", 400_000),
		filepath.Join(o.Weights, "mini.safetensors"):            "weights",
		filepath.Join(o.Weights, "pack.json"):                   "{}",
		filepath.Join(o.Weights, "pack.embeddings.safetensors"): "rows",
		filepath.Join(o.Weights, "stamp"):                       "not for the site",
	} {
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	}
	return o
}

func TestBuild(t *testing.T) {
	o := options(t)
	require.NoError(t, os.Mkdir(o.Out, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(o.Out, "old.js"), nil, 0o600))
	a, err := Build(o)
	require.NoError(t, err)
	assert.Equal(t, []string{"ecor.wasm", "ecor-relaxed.wasm", "weights/mini.safetensors", "weights/pack.json", "weights/pack.embeddings.safetensors"},
		[]string{a.Module, a.Relaxed, a.Weights, a.Labels, a.Embeddings})

	worker, err := os.ReadFile(filepath.Join(o.Out, "sw.js"))
	require.NoError(t, err)
	var paths []string
	for _, f := range a.Files {
		paths = append(paths, f.Path)
		content, err := os.ReadFile(filepath.Join(o.Out, f.Path))
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		assert.Equal(t, hex.EncodeToString(sum[:]), f.SHA256, f.Path)
		assert.Contains(t, string(worker), f.SHA256, "the service worker keeps %s", f.Path)
		assert.Len(t, content, f.Size, f.Path)
		if f.Path != a.Relaxed {
			assert.Empty(t, f.Pieces, f.Path)
			continue
		}
		first, last := sha256.Sum256(content[:1<<20]), sha256.Sum256(content[2<<20:])
		require.Len(t, f.Pieces, 3)
		assert.Equal(t, []string{hex.EncodeToString(first[:]), hex.EncodeToString(last[:])}, []string{f.Pieces[0], f.Pieces[2]})
	}
	assert.Subset(t, paths, []string{"index.html", "page.js", "worker.js", "style.css", "manifest.webmanifest", "icons/ecor.svg"})
	assert.NotContains(t, paths, "weights/stamp")
	assert.NoFileExists(t, filepath.Join(o.Out, "old.js"))
	assert.Contains(t, string(worker), a.Version)

	page, err := os.ReadFile(filepath.Join(o.Out, "index.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), `content="default-src 'none'; script-src 'self' 'wasm-unsafe-eval';`)
	headers, err := os.ReadFile(filepath.Join(o.Out, "_headers"))
	require.NoError(t, err)
	assert.Contains(t, string(headers), "\n  Cross-Origin-Embedder-Policy: require-corp\n")
}

// TestVersion: the same content gives the same version, any other content another.
func TestVersion(t *testing.T) {
	o := options(t)
	first, err := Build(o)
	require.NoError(t, err)
	again, err := Build(o)
	require.NoError(t, err)
	assert.Equal(t, first, again)
	require.NoError(t, os.WriteFile(o.Module, []byte("other"), 0o600))
	other, err := Build(o)
	require.NoError(t, err)
	assert.NotEqual(t, first.Version, other.Version)
}

func TestBuildErrors(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o Options) error
		want   string
	}{
		"no module":     {func(o Options) error { return os.Remove(o.Module) }, "module: open "},
		"no relaxed":    {func(o Options) error { return os.Remove(o.Relaxed) }, "module: open "},
		"no folder":     {func(o Options) error { return os.RemoveAll(o.Weights) }, "weights: lstat "},
		"no weights":    {func(o Options) error { return os.Remove(filepath.Join(o.Weights, "mini.safetensors")) }, "want one weights file in weights/, found 0"},
		"no label pack": {func(o Options) error { return os.Remove(filepath.Join(o.Weights, "pack.json")) }, "want one label pack in weights/, found 0"},
		"two weights": {func(o Options) error {
			return os.WriteFile(filepath.Join(o.Weights, "other.safetensors"), nil, 0o600)
		}, "found 2: weights/mini.safetensors, weights/other.safetensors"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			require.NoError(t, c.change(o))
			_, err := Build(o)
			assert.ErrorContains(t, err, c.want)
			assert.NoDirExists(t, o.Out)
		})
	}
}

func get(t *testing.T, url, encoding string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("Accept-Encoding", encoding)
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

func TestHandler(t *testing.T) {
	o := options(t)
	_, err := Build(o)
	require.NoError(t, err)
	handler, err := Handler(o.Out)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()

	for path, kind := range map[string]string{
		"/":                         "text/html; charset=utf-8",
		"/index.html":               "text/html; charset=utf-8",
		"/sw.js":                    "text/javascript; charset=utf-8",
		"/assets.json":              "application/json",
		"/ecor.wasm":                "application/wasm",
		"/weights/mini.safetensors": "application/octet-stream",
	} {
		response, body := get(t, server.URL+path, "identity")
		assert.Equal(t, http.StatusOK, response.StatusCode, path)
		assert.Equal(t, kind, response.Header.Get("Content-Type"), path)
		assert.NotEmpty(t, body, path)
		for _, h := range Headers() {
			assert.Equal(t, h.Value, response.Header.Get(h.Name), path)
		}
	}

	response, packed := get(t, server.URL+"/ecor.wasm", "gzip")
	assert.Equal(t, "gzip", response.Header.Get("Content-Encoding"))
	r, err := gzip.NewReader(strings.NewReader(packed))
	require.NoError(t, err)
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("module", 1000), string(plain))

	for _, path := range []string{"/_headers", "/ecor.wasm.gz", "/../ecor.wasm", "/weights/", "/weights/stamp", "/nothing"} {
		response, _ := get(t, server.URL+path, "identity")
		assert.Equal(t, http.StatusNotFound, response.StatusCode, path)
		assert.NotEmpty(t, response.Header.Get("Content-Security-Policy"), path)
	}
	response, err = http.Post(server.URL, "text/plain", strings.NewReader("a photo"))
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
}

func TestNoSite(t *testing.T) {
	_, err := Handler(t.TempDir())
	assert.ErrorContains(t, err, "no site: open ")
}

// TestListen takes a free port where the wanted one is in use.
func TestListen(t *testing.T) {
	first, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer first.Close()
	second, err := Listen(first.Addr().String())
	require.NoError(t, err)
	defer second.Close()
	assert.NotEqual(t, first.Addr().String(), second.Addr().String())
	_, err = Listen("nowhere")
	assert.ErrorContains(t, err, "missing port")
}
