package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
)

func TestFetch(t *testing.T) {
	s := newServer(t)
	dir := filepath.Join(t.TempDir(), "a", "tiny")
	r, err := s.fetch(t, dir)
	require.NoError(t, err)
	assert.Equal(t, len(needed), r.Fetched)
	s.requireComplete(t, dir, needed...)
	c, err := checkpoint.Open(dir)
	require.NoError(t, err)
	assert.Equal(t, "mit", c.License)
	require.NoError(t, c.Close())

	var lock Lock
	b, err := os.ReadFile(filepath.Join(dir, LockFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &lock))
	file := func(name string) File {
		b := s.files[name]
		return File{Path: name, Size: int64(len(b)), SHA256: hexSHA256(b), GitSHA1: gitSHA1(b)}
	}
	assert.Equal(t, Lock{
		Format: "ecor-fetch-1", Hub: s.URL, Repo: "acme/tiny", Revision: "main", Commit: commit,
		Files: []File{
			file("config.json"), file("preprocessor_config.json"), file("tokenizer.json"), file("README.md"),
			{Path: "model.safetensors", Size: int64(len(s.files["model.safetensors"])), SHA256: hexSHA256(s.files["model.safetensors"])},
		},
	}, lock)
	assert.Empty(t, s.contentRequests("pytorch_model.bin"))
}

// Once a directory is complete, the network is not asked for anything.
func TestFetchAgain(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	_, err := s.fetch(t, dir)
	require.NoError(t, err)
	s.requests = nil
	r, err := s.fetch(t, dir)
	require.NoError(t, err)
	assert.Zero(t, r.Fetched)
	assert.Empty(t, s.requests)
}

// Of files that the hub describes by Git's hash alone, the lock held that weaker hash only.
func TestLockHoldsTheSHA256OfSmallFiles(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	_, err := s.fetch(t, dir)
	require.NoError(t, err)
	lock, err := readLock(dir, tiny)
	require.NoError(t, err)
	for i, f := range lock.Files {
		assert.Equal(t, hexSHA256(s.files[f.Path]), f.SHA256, f.Path)
		lock.Files[i].GitSHA1 = ""
	}

	// It counts: with another one in the lock the file is refused.
	lock.Files[0].SHA256 = hexSHA256(nil)
	require.NoError(t, lock.write(dir))
	_, err = s.fetch(t, dir)
	require.ErrorContains(t, err, "config.json exists and is not what the hub describes: SHA-256 is "+hexSHA256(s.files["config.json"]))

	// A lock that an earlier version left is completed.
	lock.Files[0].SHA256, lock.Files[0].GitSHA1 = "", gitSHA1(s.files["config.json"])
	require.NoError(t, lock.write(dir))
	r, err := s.fetch(t, dir)
	require.NoError(t, err)
	assert.Zero(t, r.Fetched)
	lock, err = readLock(dir, tiny)
	require.NoError(t, err)
	assert.Equal(t, hexSHA256(s.files["config.json"]), lock.Files[0].SHA256)
}

// A branch that moves on does not change a directory: the lock holds the commit.
func TestLockHoldsTheCommit(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	_, err := s.fetch(t, dir)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "model.safetensors")))
	s.requests = nil
	r, err := s.fetch(t, dir)
	require.NoError(t, err)
	assert.Equal(t, 1, r.Fetched)
	assert.Equal(t, []string{"GET /acme/tiny/resolve/" + commit + "/model.safetensors", "GET /cdn/model.safetensors"}, s.requests)
	s.requireComplete(t, dir, needed...)

	// The lock's hash counts, whatever the hub has become.
	require.NoError(t, os.Remove(filepath.Join(dir, "model.safetensors")))
	s.files["model.safetensors"] = bytes.Replace(s.files["model.safetensors"], []byte("zebra"), []byte("horse"), 1)
	s.files["model.safetensors"][150_000]++
	_, err = s.fetch(t, dir)
	require.ErrorIs(t, err, errMismatch)
	assert.NotContains(t, files(t, dir), "model.safetensors")
}

func TestLockErrors(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	_, err := s.fetch(t, dir)
	require.NoError(t, err)

	_, err = s.client(t).Fetch(t.Context(), Name{"acme/tiny", "v2"}, dir, quiet())
	require.ErrorContains(t, err, "holds acme/tiny@main: fetch acme/tiny@v2 into another directory")
	_, err = s.client(t).Fetch(t.Context(), Name{"acme/tiny", commit}, dir, quiet())
	require.NoError(t, err, "the commit that main was is the same")

	config := filepath.Join(dir, "config.json")
	require.NoError(t, os.WriteFile(config, append(s.files["config.json"], ' '), 0o644))
	_, err = s.fetch(t, dir)
	require.ErrorContains(t, err, "config.json exists and is not what the hub describes")
	require.ErrorContains(t, err, "move it away")
	b, err := os.ReadFile(config)
	require.NoError(t, err)
	assert.Len(t, b, len(s.files["config.json"])+1, "the user's file stays")

	for _, c := range []struct{ text, want string }{
		{"{", "unexpected end of JSON input"},
		{`{"format": "v0"}`, `format is "v0": want "ecor-fetch-1"`},
		{`{"format": "ecor-fetch-1", "repo": "acme/tiny", "revision": "main"}`, "commit or files are missing"},
		{`{"format": "ecor-fetch-1", "repo": "acme/tiny", "revision": "main", "commit": "` + commit + `", "files": [{"path": "../x", "git_sha1": "` + commit + `"}]}`, `"../x" is no plain file name`},
		{`{"format": "ecor-fetch-1", "repo": "acme/tiny", "revision": "main", "commit": "` + commit + `", "files": [{"path": "x"}]}`, "x: no SHA-256 and no Git hash"},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, LockFile), []byte(c.text), 0o644))
		_, err = s.fetch(t, dir)
		require.ErrorContains(t, err, c.want)
	}
}

// Of a checkpoint in several files every one is fetched that the index names.
func TestFetchShards(t *testing.T) {
	s := newServer(t)
	dir := checkpointtest.Copy(t, "tiny")
	shards := checkpointtest.Shard(t, dir, "model.safetensors", 2)
	delete(s.files, "model.safetensors")
	names := append([]string{"model.safetensors.index.json"}, shards...)
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		s.files[name] = b
	}
	s.files["other-00001-of-00001.safetensors"] = []byte("{}")
	out := t.TempDir()
	_, err := s.client(t).Fetch(t.Context(), Name{"acme/tiny", "refs/pr/7"}, out, quiet())
	require.NoError(t, err)
	s.requireComplete(t, out, append(needed[:4:4], names...)...)

	delete(s.files, shards[1])
	_, err = s.fetch(t, t.TempDir())
	require.ErrorContains(t, err, shards[1]+" is missing")
}

// open_clip's layout is fetched where its weights are the ones in safetensors.
func TestFetchOpenCLIP(t *testing.T) {
	s := newServer(t)
	dir := checkpointtest.Copy(t, "tiny")
	checkpointtest.ToOpenCLIP(t, dir, "text.")
	delete(s.files, "model.safetensors")
	delete(s.files, "preprocessor_config.json")
	s.files["config.json"] = []byte(`{"architecture": "vit_base_patch32_clip_224"}`)
	for _, name := range []string{"open_clip_config.json", "open_clip_model.safetensors"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		s.files[name] = b
	}
	out := t.TempDir()
	_, err := s.fetch(t, out)
	require.NoError(t, err)
	s.requireComplete(t, out, "open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json", "README.md")
	c, err := checkpoint.Open(out)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// What could not be read afterwards is refused before anything is written.
func TestRefused(t *testing.T) {
	edit := func(name, from, to string) func(s *server) {
		return func(s *server) { s.files[name] = bytes.ReplaceAll(s.files[name], []byte(from), []byte(to)) }
	}
	without := func(names ...string) func(s *server) {
		return func(s *server) {
			for _, name := range names {
				delete(s.files, name)
			}
		}
	}
	for _, c := range []struct {
		name   string
		damage func(s *server)
		want   string
	}{
		{"pickle only", without("model.safetensors"), "there is no model.safetensors; pytorch_model.bin is a pickle, which runs any code it contains"},
		{"pickle only, advice", without("model.safetensors"), "OWNER/NAME@refs/pr/NUMBER"},
		{"pickle and no config", without("model.safetensors", "config.json"), "there is no model.safetensors; pytorch_model.bin is a pickle, which runs any code it contains"},
		{"SigLIP", edit("config.json", `"model_type": "clip"`, `"model_type": "siglip"`), `acme/tiny@main: config.json: SigLIP (model_type "siglip") is not supported`},
		{"ResNet", func(s *server) {
			without("config.json")(s)
			s.files["open_clip_config.json"] = []byte(`{"model_cfg": {"vision_cfg": {"layers": [3, 4, 6, 3]}}}`)
		}, "CLIP with a ResNet image tower is not supported"},
		{"no config", without("config.json"), "there is neither config.json nor open_clip_config.json"},
		{"no tokenizer", without("tokenizer.json", "vocab.json"), "there is neither tokenizer.json nor vocab.json with merges.txt"},
		{"no preprocessor", without("preprocessor_config.json"), "there is no preprocessor_config.json"},
		{"changed config", func(s *server) { s.claims["config.json"] = []byte("{}") }, "config.json: not what the hub describes"},
		{"hostile index", func(s *server) {
			without("model.safetensors")(s)
			s.files["model.safetensors.index.json"] = []byte(`{"weight_map": {"logit_scale": "../../x.safetensors"}}`)
		}, "want a .safetensors file beside the index"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			c.damage(s)
			dir := filepath.Join(t.TempDir(), "out")
			_, err := s.fetch(t, dir)
			require.ErrorContains(t, err, c.want)
			assert.NoDirExists(t, dir)
		})
	}
}

// answer is a hub that gives one answer to everything.
func answer(status int, header http.Header, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for key, values := range header {
			w.Header()[key] = values
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func TestMetadataErrors(t *testing.T) {
	code := func(s string) http.Header { return http.Header{"X-Error-Code": {s}, "X-Error-Message": {s + "!"}} }
	hex64 := strings.Repeat("ab", 32)
	list := func(entry string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.Contains(r.URL.Path, "/revision/"):
				fmt.Fprintf(w, `{"sha": %q}`, commit)
			case strings.Contains(r.URL.Path, "/tree/"):
				fmt.Fprint(w, entry)
			default:
				fmt.Fprint(w, "{}")
			}
		})
	}
	for _, c := range []struct {
		name    string
		handler http.Handler
		want    string
	}{
		{"no repository", answer(404, code("RepoNotFound"), ""), "there is no such public repository or revision (the hub answers 404 Not Found: RepoNotFound!)"},
		{"no revision", answer(404, code("RevisionNotFound"), ""), "the repository has no such revision"},
		{"private", answer(401, nil, ""), "there is no such public repository or revision (the hub answers 401 Unauthorized)"},
		{"gated", answer(403, code("GatedRepo"), ""), "its owner asks for a login, which is not supported"},
		{"broken hub", answer(500, nil, ""), "the hub answers 500 Internal Server Error (given up after 4 attempts)"},
		{"no JSON", answer(200, nil, "<html>"), "the hub's answer is not understood"},
		{"too long", answer(200, nil, strings.Repeat(" ", maxAnswer+1)), "the hub's answer is longer than 16777216 bytes"},
		{"no commit", answer(200, nil, `{"sha": "main"}`), `the hub states commit "main": want 40 hex digits`},
		{"asks to wait long", answer(429, http.Header{"Retry-After": {"3600"}}, ""), "it asks to wait 1h0m0s"},
		{"hash", list(`[{"type": "file", "path": "config.json", "size": 2, "oid": "abc"}]`), "config.json: no SHA-256 and no Git hash"},
		{"size", list(`[{"type": "file", "path": "config.json", "size": -2, "oid": "` + commit + `"}]`), "config.json: size is -2"},
		{"configuration of gigabytes", list(`[{"type": "file", "path": "config.json", "size": 9, "oid": "x", "lfs": {"oid": "` + hex64 + `", "size": 9000000000}}]`),
			"config.json has 9000000000 bytes: want at most 16777216"},
		{"next page elsewhere", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<https://elsewhere.example/page2>; rel="next"`)
			list("[]").ServeHTTP(w, r)
		}), "the list's next page is at elsewhere.example, not on the hub"},
		{"pages without end", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<`+r.URL.Path+`>; rel="next"`)
			list("[]").ServeHTTP(w, r)
		}), "more than 100 pages of files"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			s.Config.Handler = c.handler
			dir := filepath.Join(t.TempDir(), "out")
			_, err := s.fetch(t, dir)
			require.ErrorContains(t, err, "acme/tiny@main: ")
			require.ErrorContains(t, err, c.want)
			assert.NoDirExists(t, dir)
		})
	}
}

func TestParseName(t *testing.T) {
	for s, want := range map[string]Name{
		"openai/clip-vit-base-patch32":           {"openai/clip-vit-base-patch32", "main"},
		"openai/clip-vit-base-patch32@refs/pr/1": {"openai/clip-vit-base-patch32", "refs/pr/1"},
		"a/b.c_d@" + commit:                      {"a/b.c_d", commit},
		"openai-b32":                             {"timm/vit_base_patch32_clip_224.openai", "main"},
		"tinyclip-8m@v1":                         {"wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M", "v1"},
	} {
		got, err := ParseName(s)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, s := range []string{"", "clip", "a/b/c", "../b", "a/..", "a/b@", "a/b@x/../y", "a/b@/x", "a b/c", "https://example.com/a", "a/b?x"} {
		_, err := ParseName(s)
		assert.Error(t, err, s)
	}
	for name, repo := range shortNames {
		got, err := ParseName(repo)
		require.NoError(t, err, name)
		assert.Equal(t, repo, got.Repo)
	}
	assert.Equal(t, "clip-vit-base-patch32", Name{Repo: "openai/clip-vit-base-patch32"}.Base())
}

func TestNewClient(t *testing.T) {
	for _, s := range []string{Endpoint, Endpoint + "/", "https://mirror.example/hub", "http://127.0.0.1:8080", "http://[::1]", "http://localhost"} {
		_, err := NewClient(s)
		assert.NoError(t, err, s)
	}
	for _, s := range []string{"", "huggingface.co", "http://mirror.example", "ftp://127.0.0.1", "https://", "https://user:secret@mirror.example", "https://a/?b", ":"} {
		_, err := NewClient(s)
		assert.ErrorContains(t, err, "the hub's address", s)
	}
}
