package test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFirefox visits the page with Firefox.
func TestFirefox(t *testing.T) {
	proxy := newRecorder()
	t.Cleanup(proxy.server.Close)
	r := newFirefox(t, proxy)
	s := tinySite(t)
	bitsAndPixels(r, s)
	proxy.take()
	visit(r, s)
	own := strings.TrimPrefix(s.URL, "http://") + " "
	for _, request := range proxy.take() {
		assert.True(t, strings.HasPrefix(request, own) || ofBrowser(request), request)
	}
}

// TestWebKit visits the page with WebKitGTK, which has the engine of Safari.
func TestWebKit(t *testing.T) {
	r := newWebKit(t)
	s := tinySite(t)
	bitsAndPixels(r, s)
	visit(r, s)
}

// bitsAndPixels holds another browser to wazero's answers and to Go's decoders.
func bitsAndPixels(r *remote, s *site) {
	r.navigate(s.URL + "/style.css") // a document of the site without the page's scripts
	hook(r)
	sameBits(r, s, s.assets.Module)
	if relaxed := call[bool](r, "relaxedIsExact"); relaxed {
		sameBits(r, s, s.assets.Relaxed)
	} else {
		r.t.Log("this browser gets the strict module")
	}
	samePixels(r)
}

// exportAll takes a review of four photos, one of them kept, away as CSV and as a ZIP.
func exportAll(r *remote) {
	arrived := func(name string) []byte {
		r.t.Helper()
		var content []byte
		require.True(r.t, comesTrue(func() bool {
			content, _ = os.ReadFile(filepath.Join(r.downloads, name))
			return len(content) > 0
		}), "no download of "+name)
		return content
	}
	r.do(`document.querySelector("#export-open").click()`)
	r.do(`document.querySelector("#export-csv").click()`)
	rows, err := csv.NewReader(bytes.NewReader(arrived("review.csv"))).ReadAll()
	require.NoError(r.t, err)
	require.Len(r.t, rows, 5, "a header and a line a photo")
	assert.Contains(r.t, rows[1], "keep")
	r.do(`document.querySelector("#export-zip").click()`)
	content := arrived("photos.zip")
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(r.t, err)
	require.Len(r.t, archive.File, 4)
	for _, entry := range archive.File {
		file, err := entry.Open()
		require.NoError(r.t, err)
		_, err = io.Copy(io.Discard, file) // checks the CRC-32
		assert.NoError(r.t, err, entry.Name)
		file.Close()
	}
}

// visit is a first visit, a decision, and a second visit without a server.
func visit(r *remote, s *site) {
	ready := func() {
		r.t.Helper()
		r.waitFor(`document.body?.dataset.model === "ready"`)
		r.waitFor(`document.querySelector("#traffic dd").textContent.includes("Ready offline")`)
	}
	r.navigate(s.URL)
	ready()
	photos := threePhotos(r.t)
	r.choose(photos...)
	tiles := r.texts(".tile")
	require.Len(r.t, tiles, 3)
	for _, text := range tiles {
		assert.Contains(r.t, text, "because there is")
	}
	r.sendKeys("#grid", "k")
	r.waitFor(`document.querySelector(".tile").dataset.decision === "keep"`)
	r.waitFor(`document.querySelector("#queue").hidden`)
	r.save("visit")
	decided := r.texts(".tile")
	r.do(writeNow)
	r.waitFor(kept(3))

	s.Server.CloseClientConnections()
	s.Server.Close()
	r.navigate("about:blank")
	r.navigate(s.URL)
	ready()
	r.waitFor(`document.querySelectorAll(".tile").length === 3`)
	assert.Equal(r.t, decided, r.texts(".tile"), "answers and decisions are kept")
	r.choose(append(photos, writePhoto(r.t, r.t.TempDir(), "new.png", "forest", 300, 200))...)
	r.waitFor(`document.querySelectorAll(".tile").length === 4`)
	assert.Contains(r.t, r.texts(".tile")[3], "because there is", "a new photo")
	r.save("offline")
	if r.downloads != "" {
		exportAll(r)
	}
	counts := r.texts("#traffic dd")
	require.Len(r.t, counts, 5)
	assert.Equal(r.t, "0", counts[1], "requests to the network")
	assert.NotEqual(r.t, "0", counts[3], "requests answered from this device")
	assert.Equal(r.t, "0", counts[4], "attempts that the browser blocked")
}
