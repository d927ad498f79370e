package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
)

// newHub serves the golden checkpoint "tiny" as acme/tiny. Package hub's tests have servers that misbehave.
func newHub(t *testing.T) *httptest.Server {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	dir := checkpointtest.Golden(t, "tiny")
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch at, name := path.Split(r.URL.Path); {
		case r.URL.Path == "/api/models/acme/tiny/revision/main":
			fmt.Fprintf(w, `{"sha": %q}`, commit)
		case at == "/api/models/acme/tiny/tree/":
			type object = map[string]any
			var list []object
			entries, err := os.ReadDir(dir)
			assert.NoError(t, err)
			for _, e := range entries {
				b, err := os.ReadFile(filepath.Join(dir, e.Name()))
				assert.NoError(t, err)
				hash := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...))
				list = append(list, object{"type": "file", "path": e.Name(), "size": len(b), "oid": fmt.Sprintf("%x", hash)})
			}
			json.NewEncoder(w).Encode(list)
		case at == "/acme/tiny/resolve/"+commit+"/":
			http.ServeFile(w, r, filepath.Join(dir, name))
		default:
			http.NotFound(w, r)
		}
	}))
}

func TestFetchAndQuantize(t *testing.T) {
	server := newHub(t)
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "tiny")
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitOK, run(t.Context(), []string{"fetch", "acme/tiny", "-hub", server.URL, "-out", dir}, &stdout, &stderr), stderr.String())
	assert.Regexp(t, `(?m)^.*model\.safetensors: \d+\.\d kB, sha256 [0-9a-f]{64}$`, stdout.String())
	assert.Regexp(t, `acme/tiny at commit 0123456789abcdef0123456789abcdef01234567: 4 of 4 files fetched, licence: not stated`, stdout.String())
	assert.Regexp(t, `(?m)^model\.safetensors: done in \d`, stderr.String())

	out := filepath.Join(t.TempDir(), "out")
	require.Equal(t, exitOK, run(t.Context(), []string{"-in", dir, "-out", out}, &stdout, &stderr), stderr.String())
	assert.FileExists(t, filepath.Join(out, "tiny.safetensors"))

	// HF_ENDPOINT, which the hub's other clients know too, and a default for -out.
	t.Setenv("HF_ENDPOINT", server.URL)
	t.Chdir(t.TempDir())
	require.Equal(t, exitOK, run(t.Context(), []string{"fetch", "acme/tiny@main"}, &stdout, &stderr), stderr.String())
	assert.FileExists(t, filepath.Join("tiny", "fetch.lock.json"))
}

func TestFetchErrors(t *testing.T) {
	server := newHub(t)
	defer server.Close()
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no name", nil, exitUsage, "0 names given"},
		{"two names", []string{"a/b", "c/d"}, exitUsage, "2 names given"},
		{"bad name", []string{"clip"}, exitUsage, `"clip" is no name of a checkpoint: want OWNER/NAME, with @REVISION or without, or one of datacomp-b32-256,`},
		{"flag", []string{"a/b", "-token", "x"}, exitUsage, "flag provided but not defined: -token"},
		{"address", []string{"-hub", "http://mirror.example", "a/b"}, exitUsage, "want https, or http on this machine"},
		{"unknown", []string{"-hub", server.URL, "acme/other"}, exitFailed, "acme/other@main: there is no such public repository or revision"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			t.Chdir(t.TempDir())
			assert.Equal(t, c.code, run(t.Context(), append([]string{"fetch"}, c.args...), &stdout, &stderr))
			assert.Contains(t, stderr.String(), "quantize fetch: ")
			assert.Contains(t, stderr.String(), c.want)
			assert.Empty(t, stdout.String())
		})
	}
	var stdout, stderr bytes.Buffer
	assert.Equal(t, exitOK, run(t.Context(), []string{"fetch", "-h"}, &stdout, &stderr))
	assert.Contains(t, stderr.String(), "openai-b32        timm/vit_base_patch32_clip_224.openai")
	assert.Contains(t, stderr.String(), "-hub address")
}
