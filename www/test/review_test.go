package test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/wasm/wire"
	"github.com/ecor-clip/ecor/www/site/static"
)

// bench is an empty page with the review model's hooks, and a server that takes
// what they upload.
type bench struct {
	*page
	url     string
	mu      sync.Mutex
	uploads map[string][]byte
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{page: newPage(t), uploads: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, upload := strings.CutPrefix(r.URL.Path, "/upload/")
		if !upload {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<!doctype html><body style='height: 100vh'>")
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.uploads[name] = body
	}))
	t.Cleanup(server.Close)
	b.url = server.URL + "/"
	b.visit()
	return b
}

// visit loads the page anew.
func (b *bench) visit() {
	b.t.Helper()
	b.run(chromedp.Navigate(b.url))
	script, err := static.Bundle("review.ts", nil)
	require.NoError(b.t, err)
	b.do(string(script))
}

// uploaded returns what a hook has uploaded.
func (b *bench) uploaded(name string) []byte {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Contains(b.t, b.uploads, name)
	return b.uploads[name]
}

// ask calls a hook.
func ask[T any](b *bench, name string, args ...any) T {
	b.t.Helper()
	return call[T](b.page, name, append([]any{}, args...)...)
}

// act calls a hook for its effect.
func (b *bench) act(name string, args ...any) {
	b.t.Helper()
	ask[any](b, name, args...)
}

// TestReviewModel compares what the model keeps up to date with what is counted
// anew, after every one of many random changes.
func TestReviewModel(t *testing.T) {
	b := newBench(t)
	for seed := range 6 {
		assert.Empty(t, ask[[]string](b, "model", seed, 120), "seed %d", seed)
	}
	assert.Equal(t, [][]int{{8}, {5, 6, 7, 8}, {1, 5, 6, 7, 8}, {1, 2, 5, 6, 7, 8}, {1, 2, 5, 7, 8}, {1, 2, 3, 4, 5, 7, 8, 9, 10}, {}},
		ask[[][]int](b, "selection"))
	for what, ms := range ask[map[string]float64](b, "speed", 5000) {
		t.Logf("5000 items, 9 views, %s: %.0f ms", what, ms)
	}
}

func TestReviewLabels(t *testing.T) {
	b := newBench(t)
	type list struct{ Categories, Rationales []string }
	type change struct {
		Answers        bool
		Added, Removed list
		Templates      []string
	}
	pack := func(categories string, templates ...string) json.RawMessage {
		list, _ := json.Marshal(templates)
		return json.RawMessage(`{"templates": {"category": [], "rationale": ` + string(list) + `, "conditional": []}, "categories": ` + categories + `}`)
	}
	one := pack(`[{"name": "cat", "rationales": ["fur", "whiskers"]}]`, "a {r}")
	none := list{[]string{}, []string{}}
	for name, c := range map[string]struct {
		after json.RawMessage
		want  change
	}{
		"the same":         {one, change{false, none, none, []string{}}},
		"another category": {pack(`[{"name": "dog", "rationales": ["fur", "whiskers"]}]`, "a {r}"), change{true, list{[]string{"dog"}, []string{}}, list{[]string{"cat"}, []string{}}, []string{}}},
		"one reason more":  {pack(`[{"name": "cat", "rationales": ["fur", "whiskers", "paws"]}]`, "a {r}"), change{true, list{[]string{}, []string{"paws"}}, none, []string{}}},
		"another order":    {pack(`[{"name": "cat", "rationales": ["whiskers", "fur"]}]`, "a {r}"), change{true, none, none, []string{}}},
		"another template": {pack(`[{"name": "cat", "rationales": ["fur", "whiskers"]}]`, "the {r}"), change{true, none, none, []string{"rationale"}}},
	} {
		assert.Equal(t, c.want, ask[change](b, "labels", one, c.after), name)
	}
}

// TestReviewNumbers holds the page to Go's texts for float32.
func TestReviewNumbers(t *testing.T) {
	b := newBench(t)
	random := rand.New(rand.NewPCG(1, 2))
	var values []float32
	for exponent := range uint32(255) {
		values = append(values, math.Float32frombits(exponent<<23), math.Float32frombits(exponent<<23|1), math.Float32frombits(exponent<<23|1<<23-1))
	}
	for bit := range 23 {
		values = append(values, math.Float32frombits(1<<bit))
	}
	for range 2000 {
		values = append(values, random.Float32(), float32(math.Exp(-30*random.Float64())))
		if v := math.Float32frombits(random.Uint32()); v == v && !math.IsInf(float64(v), 0) {
			values = append(values, v)
		}
	}
	values = append(values, 0, float32(math.Copysign(0, -1)), 0.1, 1e-4, 9.9999e-5, 999999, 1e6, 123456.7, 16777216, 1e21, 9e20)
	bits := make([]uint32, len(values))
	for i, v := range values {
		bits[i] = math.Float32bits(v)
	}
	got := ask[struct{ Text, JSON []string }](b, "numbers", bits)
	for i, v := range values {
		require.Equal(t, strconv.FormatFloat(float64(v), 'g', -1, 32), got.Text[i], "%x", bits[i])
		text, err := json.Marshal(v)
		require.NoError(t, err)
		if v != 0 { // JSON.stringify knows no -0
			require.Equal(t, string(text), got.JSON[i], "%x", bits[i])
		}
	}
}

// TestReviewTables reads the exported tables with Go's readers.
func TestReviewTables(t *testing.T) {
	b := newBench(t)
	var cases []struct{ Text, CSV string }
	readJSON(t, filepath.Join(root, "tools", "classify", "testdata", "csv.json"), &cases)
	require.NotEmpty(t, cases)
	for _, c := range cases {
		assert.Equal(t, c.CSV+",b\r\n", ask[string](b, "csvField", c.Text), "%q", c.Text)
	}

	score := func(category string, p float32, rationales ...wire.RationaleScore) wire.CategoryScore {
		return wire.CategoryScore{Category: category, Probability: p, Rationales: rationales}
	}
	reasons := []wire.RationaleScore{{Rationale: "fur", Joint: 0.25}, {Rationale: "=paws", Joint: 1e-7}, {Rationale: "a \"tail\", long", Joint: 0.1}, {Rationale: "not exported", Joint: 0}}
	long := wire.Answer{Method: wire.MethodECOR, Uncovered: 0.3, Kept: 32}
	for i := range 8 {
		long.Categories = append(long.Categories, score(fmt.Sprint("category ", i), 0.1/float32(i+3), reasons...))
	}
	answers := []*wire.Answer{&long, {Method: wire.MethodCLIP, Categories: []wire.CategoryScore{score("cat", 0.7)}}, {Method: wire.MethodJoint, Kept: 3}}
	var photos []pathAnswer
	var want bytes.Buffer
	w := csv.NewWriter(&want)
	w.UseCRLF = true
	w.Write([]string{"file", "method", "uncovered", "rank", "category", "probability", "rationale", "joint"})
	number := func(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }
	for i, a := range answers {
		path := fmt.Sprintf("album/ž %d, last.jpg", i)
		photos = append(photos, pathAnswer{path, answerJSON(a)})
		for rank, c := range a.Categories[:min(5, len(a.Categories))] {
			row := []string{path, a.Method.String(), number(a.Uncovered), strconv.Itoa(rank + 1), c.Category, number(c.Probability)}
			for _, r := range c.Rationales[:min(3, len(c.Rationales))] {
				w.Write(append(row[:6:6], strings.Replace(r.Rationale, "=", "'=", 1), number(r.Joint)))
			}
			if len(c.Rationales) == 0 {
				w.Write(append(row, "", ""))
			}
		}
	}
	w.Flush()
	b.act("tables", photos)
	assert.Equal(t, want.String(), string(b.uploaded("answers.csv")))

	rows, err := csv.NewReader(bytes.NewReader(b.uploaded("review.csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 5)
	line := func(row []string) map[string]string {
		m := map[string]string{}
		for i, name := range rows[0] {
			if row[i] != "" {
				m[name] = row[i]
			}
		}
		return m
	}
	assert.Equal(t, map[string]string{
		"file": "album/ž 0, last.jpg", "decision": "none", "tags": "'=evil|second", "corrected": "right one", "category": "category 0",
		"probability": number(0.1 / 3), "uncovered": "0.3", "method": "ecor", "rationale": "fur", "joint": "0.25", "state": "done",
		"size": "5", "modified": "2020-09-13T12:26:40.000Z",
	}, line(rows[1]))
	assert.Equal(t, "keep", line(rows[2])["decision"])
	assert.Equal(t, map[string]string{"file": "refused.txt", "decision": "none", "state": "skipped", "reason": "'-This is no image.", "size": "0", "modified": "2001-09-09T01:46:40.000Z"}, line(rows[4]))

	var document struct {
		Format, Exported string
		Model            struct{ Name, SHA256, Scheme string }
		Labels           struct {
			Name                   string
			Categories, Rationales int
		}
		Photos []struct {
			File, Method, Decision, Corrected, State string
			Tags                                     []string
			Uncovered                                float32
			Categories                               []struct {
				Category    string
				Probability float32
				Rationales  []struct {
					Rationale string
					Joint     float32
				}
			}
			Reason *struct{ Kind, Message string }
		}
	}
	d := json.NewDecoder(bytes.NewReader(b.uploaded("review.json")))
	require.NoError(t, d.Decode(&document))
	assert.Equal(t, "ecor-review-1", document.Format)
	require.Len(t, document.Photos, 4)
	first := document.Photos[0]
	assert.Equal(t, []string{"=evil", "second"}, first.Tags)
	require.Len(t, first.Categories, 5)
	require.Len(t, first.Categories[0].Rationales, 3)
	assert.Equal(t, long.Categories[0].Probability, first.Categories[0].Probability)
	assert.Contains(t, string(b.uploaded("review.json")), `{"rationale":"=paws","joint":1e-7}`)
	assert.Equal(t, "refused", document.Photos[3].Reason.Kind)
}

// pathAnswer is an answer for the hook "tables".
type pathAnswer struct {
	Path   string          `json:"path"`
	Answer json.RawMessage `json:"answer"`
}

// answerJSON writes an answer as the page's codec reads it.
func answerJSON(a *wire.Answer) json.RawMessage {
	type rationale struct {
		Rationale string  `json:"rationale"`
		Joint     float64 `json:"joint"`
	}
	type category struct {
		Category    string      `json:"category"`
		Probability float64     `json:"probability"`
		Rationales  []rationale `json:"rationales"`
	}
	categories := []category{}
	for _, c := range a.Categories {
		k := category{c.Category, float64(c.Probability), []rationale{}}
		for _, r := range c.Rationales {
			k.Rationales = append(k.Rationales, rationale{r.Rationale, float64(r.Joint)})
		}
		categories = append(categories, k)
	}
	text, _ := json.Marshal(map[string]any{"method": a.Method.String(), "kept": a.Kept, "uncovered": float64(a.Uncovered), "categories": categories})
	return text
}

func TestReviewNames(t *testing.T) {
	b := newBench(t)
	long := strings.Repeat("ž", 200)
	cases := [][2]string{
		{"photo.jpg", "photo.jpg"},
		{"PHOTO.JPG", "PHOTO (2).JPG"},
		{"photo.jpg", "photo (3).jpg"},
		{"photo (2).jpg", "photo (2) (2).jpg"},
		{"a/b\\c:d*e?f\"g<h>i|j.png", "a_b_c_d_e_f_g_h_i_j.png"},
		{"..", "unnamed"},
		{"", "unnamed (2)"},
		{" . ", "unnamed (3)"},
		{"con", "_con"},
		{"CON.txt", "_CON.txt"},
		{"com1.tar.gz", "_com1.tar.gz"},
		{"LPT².png", "_LPT².png"},
		{"console.png", "console.png"},
		{"trailing. . ", "trailing"},
		{"\x00\x1f\x7f.png", "___.png"},
		{"evil\u202egpj.exe", "evil_gpj.exe"},
		{"u\u0308ber.png", "über.png"},
		{"über.png", "über (2).png"},
		{long + ".jpeg", strings.Repeat("ž", 97) + ".jpeg"},
		{long + "2.jpeg", strings.Repeat("ž", 97) + " (2).jpeg"},
		{"👩‍👩‍👧.png", "👩‍👩‍👧.png"},
		{".hidden", ".hidden"},
		{"name.with a long ending", "name.with a long ending"},
	}
	var names []string
	for _, c := range cases {
		names = append(names, c[0])
	}
	for i, got := range ask[[]string](b, "names", names) {
		assert.Equal(t, cases[i][1], got, "%q", cases[i][0])
	}
}

// TestReviewZip reads the page's ZIP files with Go's reader.
func TestReviewZip(t *testing.T) {
	b := newBench(t)
	for _, n := range []int{0, 1, 7, 8, 9, 64, 1001} {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i * 37)
		}
		assert.Equal(t, crc32.ChecksumIEEE(data), ask[uint32](b, "crc", base64.StdEncoding.EncodeToString(data)), "%d bytes", n)
	}
	assert.True(t, ask[bool](b, "crcOfLarge"))

	report := ask[[]string](b, "zip")
	assert.Equal(t, []string{
		"copied and_or/one.jpg", "copied and_or (2)/one.jpg", "copied and_or/ONE (2).JPG", "copied and_or/_CON.png", "copied and_or/žubr .._gpj.exe",
		"failed and_or/missing.jpg The file is not there any more.", "copied and_or/large.bin", "copied and_or/old.jpg",
	}, report)
	data := b.uploaded("photos.zip")
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	contents := map[string]string{}
	for _, f := range r.File {
		assert.Equal(t, zip.Store, f.Method)
		assert.False(t, f.NonUTF8)
		rc, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(rc) // checks the CRC
		require.NoError(t, err, f.Name)
		contents[f.Name] = string(text)
	}
	assert.Equal(t, "a/one.jpg", contents["and_or/one.jpg"])
	assert.Equal(t, "b/one.jpg", contents["and_or (2)/one.jpg"])
	assert.Len(t, contents["and_or/large.bin"], 9<<20)
	assert.Len(t, contents, 7)
	zone := eval[float64](b.page, `new Date(1.6e12).getTimezoneOffset()`)
	assert.Equal(t, time.UnixMilli(1.6e12).UTC().Add(-time.Duration(zone)*time.Minute), r.File[0].Modified.UTC())
	assert.Equal(t, 1980, r.File[6].Modified.Year(), "older than ZIP can say")

	const many = 1<<16 + 3
	b.act("manyFiles", many)
	data = b.uploaded("many.zip")
	r, err = zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	require.Len(t, r.File, many)
	assert.Equal(t, strconv.Itoa(many-1), r.File[many-1].Name)

	// The contents are never made: the reader sees zeros there.
	sizes := []int64{5 << 30, 1<<32 - 1, 1<<32 - 2, 7}
	layout := ask[struct {
		Size  int64
		Parts [][2]int64
	}](b, "largeFiles", sizes)
	sparse := &sparseFile{parts: layout.Parts, bytes: b.uploaded("large.parts")}
	r, err = zip.NewReader(sparse, layout.Size)
	require.NoError(t, err)
	require.Len(t, r.File, len(sizes))
	for i, f := range r.File {
		assert.EqualValues(t, sizes[i], f.UncompressedSize64)
		assert.EqualValues(t, 0x12345678, f.CRC32)
		at, err := f.DataOffset() // reads the local header
		require.NoError(t, err)
		if i > 0 {
			previous, err := r.File[i-1].DataOffset()
			require.NoError(t, err)
			assert.Greater(t, at, previous+sizes[i-1])
		}
	}
}

// sparseFile is a file of zeros but for some parts.
type sparseFile struct {
	parts [][2]int64 // offset and length, in order
	bytes []byte     // of the parts
}

func (s *sparseFile) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	from := 0
	for _, part := range s.parts {
		bytes := s.bytes[from : from+int(part[1])]
		from += int(part[1])
		if lo, hi := max(at, part[0]), min(at+int64(len(p)), part[0]+part[1]); lo < hi {
			copy(p[lo-at:hi-at], bytes[lo-part[0]:])
		}
	}
	return len(p), nil
}

// TestReviewFolders sorts files in the file system that the browser gives to an
// origin, which has the same handles as the user's.
func TestReviewFolders(t *testing.T) {
	b := newBench(t)
	files := map[string]string{"in/a.jpg": "first", "in/deep/A.JPG": "second", "in/deep/b.jpg": "third", "out/sorted/b.jpg": "was there"}
	b.act("write", files)
	tree := func(path string) map[string]string { t.Helper(); return ask[map[string]string](b, "tree", path) }

	assert.Equal(t, []string{"copied sorted/a.jpg", "copied sorted/A (2).JPG", "copied cats_dogs/b.jpg"},
		ask[[]string](b, "sort", "in", "other", map[string]any{"correct": map[string]string{"b.jpg": "cats/dogs"}}))
	assert.Equal(t, map[string]string{"sorted/a.jpg": "first", "sorted/A (2).JPG": "second", "cats_dogs/b.jpg": "third"}, tree("other"))

	assert.Equal(t, []string{
		"failed sorted/a.jpg The copy differs from the original.",
		"failed sorted/A (2).JPG The copy differs from the original.",
		"failed sorted/b.jpg The copy differs from the original.",
	}, ask[[]string](b, "sort", "in", "out", map[string]any{"move": true, "spoil": true}))
	assert.Equal(t, map[string]string{"a.jpg": "first", "deep/A.JPG": "second", "deep/b.jpg": "third"}, tree("in"), "nothing is deleted")
	assert.Equal(t, map[string]string{"sorted/b.jpg": "was there"}, tree("out"), "nothing is left behind or overwritten")

	assert.Equal(t, []string{"moved sorted/a.jpg", "moved sorted/A (2).JPG", "moved sorted/b (2).jpg"},
		ask[[]string](b, "sort", "in", "out", map[string]any{"move": true}))
	assert.Empty(t, tree("in"))
	assert.Empty(t, ask[[]string](b, "lost"), "items know where their files are now")
	sorted := map[string]string{"sorted/a.jpg": "first", "sorted/A (2).JPG": "second", "sorted/b.jpg": "was there", "sorted/b (2).jpg": "third"}
	assert.Equal(t, sorted, tree("out"))

	again := ask[[]string](b, "sort", "out", "out", map[string]any{"move": true})
	for _, line := range again {
		assert.True(t, strings.HasPrefix(line, "there "), line)
	}
	assert.Equal(t, sorted, tree("out"), "sorting what is sorted changes nothing")
}

// TestReviewIntake drops a real folder on the page.
func TestReviewIntake(t *testing.T) {
	b := newBench(t)
	dir := filepath.Join(t.TempDir(), "holiday")
	for name, size := range map[string]int{"img10.jpg": 3, "img2.jpg": 4, ".DS_Store": 1, "deep/er/c.png": 5, "deep/._c.png": 2, ".git/config": 1} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, make([]byte, size), 0o600))
	}
	for i := range 250 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "deep", "er", fmt.Sprintf("d%d.png", i)), nil, 0o600))
	}
	single := filepath.Join(t.TempDir(), "single.png")
	require.NoError(t, os.WriteFile(single, make([]byte, 7), 0o600))
	for how, marks := range map[string][2]string{"handles": {" handle parent", " handle"}, "entries": {"", ""}} {
		b.visit()
		b.do(fmt.Sprintf("globalThis.dropped = hooks.awaitDrop(%q); null", how))
		b.waitFor(`document.body.dataset.ready`)
		data := &input.DragData{Items: []*input.DragDataItem{}, Files: []string{dir, single}, DragOperationsMask: 1}
		for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
			_, err := chromedp.Call(b.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{Type: kind, X: 50, Y: 50, Data: data})
			require.NoError(t, err)
		}
		var got, passedOver []string
		for _, line := range eval[[]string](b.page, `dropped`) {
			if strings.HasPrefix(line, "ignored ") {
				passedOver = append(passedOver, line)
			} else {
				got = append(got, line)
			}
		}
		want := []string{"holiday/deep/er/c.png 5 5" + marks[0]}
		for i := range 250 {
			want = append(want, fmt.Sprintf("holiday/deep/er/d%d.png 0 0%s", i, marks[0]))
		}
		want = append(want, "holiday/img2.jpg 4 4"+marks[0], "holiday/img10.jpg 3 3"+marks[0], "single.png 7 7"+marks[1])
		if how == "handles" {
			want = append(want, "folder holiday")
		}
		assert.Equal(t, want, got, how)
		assert.ElementsMatch(t, []string{"ignored holiday/.DS_Store", "ignored holiday/.git", "ignored holiday/deep/._c.png"}, passedOver)
	}
	assert.Equal(t, []string{"image.png 3", "chosen.png 4", "snapshot.jpg"}, ask[[]string](b, "pasted"))
}

// TestReviewChecks looks at files before they are decoded.
func TestReviewChecks(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	read := func(name, scene string) string {
		data, err := os.ReadFile(writePhoto(t, dir, name, scene, 40, 30))
		require.NoError(t, err)
		return base64.StdEncoding.EncodeToString(data)
	}
	photo, other := read("a.png", "sunset"), read("b.png", "forest")
	huge := base64.StdEncoding.EncodeToString(pngHeader(30000, 30000))
	same := []byte(huge) // another file of the same size
	files := []map[string]any{
		{"path": "a.png", "base64": photo},
		{"path": "b.png", "base64": other},
		{"path": "copies/a copy.png", "base64": photo},
		{"path": "huge.png", "base64": string(same)},
		{"path": "notes.txt", "base64": base64.StdEncoding.EncodeToString([]byte("not an image"))},
		{"path": "empty.jpg", "base64": ""},
		{"path": "locked.jpg", "base64": photo, "broken": true},
		{"path": "copies/third.png", "base64": photo},
	}
	type summary struct {
		Path, State, Reason string
		DuplicateOf         int
	}
	assert.Equal(t, []summary{
		{"a.png", "waiting", "", 0},
		{"b.png", "waiting", "", 0},
		{"copies/a copy.png", "waiting", "", 1},
		{"huge.png", "skipped", "refused", 0},
		{"notes.txt", "skipped", "refused", 0},
		{"empty.jpg", "skipped", "empty", 0},
		{"locked.jpg", "skipped", "unreadable", 0},
		{"copies/third.png", "waiting", "", 1},
	}, ask[[]summary](b, "intake", files))

	counts := ask[[]int](b, "stop")
	assert.Less(t, counts[1], 1001)
	assert.Equal(t, counts[0], counts[1], "nothing comes in after stop")

	data := bytes.Repeat([]byte("ecor"), 1000)
	sum := sha256.Sum256(data)
	assert.Equal(t, hex.EncodeToString(sum[:]), ask[string](b, "digest", base64.StdEncoding.EncodeToString(data)))
}

// stored is an item as the hooks tell of it.
type stored struct {
	ID                              int
	Path, State, Decision, Category string
	Tags                            []string
	Corrected, Reason               string
	Attached                        bool
	Values, DuplicateOf             int
}

// TestReviewSession reloads the page again and again.
func TestReviewSession(t *testing.T) {
	b := newBench(t)
	open := func() []stored { t.Helper(); return ask[[]stored](b, "open") }
	reopen := func() []stored { t.Helper(); b.visit(); return open() }
	require.Empty(t, open())
	b.act("add", 450)
	b.act("answerAll")
	b.act("flush")
	b.act("mark", []int{1, 2, 3}, "keep")
	b.act("decided")

	items := reopen()
	require.Len(t, items, 450)
	for i, item := range items {
		assert.Equal(t, i+1, item.ID)
		assert.Equal(t, "done", item.State)
		assert.Equal(t, 3, item.Values, "the embedding")
		assert.False(t, item.Attached)
	}
	assert.Equal(t, "keep", items[2].Decision)
	assert.Equal(t, []string{"seen"}, items[2].Tags)
	assert.Equal(t, "zebra", items[2].Corrected)
	assert.Equal(t, "none", items[3].Decision)
	assert.Equal(t, ask[string](b, "expected", 7), ask[string](b, "answerOf", 7))

	// The same files again find their items.
	b.act("add", 450)
	items = ask[[]stored](b, "summary")
	require.Len(t, items, 450)
	assert.True(t, items[449].Attached)

	// A decision that is on disk outlives a reload at once, even where nothing
	// else of its photo was written.
	b.act("add", 452)
	b.act("mark", []int{452, 10}, "reject")
	b.act("decided")
	items = reopen()
	require.GreaterOrEqual(t, len(items), 451)
	assert.Equal(t, "reject", items[9].Decision)
	last := items[len(items)-1]
	assert.Equal(t, "album/photo 451.jpg reject waiting", last.Path+" "+last.Decision+" "+last.State)

	// What is removed is gone.
	b.act("remove", []int{1, 452})
	b.act("flush")
	items = reopen()
	assert.Equal(t, 2, items[0].ID)
	assert.NotEqual(t, 452, items[len(items)-1].ID)

	// Image bytes are kept only where the user asks for them.
	b.act("add", 3) // 1 is new again
	b.act("keepImages", true)
	items = reopen()
	require.True(t, items[0].Attached)
	assert.Equal(t, "content 1", ask[string](b, "textOf", 2))
	assert.False(t, items[100].Attached)
	b.act("keepImages", false)
	items = reopen()
	assert.False(t, items[0].Attached)

	// Other labels or weights.
	const pack = `{"format": "ecor-labels-1", "name": %q, "categories": {"a": [%q]}}`
	embedded := func() (n int) {
		for _, item := range ask[[]stored](b, "summary") {
			if item.Values > 0 {
				n++
			}
		}
		return n
	}
	require.Equal(t, 449, embedded())
	b.act("useLabels", fmt.Sprintf(pack, "one", "x"))
	assert.Equal(t, 449, ask[int](b, "toScore"))
	b.act("answerAll")
	all := embedded()
	assert.Zero(t, ask[int](b, "toScore"))
	b.act("useLabels", fmt.Sprintf(pack, "other name", "x"))
	assert.Zero(t, ask[int](b, "toScore"), "answers do not depend on the pack's name")
	b.act("useLabels", fmt.Sprintf(pack, "one", "y"))
	assert.Equal(t, all, ask[int](b, "toScore"))
	assert.Zero(t, ask[int](b, "useModel", "aa", "mine.safetensors"))
	b.act("flush")
	items = reopen()
	assert.Equal(t, all, ask[int](b, "toScore"), "still out of date")
	assert.Empty(t, ask[string](b, "awaitedModel", "aa"))
	assert.Equal(t, "mine.safetensors", ask[string](b, "awaitedModel", "bb"), "nothing is dropped before that is known")
	assert.Equal(t, all, embedded())
	assert.Zero(t, ask[int](b, "useModel", "aa", "mine.safetensors"))
	assert.Equal(t, all, ask[int](b, "useModel", "bb"))
	assert.Zero(t, embedded(), "those of other weights mean nothing")
	assert.Empty(t, ask[string](b, "awaitedModel", "cc"), "these were shipped")

	// All is deleted, and counted.
	b.do(`caches.open("ecor / test").then((c) => c.put("/x", new Response("12345")))`)
	b.do(`caches.open("ecor /other/ test").then((c) => c.put("/x", new Response("12345")))`)
	b.do(`localStorage.setItem("ecor-theme", "dark"); localStorage.setItem("theirs", "1")`)
	b.act("close")
	deleted := map[string][2]int{}
	for _, d := range ask[struct {
		Deleted []struct {
			What, Name   string
			Count, Bytes int
		}
	}](b, "wipe").Deleted {
		deleted[strings.TrimSpace(d.What+" "+d.Name)] = [2]int{d.Count, d.Bytes}
	}
	assert.Equal(t, len(items), deleted["photos"][0])
	assert.Equal(t, 3, deleted["decisions"][0], "those about 2, 3 and 10")
	assert.Greater(t, deleted["photos"][1], len(items)*50)
	assert.Equal(t, 1, deleted["settings"][0])
	assert.Equal(t, [2]int{1, 5}, deleted["cache ecor / test"])
	assert.Equal(t, [2]int{1, 14}, deleted["storage ecor-theme"])
	assert.Empty(t, eval[[]any](b.page, `indexedDB.databases()`))
	assert.Equal(t, []string{"ecor /other/ test"}, eval[[]string](b.page, `caches.keys()`), "another site's")
	assert.Equal(t, "1", eval[string](b.page, `localStorage.getItem("theirs")`))
	assert.Empty(t, reopen())
}

// TestReviewWithoutStorage: the review goes on in memory, and says why.
func TestReviewWithoutStorage(t *testing.T) {
	b := newBench(t)
	works := func(problem ...string) {
		t.Helper()
		b.act("add", 5)
		b.act("answerAll")
		b.act("mark", []int{1}, "keep")
		b.act("flush")
		b.act("decided")
		assert.Equal(t, problem, ask[[]string](b, "problems"))
		assert.Equal(t, "keep", ask[[]stored](b, "summary")[0].Decision)
	}

	b.do(`Object.defineProperty(globalThis, "indexedDB", { value: undefined }); null`)
	assert.Empty(t, ask[[]stored](b, "open"))
	works("unavailable")

	// Another tab of this session.
	b.visit()
	b.do(`new Promise((locked) => void navigator.locks.request("ecor /", () => { locked(); return new Promise(() => {}); }))`)
	assert.Empty(t, ask[[]stored](b, "open"))
	works("in use")

	// A newer version of the page has written the database.
	b.visit()
	b.do(`new Promise((ok) => { indexedDB.open("ecor /", 99).onsuccess = (e) => { e.target.result.close(); ok(); }; })`)
	assert.Empty(t, ask[[]stored](b, "open"))
	works("newer")
	b.do(`new Promise((ok) => { indexedDB.deleteDatabase("ecor /").onsuccess = () => ok(); })`)

	// Another tab has an older version of the page and does not let go.
	b.visit()
	b.do(`new Promise((ok) => { indexedDB.open("ecor /", 1).onsuccess = (e) => { globalThis.held = e.target.result; ok(); }; })`)
	blocked := ask[struct {
		Works    bool
		Problems []string
	}](b, "upgrade")
	assert.False(t, blocked.Works)
	assert.Equal(t, []string{"blocked"}, blocked.Problems)
	b.visit()
	b.do(`new Promise((ok) => { indexedDB.deleteDatabase("ecor /").onsuccess = () => ok(); })`)

	// Another tab deletes everything.
	b.visit()
	require.Empty(t, ask[[]stored](b, "open"))
	b.do(`new Promise((ok, no) => { const r = indexedDB.deleteDatabase("ecor /"); r.onsuccess = () => ok(); r.onerror = no; })`)
	works("closed")

	// What cannot be read is not written over.
	b.visit()
	require.Empty(t, ask[[]stored](b, "open"))
	b.act("add", 1)
	b.act("mark", []int{1}, "reject")
	b.act("flush")
	b.visit()
	b.do(`globalThis.getAll = IDBObjectStore.prototype.getAll; IDBObjectStore.prototype.getAll = () => { throw new Error("broken"); }; null`)
	require.Empty(t, ask[[]stored](b, "open"))
	b.do(`IDBObjectStore.prototype.getAll = getAll; null`)
	works("failed")
	b.visit()
	kept := ask[[]stored](b, "open")
	require.Len(t, kept, 1)
	assert.Equal(t, "reject", kept[0].Decision)

	// No space for images: decisions still fit.
	b.visit()
	require.Len(t, ask[[]stored](b, "open"), 1)
	b.do(`{
		const { put } = IDBObjectStore.prototype;
		IDBObjectStore.prototype.put = function (value, ...key) {
			if (value instanceof Blob) throw new DOMException("no space", "QuotaExceededError");
			return put.call(this, value, ...key);
		};
	}`)
	b.act("add", 5)
	b.act("keepImages", true)
	works("images")
	assert.False(t, eval[bool](b.page, `hooks.info().keepImages`), "the box is not ticked any more")
	b.visit()
	kept = ask[[]stored](b, "open")
	require.Len(t, kept, 5)
	assert.Equal(t, "keep", kept[0].Decision)
	assert.Equal(t, 3, kept[4].Values, "answers are kept")
}

// TestImagesGiveWay: where images that are kept leave no space for answers, the
// images go; where there is still none, decisions are kept.
func TestImagesGiveWay(t *testing.T) {
	b := newBench(t)
	require.Empty(t, ask[[]stored](b, "open"))
	b.act("add", 3)
	b.act("keepImages", true)
	b.act("flush")
	b.do(`{
		const { put, clear } = IDBObjectStore.prototype;
		let full = true;
		IDBObjectStore.prototype.put = function (value, ...key) {
			if (full && this.name === "items") throw new DOMException("no space", "QuotaExceededError");
			return put.call(this, value, ...key);
		};
		IDBObjectStore.prototype.clear = function () {
			full = this.name !== "images" && full;
			return clear.call(this);
		};
		globalThis.fill = () => (full = true);
	}`)
	b.act("answerAll")
	b.act("flush")
	assert.Equal(t, []string{"images"}, ask[[]string](b, "problems"))
	b.do(`fill()`)
	b.act("useLabels", `{"format": "ecor-labels-1", "categories": {"a": ["x"]}}`)
	b.act("answerAll")
	b.act("mark", []int{2}, "flag")
	b.act("flush")
	assert.Equal(t, []string{"images", "quota"}, ask[[]string](b, "problems"))
	b.visit()
	kept := ask[[]stored](b, "open")
	require.Len(t, kept, 3)
	assert.Equal(t, "done", kept[0].State, "the answers that fitted")
	assert.False(t, kept[0].Attached, "no image is kept")
	assert.Equal(t, "flag", kept[1].Decision)
}

// TestBrowserIsAskedToKeep: once there is a decision, the browser is asked not to throw it away.
func TestBrowserIsAskedToKeep(t *testing.T) {
	b := newBench(t)
	require.Empty(t, ask[[]stored](b, "open"))
	b.do(`globalThis.asked = 0; navigator.storage.persist = async () => (asked++, true); null`)
	b.act("add", 3)
	b.act("flush")
	assert.Zero(t, eval[int](b.page, `asked`))
	b.act("mark", []int{1, 2}, "keep")
	b.act("mark", []int{3}, "keep")
	assert.Equal(t, 1, eval[int](b.page, `asked`))
}

// TestReadableAgain: files that could not be read when they were found take
// their places when they come again.
func TestReadableAgain(t *testing.T) {
	b := newBench(t)
	got := ask[struct {
		Before, After []stored
		Sizes         []int
	}](b, "readableAgain")
	state := func(list []stored) (lines []string) {
		for _, s := range list {
			lines = append(lines, strings.TrimSpace(s.Path+" "+s.State+" "+s.Reason))
		}
		return lines
	}
	assert.Equal(t, []string{"a/gone.jpg skipped unreadable", "a/locked.jpg skipped unreadable", "a/fine.png waiting"}, state(got.Before))
	assert.Equal(t, []string{"a/gone.jpg waiting", "a/locked.jpg waiting", "a/fine.png waiting"}, state(got.After))
	assert.Equal(t, got.Sizes[2], got.Sizes[0])
}

// TestHostileHeaders: a header ends after a bounded number of parts, however
// large the file is.
func TestHostileHeaders(t *testing.T) {
	b := newBench(t)
	got := ask[struct {
		Said  map[string]string
		Reads int
	}](b, "hostileHeaders")
	assert.Equal(t, map[string]string{
		"fill bytes": "The JPEG file has no readable header.",
		"segments":   "The JPEG file has no readable header.",
		"chunks":     "PNG 300 200, turned perhaps",
		"boxes":      "The AVIF file has no readable header.",
	}, got.Said)
	assert.Less(t, got.Reads, 1100)
}

// TestTagsAreChecked: a tag that would break an exported table is refused, and so is one that is too long.
func TestTagsAreChecked(t *testing.T) {
	b := newBench(t)
	assert.Equal(t, []string{
		"",
		"The tag “a|b” contains “|”, which separates tags in exported tables.",
		"The tag “" + strings.Repeat("x", 30) + "…” has 61 characters; the limit is 60.",
		"The tag is empty.",
		"p.jpg would have 31 tags; the limit is 30.",
		"Holiday,trip",
	}, ask[[]string](b, "tags"))
}
