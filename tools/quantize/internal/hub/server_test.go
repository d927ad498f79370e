package hub

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// server is a hub on this machine with one repository, acme/tiny. Files of more than 100 kB are large: it redirects
// to another place for them, and their hash is SHA-256.
type server struct {
	*httptest.Server
	commit string
	files  map[string][]byte
	claims map[string][]byte // what the list describes in the place of files
	cdn    string            // where large files lie; empty for the hub itself

	// fault answers the n-th request (from 0) for a file's content in the server's place, if it returns true.
	fault func(w http.ResponseWriter, r *http.Request, name string, n int) bool

	mu       sync.Mutex
	requests []string // "GET /path", with " RANGE" and " IF-RANGE" where they were sent
	count    map[string]int
}

// newServer serves the golden checkpoint "tiny", and files of a repository that nobody needs.
func newServer(t *testing.T) *server {
	s := &server{commit: commit, files: map[string][]byte{}, claims: map[string][]byte{}, count: map[string]int{}}
	for _, name := range []string{"config.json", "preprocessor_config.json", "tokenizer.json", "vocab.json", "merges.txt", "model.safetensors"} {
		b, err := os.ReadFile(filepath.Join(checkpointtest.Golden(t, "tiny"), name))
		require.NoError(t, err)
		s.files[name] = b
	}
	require.Greater(t, len(s.files["model.safetensors"]), 150_000)
	s.files["README.md"] = []byte("---\nlicense: mit\n---\n# tiny\n")
	s.files[".gitattributes"] = []byte("*.safetensors filter=lfs\n")
	s.files["pytorch_model.bin"] = bytes.Repeat([]byte("pickle"), 50_000)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func isLarge(b []byte) bool { return len(b) > 100_000 }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	line := r.Method + " " + r.URL.EscapedPath()
	for _, h := range []string{"Range", "If-Range"} {
		if v := r.Header.Get(h); v != "" {
			line += " " + v
		}
	}
	s.mu.Lock()
	s.requests = append(s.requests, line)
	s.mu.Unlock()
	switch path := r.URL.EscapedPath(); {
	case path == "/api/models/acme/tiny/revision/main", path == "/api/models/acme/tiny/revision/refs%2Fpr%2F7":
		fmt.Fprintf(w, `{"id": "acme/tiny", "sha": %q, "gated": false}`, s.commit)
	case path == "/api/models/acme/tiny/tree/"+s.commit:
		s.list(w, r)
	case strings.HasPrefix(path, "/acme/tiny/resolve/"+s.commit+"/"):
		name := filepath.Base(path)
		if isLarge(s.files[name]) {
			w.Header().Set("X-Linked-Etag", `"`+hexSHA256(s.files[name])+`"`)
			http.Redirect(w, r, s.cdn+"/cdn/"+name, http.StatusFound)
			return
		}
		s.content(w, r, name)
	case strings.HasPrefix(path, "/cdn/"):
		s.content(w, r, filepath.Base(path))
	default:
		w.Header().Set("X-Error-Code", "RepoNotFound")
		w.Header().Set("X-Error-Message", "Repository not found")
		w.WriteHeader(http.StatusNotFound)
	}
}

// list answers in two pages.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	type object = map[string]any
	entries := []object{{"type": "directory", "path": "figure", "oid": commit, "size": 0}}
	for name, b := range s.files {
		if claim, ok := s.claims[name]; ok {
			b = claim
		}
		e := object{"type": "file", "path": name, "size": len(b), "oid": gitSHA1(b)}
		if isLarge(b) {
			e["oid"], e["xetHash"] = gitSHA1([]byte("pointer")), hexSHA256([]byte(name))
			e["lfs"] = object{"oid": hexSHA256(b), "size": len(b), "pointerSize": 134}
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b object) int { return strings.Compare(a["path"].(string), b["path"].(string)) })
	half := len(entries) / 2
	if r.URL.Query().Get("cursor") == "" {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?cursor=x>; rel="next"`, s.URL, r.URL.Path))
		entries = entries[:half]
	} else {
		entries = entries[half:]
	}
	json.NewEncoder(w).Encode(entries)
}

func (s *server) content(w http.ResponseWriter, r *http.Request, name string) {
	b, ok := s.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", `"`+hexSHA256(b)+`"`)
	s.mu.Lock()
	n := s.count[name]
	s.count[name]++
	s.mu.Unlock()
	if s.fault != nil && s.fault(w, r, name, n) {
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// contentRequests returns the requests for a file's content, without the path.
func (s *server) contentRequests(name string) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.requests {
		for _, at := range []string{"GET /cdn/" + name, "GET /acme/tiny/resolve/" + s.commit + "/" + name} {
			if rest, ok := strings.CutPrefix(line, at); ok && !(isLarge(s.files[name]) && strings.Contains(at, "resolve")) {
				lines = append(lines, strings.TrimSpace(rest))
			}
		}
	}
	return lines
}

func hexSHA256(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func gitSHA1(b []byte) string {
	h := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...))
	return hex.EncodeToString(h[:])
}

// client returns an impatient client of the server.
func (s *server) client(t *testing.T) *Client {
	c, err := NewClient(s.URL)
	require.NoError(t, err)
	c.patience = patience{attempts: 4, wait: time.Millisecond, longest: 4 * time.Millisecond, stall: 5 * time.Second}
	return c
}

var tiny = Name{"acme/tiny", "main"}

func quiet() *report.Progress { return report.NewProgress(io.Discard) }

func (s *server) fetch(t *testing.T, dir string) (*Result, error) {
	return s.client(t).Fetch(t.Context(), tiny, dir, quiet())
}

// needed are the files of acme/tiny that a checkpoint is read from.
var needed = []string{"config.json", "preprocessor_config.json", "tokenizer.json", "README.md", "model.safetensors"}

// requireComplete checks that a directory holds the needed files and the lock, and nothing else.
func (s *server) requireComplete(t *testing.T, dir string, names ...string) {
	var got []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		got = append(got, e.Name())
	}
	require.ElementsMatch(t, append([]string{LockFile}, names...), got)
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(s.files[name], b), name)
	}
}

// files lists a directory, and nothing where there is none.
func files(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
