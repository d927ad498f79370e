package test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/wasm/wasmtest"
	"github.com/ecor-clip/ecor/www/site/static"
)

// root is the repository.
var root = filepath.Join("..", "..")

// smallPack is the label pack of the sites with the tiny weights.
const smallPack = `{
  "format": "ecor-labels-1", "name": "small", "language": "en", "author": "tests", "license": "CC0-1.0",
  "categories": {
    "zebra": ["black and white stripes", "a short mane"],
    "sunset": ["an orange sky", "a low sun", "long shadows"],
    "forest": ["green leaves", "tall trunks", "long shadows"]
  }
}
`

// site is a built site on a server of its own.
type site struct {
	*httptest.Server
	dir    string
	assets *static.Assets
}

// file returns where a file of the site lies.
func (s *site) file(path string) string { return filepath.Join(s.dir, filepath.FromSlash(path)) }

// tinySite serves the page with the tiny weights and smallPack.
func tinySite(t *testing.T) *site {
	t.Helper()
	return serve(t, tinyWeights(t))
}

// tinyWeights returns a folder with the tiny weights and smallPack.
func tinyWeights(t *testing.T) string {
	t.Helper()
	weights, err := os.ReadFile(filepath.Join(root, "core", "clip", "testdata", "tiny", "weights.safetensors"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tiny.safetensors"), weights, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "small.json"), []byte(smallPack), 0o600))
	return dir
}

// realSite serves the page with the weights in dist/weights, or skips the test
// where nobody has built them.
func realSite(t *testing.T) *site {
	t.Helper()
	dir := filepath.Join(root, "dist", "weights")
	if found, _ := filepath.Glob(filepath.Join(dir, "*.safetensors")); len(found) == 0 {
		t.Skip("no weights in dist/weights: ./build.sh build makes them")
	}
	return serve(t, dir)
}

// serve builds the site around a folder of weights.
func serve(t *testing.T, weights string) *site {
	t.Helper()
	return serveModules(t, weights, wasmtest.Module(t), wasmtest.RelaxedModule(t))
}

// serveModules is serve with other modules.
func serveModules(t *testing.T, weights string, strict, relaxed []byte) *site {
	t.Helper()
	dist := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dist, "ecor.wasm"), strict, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dist, "ecor-relaxed.wasm"), relaxed, 0o600))
	s := &site{dir: filepath.Join(dist, "www")}
	assets, err := static.Build(static.Options{
		Source:  filepath.Join(root, "www"),
		Module:  filepath.Join(dist, "ecor.wasm"),
		Relaxed: filepath.Join(dist, "ecor-relaxed.wasm"),
		Weights: weights,
		Out:     s.dir,
	})
	require.NoError(t, err)
	s.assets = assets
	handler, err := static.Handler(s.dir)
	require.NoError(t, err)
	s.Server = httptest.NewServer(handler)
	t.Cleanup(s.Server.Close)
	return s
}
