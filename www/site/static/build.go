// Package static builds the page into a folder of static files and serves it.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Options says what to build from and where to.
type Options struct {
	Source  string // folder with src/ and public/, beside docs/
	Module  string // file ecor.wasm
	Relaxed string // file ecor-relaxed.wasm
	Weights string // folder with one weights file, a label pack and its embeddings
	Out     string // replaced by the site
}

// File is one file of the site.
type File struct {
	Path   string `json:"path"` // relative to the site, with slashes
	Size   int    `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	Type   string `json:"type"` // media type
	// Pieces holds the SHA-256 of each pieceBytes of a file that is longer; the
	// worker checks them as they arrive.
	Pieces []string `json:"pieces,omitempty"`
}

// Assets lists the site's content; assets.json holds it.
type Assets struct {
	Version string `json:"version"` // hash over all files
	Module  string `json:"module"`  // path of the WebAssembly module
	Relaxed string `json:"relaxed"` // path of the one for browsers with relaxed SIMD
	Weights string `json:"weights"` // path of the weights
	Labels  string `json:"labels"`  // path of the label pack
	// Embeddings is the path of the label pack's text embeddings, empty where
	// there are none.
	Embeddings string `json:"embeddings"`
	Files      []File `json:"files"` // sorted by path
}

const (
	moduleName       = "ecor.wasm"
	relaxedName      = "ecor-relaxed.wasm"
	workerName       = "worker.js"
	embeddingsSuffix = ".embeddings.safetensors"
	weightsSuffix    = ".safetensors"
	versionMark      = "version of the site" // as long as no version is
	pieceBytes       = 1 << 20               // as in www/src/assets.ts
)

// mediaTypes lists the kinds of files that a site may hold.
var mediaTypes = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".png":         "image/png",
	".safetensors": "application/octet-stream",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".md":          "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".ts":          "text/plain; charset=utf-8",
	".webmanifest": "application/manifest+json",
}

// compressible are the kinds that are worth a gzip twin beside the file.
var compressible = []string{".css", ".html", ".js", ".json", ".svg", ".wasm", ".webmanifest"}

// Build writes the whole site to o.Out, which it empties first.
func Build(o Options) (*Assets, error) {
	site := make(map[string][]byte)
	if err := addTree(site, filepath.Join(o.Source, "public"), ""); err != nil {
		return nil, err
	}
	if err := addTree(site, o.Weights, "weights"); err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	for name, file := range map[string]string{moduleName: o.Module, relaxedName: o.Relaxed} {
		module, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("module: %w", err)
		}
		site[name] = module
	}
	drawn, err := icons()
	if err != nil {
		return nil, err
	}
	maps.Copy(site, drawn)
	site["index.html"] = bytes.ReplaceAll(site["index.html"], []byte("{{policy}}"), []byte(metaPolicy()))

	// The page does not load ecor.js: it is for pages of other people.
	for _, name := range []string{"page", "ecor"} {
		if site[name+".js"], err = bundle(filepath.Join(o.Source, "src", name+".ts"), api.FormatESModule, nil); err != nil {
			return nil, err
		}
	}
	if site["privacy.md"], err = os.ReadFile(filepath.Join(o.Source, "..", "docs", "privacy.md")); err != nil {
		return nil, err
	}
	if site["ecor.d.ts"], err = os.ReadFile(filepath.Join(o.Source, "src", "api.ts")); err != nil {
		return nil, err
	}
	assets, err := describe(site)
	if err != nil {
		return nil, err
	}
	// The worker knows the version, which depends on the worker: it is hashed
	// with versionMark in the version's place.
	assets.Version = versionMark
	if site[workerName], err = Bundle(filepath.Join(o.Source, "src", "worker.ts"), assets.Define()); err != nil {
		return nil, err
	}
	assets.Files = list(site)
	assets.Version = version(assets.Files)
	site[workerName] = bytes.ReplaceAll(site[workerName], []byte(versionMark), []byte(assets.Version))
	assets.Files = list(site)
	if site["assets.json"], err = json.MarshalIndent(assets, "", "  "); err != nil {
		return nil, err
	}
	cached := append(slices.Clone(assets.Files), fileOf("assets.json", site["assets.json"]))
	if site["sw.js"], err = serviceWorker(o.Source, assets.Version, cached); err != nil {
		return nil, err
	}
	site["_headers"] = headersFile()
	return assets, write(o.Out, site)
}

// addTree reads the files below dir into site, below prefix. Files of unknown
// kinds, such as a build's own notes, are left out.
func addTree(site map[string][]byte, dir, prefix string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || mediaTypes[path.Ext(name)] == "" {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		site[path.Join(prefix, filepath.ToSlash(rel))], err = os.ReadFile(name)
		return err
	})
}

// Bundle returns the script made of a TypeScript file and its imports, with
// the named constants defined as the JSON given for them.
func Bundle(entry string, define map[string]string) ([]byte, error) {
	return bundle(entry, api.FormatIIFE, define)
}

func bundle(entry string, format api.Format, define map[string]string) ([]byte, error) {
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{entry},
		Bundle:            true,
		Format:            format,
		Target:            api.ES2022,
		Charset:           api.CharsetUTF8,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Define:            define,
		TsconfigRaw:       `{"compilerOptions":{"strict":true}}`,
	})
	if len(result.Errors) > 0 {
		return nil, errors.New(strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), "\n"))
	}
	return result.OutputFiles[0].Contents, nil
}

// serviceWorker bundles sw.ts with the list of files to keep and the headers
// to put on them.
func serviceWorker(source, version string, files []File) ([]byte, error) {
	list, err := json.Marshal(files)
	if err != nil {
		return nil, err
	}
	headers := make(map[string]string)
	for _, h := range InstalledHeaders() {
		headers[h.Name] = h.Value
	}
	values, err := json.Marshal(headers)
	if err != nil {
		return nil, err
	}
	return Bundle(filepath.Join(source, "src", "sw.ts"), map[string]string{
		"SITE_VERSION": `"` + version + `"`,
		"SITE_FILES":   string(list),
		"SITE_HEADERS": string(values),
	})
}

// list describes the files, sorted by path.
func list(site map[string][]byte) []File {
	var files []File
	for name, data := range site {
		files = append(files, fileOf(name, data))
	}
	slices.SortFunc(files, func(x, y File) int { return strings.Compare(x.Path, y.Path) })
	return files
}

// version is a hash over the files and the headers that they are served with.
func version(files []File) string {
	all := sha256.New()
	for _, f := range files {
		fmt.Fprintln(all, f.Path, f.SHA256)
	}
	for _, h := range append(Headers(), InstalledHeaders()...) {
		fmt.Fprintln(all, h.Name, h.Value)
	}
	return hex.EncodeToString(all.Sum(nil))[:16]
}

// describe finds the model among the files.
func describe(site map[string][]byte) (*Assets, error) {
	a := &Assets{Module: moduleName, Relaxed: relaxedName, Files: list(site)}
	var err error
	if a.Weights, err = only(a.Files, "weights file", func(name string) bool {
		return strings.HasSuffix(name, weightsSuffix) && !strings.HasSuffix(name, embeddingsSuffix)
	}); err != nil {
		return nil, err
	}
	if a.Labels, err = only(a.Files, "label pack", func(name string) bool {
		return strings.HasSuffix(name, ".json")
	}); err != nil {
		return nil, err
	}
	if name := strings.TrimSuffix(a.Labels, ".json") + embeddingsSuffix; site[name] != nil {
		a.Embeddings = name
	}
	return a, nil
}

// Define returns the constant that a bundle with www/src/worker.ts needs: the
// engine and the model, with their hashes.
func (a *Assets) Define() map[string]string {
	site := struct {
		Version    string `json:"version"`
		Module     *File  `json:"module"`
		Relaxed    *File  `json:"relaxed"`
		Weights    *File  `json:"weights"`
		Labels     *File  `json:"labels"`
		Embeddings *File  `json:"embeddings"` // nil where there are none
	}{a.Version, a.File(a.Module), a.File(a.Relaxed), a.File(a.Weights), a.File(a.Labels), a.File(a.Embeddings)}
	text, err := json.Marshal(site)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return map[string]string{"SITE": string(text)}
}

// Put lists other content for a file.
func (a *Assets) Put(path string, content []byte) {
	if f := a.File(path); f != nil {
		*f = fileOf(path, content)
	}
}

// File returns the file with a path, or nil.
func (a *Assets) File(path string) *File {
	for i := range a.Files {
		if a.Files[i].Path == path {
			return &a.Files[i]
		}
	}
	return nil
}

// only returns the single file below weights/ that match accepts.
func only(files []File, what string, match func(string) bool) (string, error) {
	var found []string
	for _, f := range files {
		if strings.HasPrefix(f.Path, "weights/") && match(f.Path) {
			found = append(found, f.Path)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("want one %s in weights/, found %d: %s", what, len(found), strings.Join(found, ", "))
	}
	return found[0], nil
}

func fileOf(name string, data []byte) File {
	f := File{Path: name, Size: len(data), SHA256: hexSum(data), Type: mediaTypes[path.Ext(name)]}
	if len(data) > pieceBytes {
		for piece := range slices.Chunk(data, pieceBytes) {
			f.Pieces = append(f.Pieces, hexSum(piece))
		}
	}
	return f
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// write replaces dir by the site, with gzip twins where they help.
func write(dir string, site map[string][]byte) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for name, data := range site {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
		if !slices.Contains(compressible, path.Ext(name)) {
			continue
		}
		twin, err := compress(data)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file+".gz", twin, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func compress(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
