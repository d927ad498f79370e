package photo

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fixtures returns the paths of the encoded photos that Pillow wrote.
func fixtures(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "photos", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

func expected(t *testing.T, name string) image.Image {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "expected", name+".png"))
	require.NoError(t, err)
	defer f.Close()
	m, err := png.Decode(f)
	require.NoError(t, err)
	return m
}

// meanDifference is over channels; it fails the test where sizes or alpha are wrong.
func meanDifference(t *testing.T, want image.Image, got *image.NRGBA) float64 {
	t.Helper()
	require.Equal(t, want.Bounds(), got.Rect)
	sum := 0
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			w := color.NRGBAModel.Convert(want.At(x, y)).(color.NRGBA)
			g := got.NRGBAAt(x, y)
			require.EqualValues(t, 255, g.A)
			for _, d := range []int{int(w.R) - int(g.R), int(w.G) - int(g.G), int(w.B) - int(g.B)} {
				sum += max(d, -d)
			}
		}
	}
	return float64(sum) / float64(3*got.Rect.Dx()*got.Rect.Dy())
}

func TestPixelsMatchPillow(t *testing.T) {
	for _, path := range fixtures(t) {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			got, err := DecodeFile(path)
			require.NoError(t, err)
			difference := meanDifference(t, expected(t, name), got)
			if strings.HasSuffix(name, ".jpg") || strings.Contains(name, "lossy") {
				t.Logf("mean difference of %.2f levels", difference)
				require.LessOrEqual(t, difference, 0.25)
			} else {
				require.Zero(t, difference)
			}
		})
	}
}

func TestContentDecidesNotTheName(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "photos", "lossless.webp"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "photo.jpg")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	got, err := DecodeFile(path)
	require.NoError(t, err)
	require.Zero(t, meanDifference(t, expected(t, "lossless.webp"), got))
}

func TestGIFFrameIsPlacedOnItsCanvas(t *testing.T) {
	red := color.RGBA{R: 200, A: 255}
	frame := image.NewPaletted(image.Rect(2, 1, 5, 3), color.Palette{red, color.RGBA{}})
	frame.SetColorIndex(3, 2, 1)
	var data bytes.Buffer
	require.NoError(t, gif.EncodeAll(&data, &gif.GIF{
		Image:  []*image.Paletted{frame},
		Delay:  []int{0},
		Config: image.Config{Width: 6, Height: 4, ColorModel: frame.Palette},
	}))
	got, err := Decode(&data)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 6, 4), got.Rect)
	for y := range 4 {
		for x := range 6 {
			want := color.NRGBA{A: 255}
			if (image.Point{X: x, Y: y}).In(frame.Rect) && (x != 3 || y != 2) {
				want.R = 200
			}
			require.Equal(t, want, got.NRGBAAt(x, y), "(%d, %d)", x, y)
		}
	}
}

func TestBadFilesGiveClearErrors(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		is   error
		says string
	}{
		"empty":       {nil, ErrEmpty, "empty file"},
		"text":        {[]byte("a list of groceries"), ErrFormat, "not a JPEG, PNG, WebP or GIF photo"},
		"one byte":    {[]byte{0xff}, ErrFormat, "not a JPEG, PNG, WebP or GIF photo"},
		"HEIC":        {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), ErrFormat, "HEIC or AVIF"},
		"only a name": {[]byte("\xff\xd8\xff"), ErrDamaged, "damaged or unsupported photo"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Decode(bytes.NewReader(c.data))
			require.Nil(t, m)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.says)
		})
	}
	_, err := DecodeFile(filepath.Join("testdata", "make_fixtures.py"))
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "make_fixtures.py: ")
	_, err = DecodeFile(filepath.Join("testdata", "nothing.jpg"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTruncatedFilesAreDamaged(t *testing.T) {
	for _, path := range fixtures(t) {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, keep := range []int{len(data) / 4, len(data) / 2} {
			_, err = Decode(bytes.NewReader(data[:keep]))
			require.ErrorIs(t, err, ErrDamaged, "%s: %d of %d bytes", path, keep, len(data))
		}
	}
}

// pngHeader is the beginning of a PNG of that size, 8-bit RGB.
func pngHeader(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	header = binary.BigEndian.AppendUint32(header, height)
	header = append(header, 8, 2, 0, 0, 0)
	data := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(header))
}

func TestHugePhotosAreRefusedByTheirHeader(t *testing.T) {
	// A canvas of 16384×16384 (VP8X), a screen of 65535×65535, a frame of 65500×65500.
	webp := []byte("RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\x3f\x00\xff\x3f\x00")
	gif := []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00")
	jpeg := []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00")
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"area":   {pngHeader(30000, 30000), "photo of 30000×30000 pixels is too large: the limit is 128000000 pixels"},
		"side":   {pngHeader(40000, 10), "photo of 40000×10 pixels is too large: the limit for each side is 32768"},
		"height": {pngHeader(10, 32769), "photo of 10×32769 pixels is too large: the limit for each side is 32768"},
		"WebP":   {webp, "photo of 16384×16384 pixels is too large: the limit is 128000000 pixels"},
		"GIF":    {gif, "photo of 65535×65535 pixels is too large: the limit for each side is 32768"},
		"JPEG":   {jpeg, "photo of 65500×65500 pixels is too large: the limit for each side is 32768"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Decode(bytes.NewReader(c.data))
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, ErrTooLarge)
			require.EqualError(t, err, c.says)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
		})
	}
	require.NoError(t, checkSize(32768, 3906))
	require.ErrorIs(t, checkSize(0, 5), ErrDamaged)
}

func TestDecoderPanicsAreErrors(t *testing.T) {
	f := format{name: "TEST", config: func(io.Reader) (image.Config, error) { panic("index out of range") }}
	_, err := f.read([]byte("x"))
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "TEST decoder: index out of range")
}

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.PNG", "a.jpeg", "notes.txt", "sub/c.webp", ".hidden/d.jpg", "._a.jpeg", "sub/e.gif"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	notes := filepath.Join(dir, "notes.txt")
	files, err := Expand([]string{notes, dir, filepath.Join(dir, "missing")})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "missing")
	want := []string{notes}
	for _, name := range []string{"a.jpeg", "b.PNG", "sub/c.webp", "sub/e.gif"} {
		want = append(want, filepath.Join(dir, name))
	}
	require.Equal(t, want, files)

	files, err = Expand([]string{dir})
	require.NoError(t, err)
	require.Len(t, files, 4)
}

func TestRealPhotosDecode(t *testing.T) {
	data := os.Getenv("ECOR_DATA")
	if data == "" {
		t.Skip("ECOR_DATA is unset: no photos")
	}
	files, err := Expand([]string{filepath.Join(data, "photos")})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 150)
	for _, path := range files {
		_, err := DecodeFile(path)
		require.NoError(t, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, path := range fixtures(f) {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// Small files may claim photos that take seconds to fill; they say nothing about safety.
		for _, format := range formats {
			if format.matches(data) {
				if size, err := format.config(bytes.NewReader(data)); err == nil && size.Width*size.Height > 1<<20 {
					return
				}
			}
		}
		m, err := Decode(bytes.NewReader(data))
		if err != nil {
			require.Nil(t, m)
			return
		}
		require.Len(t, m.Pix, 4*m.Rect.Dx()*m.Rect.Dy())
	})
}
