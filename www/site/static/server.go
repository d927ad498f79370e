package static

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Handler serves the site that Build wrote to dir: its files and nothing else,
// with Headers on every response.
func Handler(dir string) (http.Handler, error) {
	assets, err := ReadAssets(dir)
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, files: make(map[string]File)}
	for _, f := range assets.Files {
		s.files["/"+f.Path] = f
	}
	s.files["/"] = s.files["/index.html"]
	for _, name := range []string{"assets.json", "sw.js"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		s.files["/"+name] = fileOf(name, data)
	}
	return s, nil
}

// ReadAssets reads the list of files of the site in dir.
func ReadAssets(dir string) (*Assets, error) {
	name := filepath.Join(dir, "assets.json")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("no site: %w", err)
	}
	var assets Assets
	if err := json.Unmarshal(text, &assets); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &assets, nil
}

type server struct {
	dir   string
	files map[string]File // by URL path
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, h := range Headers() {
		w.Header().Set(h.Name, h.Value)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, r.Method+" is not supported", http.StatusMethodNotAllowed)
		return
	}
	file, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	name := filepath.Join(s.dir, filepath.FromSlash(file.Path))
	w.Header().Set("Content-Type", file.Type)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Vary", "Accept-Encoding")
	tag := file.SHA256
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if _, err := os.Stat(name + ".gz"); err == nil {
			name, tag = name+".gz", tag+"-gzip"
			w.Header().Set("Content-Encoding", "gzip")
		}
	}
	f, err := os.Open(name)
	if err != nil {
		http.Error(w, "the file is gone", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	w.Header().Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, file.Path, time.Time{}, f)
}

// Listen listens on addr, or on a free port of the same host where addr's port
// is taken.
func Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}
