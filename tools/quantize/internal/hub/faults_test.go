package hub

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const model = "model.safetensors"

// drop sends the first n bytes of what was asked for and cuts the connection.
func drop(w http.ResponseWriter, r *http.Request, b []byte, n int) {
	var at int
	status := http.StatusOK
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &at); err == nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(b)-1, len(b)))
		status = http.StatusPartialContent
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)-at))
	w.WriteHeader(status)
	w.Write(b[at:min(at+n, len(b))])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// whole answers with everything, whatever was asked for.
func whole(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}

// Servers and lines that misbehave and recover: the file arrives all the same, and nothing else stays.
func TestFaultsThatPass(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(s *server, w http.ResponseWriter, r *http.Request, n int) bool
		want  []string // Range and If-Range of the requests
	}{
		{"connection cut", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				drop(w, r, s.files[model], 100_000)
			}
			return false
		}, []string{"", "bytes=100000- ETAG"}},
		{"cut more often than attempts, but further each time", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n < 10 {
				drop(w, r, s.files[model], 10_000)
			}
			return false
		}, []string{"", "bytes=10000- ETAG", "bytes=20000- ETAG", "bytes=30000- ETAG", "bytes=40000- ETAG", "bytes=50000- ETAG",
			"bytes=60000- ETAG", "bytes=70000- ETAG", "bytes=80000- ETAG", "bytes=90000- ETAG", "bytes=100000- ETAG"}},
		{"no ranges", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				drop(w, r, s.files[model], 100_000)
			}
			whole(w, s.files[model])
			return true
		}, []string{"", "bytes=100000- ETAG"}},
		{"no tag", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			w.Header().Del("ETag")
			if n == 0 {
				drop(w, r, s.files[model], 100_000)
			}
			return false
		}, []string{"", "bytes=100000-"}},
		{"weak tag", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			w.Header().Set("ETag", `W/"1"`)
			if n == 0 {
				drop(w, r, s.files[model], 100_000)
			}
			return false
		}, []string{"", "bytes=100000-"}},
		{"tag changes, range refused", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				w.Header().Set("ETag", `"before"`)
				drop(w, r, bytes.Repeat([]byte("x"), len(s.files[model])), 100_000)
			}
			return false
		}, []string{"", `bytes=100000- "before"`}},
		{"tag changes, range sent", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				w.Header().Set("ETag", `"before"`)
				drop(w, r, bytes.Repeat([]byte("x"), len(s.files[model])), 100_000)
			}
			r.Header.Del("If-Range")
			return false
		}, []string{"", `bytes=100000- "before"`, ""}},
		{"another range", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				drop(w, r, s.files[model], 100_000)
			}
			if n == 1 {
				r.Header.Set("Range", "bytes=50000-")
				r.Header.Del("If-Range")
			}
			return false
		}, []string{"", "bytes=100000- ETAG", ""}},
		{"range not satisfiable", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				drop(w, r, s.files[model], 100_000)
			}
			if n == 1 {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			}
			return n == 1
		}, []string{"", "bytes=100000- ETAG", ""}},
		{"overloaded", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
			} else if n == 1 {
				w.WriteHeader(http.StatusBadGateway)
			}
			return n < 2
		}, []string{"", "", ""}},
		{"truncated without length", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				w.Write(s.files[model][:100_000])
				w.(http.Flusher).Flush()
			}
			return n == 0
		}, []string{"", "bytes=100000- ETAG"}},
		{"stalls in the middle", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				w.Header().Set("Content-Length", strconv.Itoa(len(s.files[model])))
				w.Write(s.files[model][:100_000])
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}
			return n == 0
		}, []string{"", "bytes=100000- ETAG"}},
		{"stalls before the answer", func(s *server, w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 0 {
				<-r.Context().Done()
			}
			return n == 0
		}, []string{"", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.fault = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
				return name == model && c.fault(s, w, r, n)
			}
			client := s.client(t)
			if strings.HasPrefix(c.name, "stalls") {
				client.stall = time.Second
			}
			dir := t.TempDir()
			_, err := client.Fetch(t.Context(), tiny, dir, quiet())
			require.NoError(t, err)
			s.requireComplete(t, dir, needed...)
			var want []string
			for _, w := range c.want {
				want = append(want, strings.Replace(w, "ETAG", `"`+hexSHA256(s.files[model])+`"`, 1))
			}
			assert.Equal(t, want, s.contentRequests(model))
		})
	}
}

// Content that is not what the hub describes is refused, and nothing of it stays.
func TestMismatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(w http.ResponseWriter, b []byte)
		want  string
	}{
		{"one bit", func(w http.ResponseWriter, b []byte) {
			b = bytes.Clone(b)
			b[len(b)/2] ^= 1
			whole(w, b)
		}, "model.safetensors: not what the hub describes: SHA-256 is "},
		{"shorter", func(w http.ResponseWriter, b []byte) { whole(w, b[:100_000]) }, "the server sends 100000 bytes, want "},
		{"longer", func(w http.ResponseWriter, b []byte) { whole(w, append(bytes.Clone(b), 0)) }, "the server sends "},
		{"longer than announced", func(w http.ResponseWriter, b []byte) {
			w.(http.Flusher).Flush() // no Content-Length
			w.Write(append(bytes.Clone(b), 0))
		}, "not what the hub describes: more than "},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			s.fault = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
				if name == model {
					c.fault(w, s.files[model])
				}
				return name == model
			}
			dir := t.TempDir()
			_, err := s.fetch(t, dir)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "nothing of it was kept")
			assert.Len(t, s.contentRequests(model), 1, "no second attempt")
			assert.ElementsMatch(t, append([]string{LockFile}, needed[:4]...), files(t, dir))
		})
	}
}

// Servers that send the same beginning again and again: each time counted as progress, and the fetch never ended.
func TestSameBeginningIsNoProgress(t *testing.T) {
	const cut = 100_000
	for _, c := range []struct {
		name  string
		again func(s *server, w http.ResponseWriter, r *http.Request, n int) // answers a request for the rest
		tries int
	}{
		{"range refused", func(s *server, w http.ResponseWriter, r *http.Request, n int) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}, 5},
		{"range of another tag", func(s *server, w http.ResponseWriter, r *http.Request, n int) {
			w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
			drop(w, r, s.files[model], cut)
		}, 5},
		{"another range", func(s *server, w http.ResponseWriter, r *http.Request, n int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(s.files[model])-1, len(s.files[model])))
			w.WriteHeader(http.StatusPartialContent)
		}, 5},
		{"no ranges", func(s *server, w http.ResponseWriter, r *http.Request, n int) {
			r.Header.Del("Range")
			drop(w, r, s.files[model], cut)
		}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.fault = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
				switch {
				case name != model:
					return false
				case n == 50:
					whole(w, s.files[model]) // in the end, so that a client without limits ends, too
				case r.Header.Get("Range") == "":
					drop(w, r, s.files[model], cut)
				default:
					c.again(s, w, r, n)
				}
				return true
			}
			_, err := s.fetch(t, t.TempDir())
			require.ErrorContains(t, err, "(given up after 4 attempts)")
			assert.LessOrEqual(t, len(s.contentRequests(model)), c.tries)
		})
	}
}

// Faults that do not pass end with an error; what arrived waits for the next run.
func TestFaultsThatStay(t *testing.T) {
	for _, c := range []struct {
		name  string
		stall time.Duration
		fault func(s *server, w http.ResponseWriter, r *http.Request) bool
		want  string
		tries int
	}{
		{"stall", 200 * time.Millisecond, func(s *server, w http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}, "no data arrived for 200ms (given up after 4 attempts)", 4},
		{"gone", 0, func(s *server, w http.ResponseWriter, r *http.Request) bool {
			http.NotFound(w, r)
			return true
		}, "the hub answers 404 Not Found", 1},
		{"redirect to HTTP elsewhere", 0, func(s *server, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://elsewhere.example/x", http.StatusFound)
			return true
		}, "refused redirect to http://elsewhere.example: want https", 1},
		{"redirects in a circle", 0, func(s *server, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
			return true
		}, "refused redirect: more than 10 in a row", 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			s.fault = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
				return name == model && c.fault(s, w, r)
			}
			client := s.client(t)
			if c.stall > 0 {
				client.stall = c.stall
			}
			dir := t.TempDir()
			_, err := client.Fetch(t.Context(), tiny, dir, quiet())
			require.ErrorContains(t, err, "acme/tiny@main: model.safetensors: ")
			require.ErrorContains(t, err, c.want)
			assert.Len(t, s.contentRequests(model), c.tries)
			assert.ElementsMatch(t, append([]string{LockFile}, needed[:4]...), files(t, dir))
		})
	}
}

// An interrupted fetch leaves no file under its own name, and another process goes on where it ended.
func TestInterruptedFetchIsContinued(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.fault = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
		if name == model && n == 0 {
			w.Header().Set("Content-Length", strconv.Itoa(len(s.files[model])))
			w.Write(s.files[model][:120_000])
			w.(http.Flusher).Flush()
			time.AfterFunc(300*time.Millisecond, cancel)
			<-r.Context().Done()
			return true
		}
		return false
	}
	dir := t.TempDir()
	_, err := s.client(t).Fetch(ctx, tiny, dir, quiet())
	require.ErrorIs(t, err, context.Canceled)
	part := model + "." + hexSHA256(s.files[model])[:12] + ".part"
	assert.ElementsMatch(t, append([]string{LockFile, part, part + ".etag"}, needed[:4]...), files(t, dir))

	s.requests = nil
	r, err := s.fetch(t, dir)
	require.NoError(t, err)
	assert.Equal(t, 1, r.Fetched)
	s.requireComplete(t, dir, needed...)
	assert.Equal(t, []string{`bytes=120000- "` + hexSHA256(s.files[model]) + `"`}, s.contentRequests(model))
}

// What an earlier run left may be spoilt, complete or too long.
func TestLeftovers(t *testing.T) {
	for name, left := range map[string]func(b []byte) []byte{
		"spoilt":             func(b []byte) []byte { return bytes.Repeat([]byte("x"), 50_000) },
		"complete":           func(b []byte) []byte { return b },
		"complete and wrong": func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) },
		"too long":           func(b []byte) []byte { return append(bytes.Clone(b), 0) },
		"empty":              func(b []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			dir := t.TempDir()
			part := filepath.Join(dir, model+"."+hexSHA256(s.files[model])[:12]+".part")
			require.NoError(t, os.WriteFile(part, left(s.files[model]), 0o644))
			_, err := s.fetch(t, dir)
			require.NoError(t, err)
			s.requireComplete(t, dir, needed...)
		})
	}
}

// A disk that takes no more ends the fetch at once; a file that cannot be created stands for it.
func TestDiskErrors(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	part := filepath.Join(dir, model+"."+hexSHA256(s.files[model])[:12]+".part")
	require.NoError(t, os.MkdirAll(filepath.Join(part, "x"), 0o755))
	_, err := s.fetch(t, dir)
	require.ErrorContains(t, err, "is a directory")
	assert.Empty(t, s.contentRequests(model))

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err = s.fetch(t, filepath.Join(file, "out"))
	require.ErrorContains(t, err, "not a directory")

	// A write error is not tried again, and is reported as such.
	p, err := openPart(t.TempDir(), File{Path: "x", Size: 10, SHA256: strings.Repeat("0", 64)})
	require.NoError(t, err)
	require.NoError(t, p.file.Close())
	_, err = p.Write([]byte("x"))
	require.ErrorContains(t, err, "file already closed")
	assert.True(t, isFinal(err))
}

// A full disk is reported as such, at once, and leaves nothing under the file's name.
func TestDiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full, which stands for a full disk")
	}
	s := newServer(t)
	dir := t.TempDir()
	require.NoError(t, os.Symlink("/dev/full", filepath.Join(dir, model+"."+hexSHA256(s.files[model])[:12]+".part")))
	_, err := s.fetch(t, dir)
	require.ErrorContains(t, err, "acme/tiny@main: model.safetensors: ")
	require.ErrorContains(t, err, "no space left on device")
	assert.Len(t, s.contentRequests(model), 1, "no second attempt")
	assert.NotContains(t, files(t, dir), model)
}

// Large files lie on other hosts, which have to be HTTPS.
func TestRedirectToHTTPS(t *testing.T) {
	s := newServer(t)
	cdn := httptest.NewTLSServer(s)
	defer cdn.Close()
	s.cdn = cdn.URL
	client := s.client(t)
	dir := t.TempDir()
	_, err := client.Fetch(t.Context(), tiny, dir, quiet())
	require.ErrorContains(t, err, "failed to verify certificate", "an unknown certificate is not accepted")
	assert.NotContains(t, files(t, dir), model)

	client.http.Transport.(*http.Transport).TLSClientConfig = cdn.Client().Transport.(*http.Transport).TLSClientConfig
	_, err = client.Fetch(t.Context(), tiny, dir, quiet())
	require.NoError(t, err)
	s.requireComplete(t, dir, needed...)
}

// TestProxy fetches in a process of its own, as the environment's proxy and certificates are read once. The hub's name
// does not exist: only the proxy knows where it is.
func TestProxy(t *testing.T) {
	const outVariable = "ECOR_TEST_FETCH_TO"
	if dir := os.Getenv(outVariable); dir != "" {
		c, err := NewClient("https://example.com")
		require.NoError(t, err)
		_, err = c.Fetch(t.Context(), tiny, dir, quiet())
		require.NoError(t, err)
		return
	}
	s := newServer(t)
	hub := httptest.NewTLSServer(s)
	defer hub.Close()
	s.Server.URL = "https://example.com" // in links
	certificate := filepath.Join(t.TempDir(), "hub.pem")
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hub.Certificate().Raw}), 0o644))
	var tunnels atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "example.com:443" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		tunnels.Add(1)
		tunnel(t, w, hub.Listener.Addr().String())
	}))
	defer proxy.Close()

	dir := t.TempDir()
	self := exec.Command(os.Args[0], "-test.run=^TestProxy$")
	self.Env = append(os.Environ(), outVariable+"="+dir, "HTTPS_PROXY="+proxy.URL, "https_proxy=", "NO_PROXY=", "no_proxy=",
		"SSL_CERT_FILE="+certificate)
	text, err := self.CombinedOutput()
	require.NoError(t, err, string(text))
	s.requireComplete(t, dir, needed...)
	assert.Positive(t, tunnels.Load())
}

// tunnel connects a client with another server.
func tunnel(t *testing.T, w http.ResponseWriter, to string) {
	server, err := net.Dial("tcp", to)
	if !assert.NoError(t, err) {
		return
	}
	client, _, err := w.(http.Hijacker).Hijack()
	if !assert.NoError(t, err) {
		return
	}
	fmt.Fprint(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		io.Copy(server, client)
		server.Close()
	}()
	go func() {
		io.Copy(client, server)
		client.Close()
	}()
}
