package test

import (
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeWebP encodes a picture with the browser's encoder; with quality 1 nothing is lost.
func (p *page) writeWebP(file string, m *image.NRGBA, quality float64) {
	p.t.Helper()
	text := eval[string](p, fmt.Sprintf(`(async (pixels, width, height, quality) => {
		const canvas = Object.assign(document.createElement("canvas"), { width, height });
		canvas.getContext("2d").putImageData(new ImageData(Uint8ClampedArray.from(atob(pixels), (c) => c.charCodeAt(0)), width, height), 0, 0);
		return canvas.toDataURL("image/webp", quality);
	})(%q, %d, %d, %g)`, base64.StdEncoding.EncodeToString(m.Pix), m.Rect.Dx(), m.Rect.Dy(), quality))
	encoded, ok := strings.CutPrefix(text, "data:image/webp;base64,")
	require.True(p.t, ok, "the browser has a WebP encoder")
	content, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(file, content, 0o600))
}

// writeFile creates a file with what write puts into it.
func writeFile(t *testing.T, name string, write func(f *os.File) error) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, write(f))
}

// avifPhoto returns a photo as AVIF and PNG: test data of a module that this one needs.
func avifPhoto(t *testing.T) (avif, plain string) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/bep/imagemeta").Output()
	require.NoError(t, err)
	images := filepath.Join(strings.TrimSpace(string(dir)), "testdata", "images", "bep")
	return filepath.Join(images, "sunrise.avif"), filepath.Join(images, "sunrise.png")
}

// TestFormats brings in the same pictures as PNG and in every other format:
// where nothing is lost the answers are the same to the last digit, where
// something is they are close. Of what moves the first picture counts.
func TestFormats(t *testing.T) {
	p := newPage(t)
	p.view(1400, 900, "light")
	p.open(tinySite(t).URL)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	opaque := drawScene("forest", 300, 220)
	writeFile(t, file("forest.png"), func(f *os.File) error { return png.Encode(f, opaque) })
	p.writeWebP(file("exact.webp"), opaque, 1)
	p.writeWebP(file("lossy.webp"), opaque, .95)

	frame := func(scene string) *image.Paletted {
		m := image.NewPaletted(opaque.Rect, palette.Plan9)
		draw.Draw(m, m.Rect, drawScene(scene, 300, 220), image.Point{}, draw.Src)
		return m
	}
	sunset := frame("sunset")
	writeFile(t, file("sunset.png"), func(f *os.File) error { return png.Encode(f, sunset) })
	writeFile(t, file("still.gif"), func(f *os.File) error { return gif.Encode(f, sunset, nil) })
	writeFile(t, file("moving.gif"), func(f *os.File) error {
		return gif.EncodeAll(f, &gif.GIF{Image: []*image.Paletted{sunset, frame("zebra")}, Delay: []int{10, 10}})
	})
	avif, plain := avifPhoto(t)

	p.choose(file("forest.png"), file("exact.webp"), file("lossy.webp"), file("sunset.png"), file("still.gif"), file("moving.gif"), plain, avif)
	rows, err := csv.NewReader(strings.NewReader(p.exported("export-csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 9)
	at := func(row int, column string) string {
		i := slices.Index(rows[0], column)
		require.GreaterOrEqual(t, i, 0, rows[0])
		return rows[row][i]
	}
	for i, sameAs := range []int{1, 1, 1, 4, 4, 4, 7, 7} {
		row := i + 1
		name := at(row, "file")
		assert.Equal(t, "done", at(row, "state"), name)
		for _, column := range []string{"width", "height", "category"} {
			assert.Equal(t, at(sameAs, column), at(row, column), "%s: %s", name, column)
		}
		want, err := strconv.ParseFloat(at(sameAs, "probability"), 64)
		require.NoError(t, err)
		got, err := strconv.ParseFloat(at(row, "probability"), 64)
		require.NoError(t, err)
		if name == "lossy.webp" || name == "sunrise.avif" {
			assert.NotEqual(t, want, got, "%s: something was lost", name)
			assert.InDelta(t, want, got, .03, name)
		} else {
			assert.Equal(t, want, got, name)
		}
	}
	p.waitFor(`document.querySelectorAll(".tile img").length === 8`)
	assert.NotContains(t, eval[[]int](p, `Promise.all([...document.querySelectorAll(".tile img")].map((m) => m.decode().then(() => m.naturalWidth)))`), 0)
	p.save("tiles")

	// The photo in hand is shown as the browser shows it.
	p.click(`.tile[title="sunrise.avif"]`)
	p.waitFor(fmt.Sprintf(`document.querySelector(".detail figure img").naturalWidth === %s`, at(8, "width")))
	assert.Empty(t, p.complaints())
}
