package test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/host/labelpack"
	"github.com/ecor-clip/ecor/wasm/wire"
	"github.com/ecor-clip/ecor/www/site/static"
)

// hook makes the tests' hooks available in the page.
func hook(w window) {
	w.testing().Helper()
	script, err := static.Bundle("hooks.ts", nil)
	require.NoError(w.testing(), err)
	w.do(string(script))
}

// call calls one of the hooks.
func call[T any](w window, name string, args ...any) (value T) {
	w.testing().Helper()
	list, err := json.Marshal(append([]any{}, args...))
	require.NoError(w.testing(), err)
	w.evaluate(fmt.Sprintf("hooks.%s(...%s)", name, list), &value)
	return value
}

// refused calls a hook that must throw.
func refused(p *page, name string, args ...any) {
	p.t.Helper()
	list, err := json.Marshal(args)
	require.NoError(p.t, err)
	_, err = chromedp.Run(p.ctx, chromedp.Evaluate[any](fmt.Sprintf("hooks.%s(...%s)", name, list)))
	assert.Error(p.t, err, "%s %s", name, list)
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into))
}

func TestCodec(t *testing.T) {
	p := newPage(t)
	hook(p)
	vectors := filepath.Join(root, "wasm", "wire", "testdata")

	var good []struct {
		Message, Hex string
		JSON         json.RawMessage
	}
	readJSON(t, filepath.Join(vectors, "vectors.json"), &good)
	require.NotEmpty(t, good)
	for _, v := range good {
		assert.Equal(t, v.Hex, call[string](p, "encode", v.Message, string(v.JSON)), "encode %s %s", v.Message, v.JSON)
		assert.JSONEq(t, string(v.JSON), call[string](p, "decode", v.Message, v.Hex), "decode %s", v.Message)
	}

	var bad []struct{ Message, Hex, Why string }
	readJSON(t, filepath.Join(vectors, "refused.json"), &bad)
	require.NotEmpty(t, bad)
	for _, v := range bad {
		refused(p, "decode", v.Message, v.Hex)
	}
}

// TestLabelPacks holds the page's reader to the verdicts of the host's.
func TestLabelPacks(t *testing.T) {
	p := newPage(t)
	hook(p)
	everyday, err := os.ReadFile(filepath.Join(root, "weights", "labels", "everyday.json"))
	require.NoError(t, err)
	with := func(categories string) string {
		return `{"format": "ecor-labels-1", "categories": ` + categories + `}`
	}
	for name, text := range map[string]string{
		"everyday":              string(everyday),
		"small":                 smallPack,
		"numbers as names":      with(`{"2": ["b"], "1": ["a"]}`),
		"one rationale":         with(`{"a": "b"}`),
		"white space":           with(`{" a ": [" b "]}`),
		"templates":             `{"format": "ecor-labels-1", "templates": {"category": "{c}", "conditional": ["{c} {r}"]}, "categories": {"a": ["b"]}}`,
		"not JSON":              "zebra",
		"a list":                "[]",
		"no format":             `{"categories": {"a": ["b"]}}`,
		"other format":          `{"format": "ecor-labels-2", "categories": {"a": ["b"]}}`,
		"unknown key":           `{"format": "ecor-labels-1", "labels": 1, "categories": {"a": ["b"]}}`,
		"key twice":             `{"format": "ecor-labels-1", "name": "a", "name": "b", "categories": {"a": ["b"]}}`,
		"name of wrong kind":    `{"format": "ecor-labels-1", "name": 7, "categories": {"a": ["b"]}}`,
		"no categories":         with(`{}`),
		"categories a list":     with(`["a"]`),
		"category twice":        with(`{"a": ["b"], "a": ["c"]}`),
		"category in caps":      with(`{"polar bear": ["b"], "Polar  Bear": ["c"]}`),
		"category empty":        with(`{" ": ["b"]}`),
		"category too long":     with(`{"` + fmt.Sprintf("%0401d", 7) + `": ["b"]}`),
		"category of 400 bytes": with(`{"` + fmt.Sprintf("%0400d", 7) + `": ["b"]}`),
		"line break":            with(`{"a\nb": ["c"]}`),
		"lone surrogate":        with(`{"a\ud800": ["b"]}`),
		"no rationales":         with(`{"a": []}`),
		"rationale a number":    with(`{"a": [7]}`),
		"rationale twice":       with(`{"a": ["b", "B "]}`),
		"rationale empty":       with(`{"a": ["b", ""]}`),
		"65 rationales":         with(`{"a": ` + numbered(65) + `}`),
		"64 rationales":         with(`{"a": ` + numbered(64) + `}`),
		"template without slot": `{"format": "ecor-labels-1", "templates": {"category": "a photo"}, "categories": {"a": ["b"]}}`,
		"template, wrong slot":  `{"format": "ecor-labels-1", "templates": {"rationale": "{r} {c}"}, "categories": {"a": ["b"]}}`,
		"template, slot twice":  `{"format": "ecor-labels-1", "templates": {"category": "{c} {c}"}, "categories": {"a": ["b"]}}`,
		"template, empty list":  `{"format": "ecor-labels-1", "templates": {"category": []}, "categories": {"a": ["b"]}}`,
		"template, unknown":     `{"format": "ecor-labels-1", "templates": {"class": "{c}"}, "categories": {"a": ["b"]}}`,
	} {
		_, err := labelpack.Parse([]byte(text))
		verdict := call[string](p, "labels", text)
		assert.Equal(t, err == nil, verdict == "", "%s: host says %v, page says %q", name, err, verdict)
	}
}

// numbered returns a JSON list of n different strings.
func numbered(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("r", i)
	}
	text, _ := json.Marshal(list)
	return string(text)
}

// TestHeaders reads the sizes of real files and of made-up headers.
func TestHeaders(t *testing.T) {
	p := newPage(t)
	hook(p)
	dir := t.TempDir()
	read := func(name string) []byte {
		b, err := os.ReadFile(writePhoto(t, dir, name, "sunset", 40, 30))
		require.NoError(t, err)
		return b
	}
	webp := func(chunk string, fields ...byte) []byte {
		return append([]byte("RIFF\x00\x00\x00\x00WEBP"+chunk+"\x00\x00\x00\x00"), append(fields, make([]byte, 20)...)...)
	}
	jpg := read("a.jpg")
	app := append([]byte{0xff, 0xe1, 0xff, 0xff}, make([]byte, 0xffff-2)...)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"png":                  {read("a.png"), "PNG 40 30"},
		"jpeg":                 {jpg, "JPEG 40 30"},
		"jpeg, long metadata":  {slices.Concat(jpg[:2], app, app, app, jpg[2:]), "JPEG 40 30"},
		"gif":                  {append([]byte("GIF89a\x28\x00\x1e\x00"), make([]byte, 60)...), "GIF 40 30"},
		"webp, extended":       {webp("VP8X", 0, 0, 0, 0, 39, 0, 0, 29, 0, 0), "WebP 40 30"},
		"webp, lossy":          {webp("VP8 ", 0, 0, 0, 0x9d, 0x01, 0x2a, 40, 0, 30, 0), "WebP 40 30"},
		"webp, lossless":       {webp("VP8L", 0x2f, 39, 0x40, 7, 0), "WebP 40 30"},
		"avif":                 {heif("avif", 40, 30, 20, 15), "AVIF 40 30"},
		"avif, small first":    {heif("avif", 20, 15, 40, 30), "AVIF 40 30"},
		"heic":                 {heif("heic", 40, 30), "HEIC 40 30"},
		"avif, huge":           {heif("avif", 20000, 20000), "The image is 20000 × 20000 pixels, 400 million; the limit is 128 million."},
		"avif, no size":        {heif("avif"), "The AVIF file has no readable header."},
		"avif, cut":            {heif("avif", 40, 30)[:60], "The AVIF file has no readable header."},
		"other container":      {heif("isom", 40, 30), "This is not a JPEG, PNG, GIF, WebP or AVIF image."},
		"empty":                {nil, "The file is empty (0 bytes)."},
		"text":                 {[]byte("this is not an image at all, only some text"), "This is not a JPEG, PNG, GIF, WebP or AVIF image."},
		"jpeg, cut":            {jpg[:20], "The JPEG file has no readable header."},
		"jpeg, nothing inside": {[]byte{0xff, 0xd8, 0xff, 0xd9}, "The JPEG file has no readable header."},
		"png, huge":            {pngHeader(30000, 30000), "The image is 30000 × 30000 pixels, 900 million; the limit is 128 million."},
		"png, long":            {pngHeader(40000, 10), "The image is 40000 × 10 pixels; a side may have 32768 at most."},
		"png, no width":        {pngHeader(0, 10), "The PNG header says 0 × 10 pixels."},
	} {
		assert.Equal(t, c.want, call[string](p, "header", base64.StdEncoding.EncodeToString(c.file)), name)
	}
}

// TestSHA256 hashes data of many lengths, in pieces, as Go does.
func TestSHA256(t *testing.T) {
	p := newPage(t)
	hook(p)
	random := rand.NewChaCha8([32]byte{7})
	for _, n := range []int{0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 300_000} {
		data := make([]byte, n)
		random.Read(data)
		want := sha256.Sum256(data)
		for _, piece := range []int{1, 63, 64, 65, 1 << 20} {
			if n > 1000 && piece == 1 {
				continue
			}
			assert.Equal(t, hex.EncodeToString(want[:]), call[string](p, "sha256", base64.StdEncoding.EncodeToString(data), piece), "%d bytes in pieces of %d", n, piece)
		}
	}
}

// heif is the beginning of a file of a brand with images of the given widths and heights.
func heif(brand string, sizes ...uint32) []byte {
	box := func(name string, content ...[]byte) []byte {
		body := slices.Concat(content...)
		return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), []byte(name), body)
	}
	full := make([]byte, 4) // version and flags
	var extents [][]byte
	for i := 0; i < len(sizes); i += 2 {
		size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, sizes[i]), sizes[i+1])
		extents = append(extents, box("pixi", make([]byte, 8)), box("ispe", full, size))
	}
	return slices.Concat(
		box("ftyp", []byte(brand), full, []byte("miaf")),
		box("free", make([]byte, 10)),
		box("meta", full, box("hdlr", make([]byte, 25)), box("iprp", box("ipco", extents...), box("ipma", full))),
		box("mdat", make([]byte, 100)),
	)
}

// pngHeader is a PNG file that ends after its header.
func pngHeader(width, height uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	for _, v := range []uint32{width, height} {
		b = append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	return append(b, 8, 2, 0, 0, 0, 0, 0, 0, 0)
}

// TestPixels decodes files in the browser and here.
func TestPixels(t *testing.T) {
	p := newPage(t)
	p.open(tinySite(t).URL)
	hook(p)
	require.True(t, call[bool](p, "framesKeepPixels"))
	samePixels(p)
}

// samePixels holds the decoders of a browser to Go's.
func samePixels(w window) {
	t := w.testing()
	decode := func(file []byte) *image.NRGBA {
		type photo struct {
			Width, Height int
			RGBA          []byte
		}
		got := call[photo](w, "pixels", base64.StdEncoding.EncodeToString(file))
		require.Len(t, got.RGBA, 4*got.Width*got.Height)
		return &image.NRGBA{Pix: got.RGBA, Stride: 4 * got.Width, Rect: image.Rect(0, 0, got.Width, got.Height)}
	}
	encode := func(m image.Image) []byte {
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, m))
		return b.Bytes()
	}

	opaque := drawScene("sunset", 300, 220)
	assert.Zero(t, difference(opaque, decode(encode(opaque))), "a PNG file has one meaning")
	tall := drawScene("forest", 9, 3000)
	assert.Zero(t, difference(tall, decode(encode(tall))), "in several bands")
	veiled := drawScene("sunset", 300, 220)
	for i := 3; i < len(veiled.Pix); i += 4 {
		veiled.Pix[i] = byte(i / 4) // from clear to opaque
	}
	kept := difference(veiled, decode(encode(veiled)))
	if call[bool](w, "framesKeepPixels") {
		assert.Zero(t, kept, "colours of transparent pixels are kept")
	} else {
		assert.Less(t, kept, 4.0, "colours of transparent pixels are rounded")
	}

	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, opaque, nil))
	here, err := jpeg.Decode(&b)
	require.NoError(t, err)
	require.NoError(t, jpeg.Encode(&b, opaque, nil))
	upright := decode(b.Bytes())
	assert.Less(t, difference(here, upright), 4.0, "JPEG decoders differ a little")

	// Orientation 6: the camera was held on its side; shown turned to the right.
	exif := []byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	turned := decode(slices.Concat(b.Bytes()[:2], exif, b.Bytes()[2:]))
	require.Equal(t, image.Pt(220, 300), turned.Rect.Max)
	assert.Equal(t, upright.NRGBAAt(0, 219), turned.NRGBAAt(0, 0))
	assert.Equal(t, upright.NRGBAAt(0, 0), turned.NRGBAAt(219, 0))
}

// difference is the mean absolute difference of red, green and blue, 0..255.
func difference(a image.Image, b *image.NRGBA) float64 {
	if a.Bounds().Size() != b.Rect.Size() {
		return 255
	}
	sum := 0.0
	for y := range b.Rect.Max.Y {
		for x := range b.Rect.Max.X {
			v := color.NRGBAModel.Convert(a.At(x, y)).(color.NRGBA)
			w := b.NRGBAAt(x, y)
			for _, d := range []int{int(v.R) - int(w.R), int(v.G) - int(w.G), int(v.B) - int(w.B)} {
				sum += math.Abs(float64(d))
			}
		}
	}
	return sum / float64(3*b.Rect.Dx()*b.Rect.Dy())
}

// TestRequestsWithoutWorkerStart: Firefox and Safari do not say which requests the
// service worker answered. The entries are what browsers gave on 2026-11-28.
func TestRequestsWithoutWorkerStart(t *testing.T) {
	p := newPage(t)
	p.run(chromedp.Navigate(tinySite(t).URL))
	hook(p)
	for name, c := range map[string]struct {
		path, want string
		entry      map[string]float64
	}{
		"Firefox, network":         {"page.js", "network", map[string]float64{"workerStart": 0, "transferSize": 63236, "decodedBodySize": 186070, "responseStatus": 200}},
		"Firefox, cache":           {"page.js", "device", map[string]float64{"workerStart": 0, "transferSize": 0, "decodedBodySize": 456, "responseStatus": 200}},
		"Firefox, service worker":  {"page.js", "device", map[string]float64{"workerStart": 0, "transferSize": 0, "decodedBodySize": 0, "responseStatus": 200}},
		"Firefox, no server":       {"page.js", "network, no answer", map[string]float64{"workerStart": 0, "transferSize": 0, "decodedBodySize": 0, "responseStatus": 0}},
		"Safari, network":          {"page.js", "network", map[string]float64{"workerStart": 0, "transferSize": 63264, "decodedBodySize": 186070}},
		"Safari, service worker":   {"page.js", "device", map[string]float64{"workerStart": 0, "transferSize": 0, "decodedBodySize": 0}},
		"Safari, page":             {"", "device", map[string]float64{"workerStart": -198.04, "transferSize": 0, "decodedBodySize": 0}},
		"Chromium, service worker": {"page.js", "device", map[string]float64{"workerStart": 12.5, "transferSize": 0, "decodedBodySize": 186070, "responseStatus": 200}},
		"another site":             {"https://example.com/", "network", map[string]float64{"workerStart": 0, "transferSize": 0, "decodedBodySize": 456, "responseStatus": 200}},
		"another site, stopped":    {"https://example.com/", "network, no answer", map[string]float64{"workerStart": 0, "transferSize": 0, "decodedBodySize": 0}},
	} {
		assert.Equal(t, c.want, call[string](p, "seen", c.path, c.entry), name)
	}
}

// TestRelaxedIsExact: this Chromium gets the relaxed module, and one that computes
// wrongly does not.
func TestRelaxedIsExact(t *testing.T) {
	p := newPage(t)
	p.run(chromedp.Navigate(tinySite(t).URL))
	hook(p)
	assert.True(t, call[bool](p, "relaxedIsExact"))
	for _, fault := range []string{"none", "swapped", "saturated", "lane", "sum"} {
		assert.False(t, call[bool](p, "relaxedIsExactWith", fault), fault)
	}
}

// TestOneModule: a visit asks for the module that this browser uses and not for
// the other one, the service worker's installation included.
func TestOneModule(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.open(s.URL)
	p.do("navigator.serviceWorker.ready.then(() => {})")
	seen := strings.Join(chromium.proxy.take(), "\n") + "\n"
	assert.Contains(t, seen, "/ecor-relaxed.wasm\n")
	assert.NotContains(t, seen, "/ecor.wasm\n")
}

// TestSameBits holds Chromium to wazero: the same pixels, labels and weights
// give the same answer, byte for byte, in every method and from both modules.
func TestSameBits(t *testing.T) {
	for name, site := range map[string]func(*testing.T) *site{"tiny": tinySite, "real": realSite} {
		t.Run(name, func(t *testing.T) {
			s := site(t)
			for module, path := range map[string]string{"strict": s.assets.Module, "relaxed": s.assets.Relaxed} {
				t.Run(module, func(t *testing.T) {
					p := newPage(t)
					p.run(chromedp.Navigate(s.URL))
					hook(p)
					sameBits(p, s, path)
				})
			}
		})
	}
}

// sameBits compares the given module in a browser with the strict one in wazero.
func sameBits(w window, s *site, module string) {
	t := w.testing()
	pack, err := labelpack.Parse([]byte(smallPack))
	require.NoError(t, err)
	labels := pack.LabelSet()
	set := fmt.Sprintf(`{"templates": {"category": [], "rationale": [], "conditional": []}, "cacheBytes": 0, "checked": false, "categories": %s}`, categoriesJSON(t, labels.Categories))
	info, err := os.Stat(s.file(s.assets.Weights))
	require.NoError(t, err)
	call[string](w, "start", module, s.assets.Weights, info.Size(), set)

	ctx := context.Background()
	h, err := host.Open(ctx, host.Config{Module: host.File(s.file(s.assets.Module)), Weights: host.File(s.file(s.assets.Weights))})
	require.NoError(t, err)
	defer h.Close(ctx)
	hostLabels := host.NewLabels(labels)

	images := append(generated(), photographs(t)...)
	require.GreaterOrEqual(t, len(images), 20)
	for i, m := range images {
		size := m.Bounds().Size()
		call[any](w, "image", size.X, size.Y, base64.StdEncoding.EncodeToString(m.Pix))
		for _, method := range wire.Methods() {
			want, err := h.Classify(ctx, m, hostLabels, wire.ClassifyOptions{Method: method})
			require.NoError(t, err)
			got, err := base64.StdEncoding.DecodeString(call[string](w, "classify", map[string]any{"method": method.String()}))
			require.NoError(t, err)
			if !bytes.Equal(want.Append(nil), got) {
				var a wire.Answer
				require.NoError(t, a.Decode(got))
				require.Equal(t, want, &a, "image %d (%v), %v", i, size, method)
				require.Equal(t, hex.EncodeToString(want.Append(nil)), hex.EncodeToString(got), "image %d (%v), %v", i, size, method)
			}
		}
	}
	t.Logf("%d images, %d methods", len(images), len(wire.Methods()))
}

func categoriesJSON(t *testing.T, categories []wire.Category) string {
	t.Helper()
	type category struct {
		Name       string   `json:"name"`
		Rationales []string `json:"rationales"`
	}
	list := make([]category, len(categories))
	for i, c := range categories {
		list[i] = category(c)
	}
	text, err := json.Marshal(list)
	require.NoError(t, err)
	return string(text)
}

// generated returns images of many shapes: scenes, noise and flat colours.
func generated() []*image.NRGBA {
	var out []*image.NRGBA
	for i, name := range slices.Sorted(maps.Keys(scenes)) {
		out = append(out, drawScene(name, 320, 200+i), drawScene(name, 61, 97), drawScene(name, 500, 40), drawScene(name, 1, 1+i))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []image.Point{{96, 96}, {224, 224}, {17, 300}, {300, 17}, {640, 480}} {
		m := image.NewNRGBA(image.Rectangle{Max: size})
		for i := range m.Pix {
			m.Pix[i] = byte(random.UintN(256)) | byte(255*boolByte(i%4 == 3))
		}
		out = append(out, m)
	}
	for _, c := range []color.NRGBA{{0, 0, 0, 255}, {255, 255, 255, 255}, {128, 64, 200, 255}} {
		m := image.NewNRGBA(image.Rect(0, 0, 100, 80))
		draw.Draw(m, m.Rect, image.NewUniform(c), image.Point{}, draw.Src)
		out = append(out, m)
	}
	return out
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// photographs returns a few photos of ECOR_DATA, decoded here so that both
// hosts see the same pixels; none where it is not set.
func photographs(t *testing.T) []*image.NRGBA {
	t.Helper()
	data := os.Getenv("ECOR_DATA")
	if data == "" {
		t.Log("ECOR_DATA is not set: generated images only")
		return nil
	}
	files, err := filepath.Glob(filepath.Join(data, "photos", "*.jp*g"))
	require.NoError(t, err)
	var out []*image.NRGBA
	for _, file := range files[:min(6, len(files))] {
		f, err := os.Open(file)
		require.NoError(t, err)
		m, _, err := image.Decode(f)
		f.Close()
		require.NoError(t, err, file)
		size := m.Bounds().Size()
		pixels := image.NewNRGBA(image.Rect(0, 0, min(size.X, 800), min(size.Y, 600)))
		draw.Draw(pixels, pixels.Rect, m, m.Bounds().Min, draw.Src)
		out = append(out, pixels)
	}
	return out
}
