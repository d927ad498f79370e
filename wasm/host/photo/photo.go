// Package photo decodes photo files for hosts: JPEG, PNG, WebP and GIF, told
// apart by content, upright as their EXIF orientation says.
package photo

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"github.com/bep/imagemeta"
	"golang.org/x/image/webp"
)

const (
	// MaxSide is the largest width or height of a photo, in pixels.
	MaxSide = 32768
	// MaxPixels is the largest area of a photo, in pixels.
	MaxPixels = 128_000_000
	// MaxBytes is the largest encoded photo.
	MaxBytes = 256 << 20
)

// Decode and DecodeFile wrap one of these, or the error of the reader.
var (
	ErrEmpty    = errors.New("empty file")
	ErrFormat   = errors.New("not a JPEG, PNG, WebP or GIF photo")
	ErrTooLarge = errors.New("too large")
	ErrDamaged  = errors.New("damaged or unsupported photo")
)

// A format is one kind of photo file.
type format struct {
	name        string
	matches     func(data []byte) bool
	config      func(io.Reader) (image.Config, error)
	decode      func(io.Reader) (image.Image, error)
	orientation imagemeta.ImageFormat // ImageFormatAuto where the format has no EXIF block
}

var formats = []format{
	{"JPEG", begins("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode, imagemeta.JPEG},
	{"PNG", begins("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode, imagemeta.PNG},
	{"WebP", isWebP, webp.DecodeConfig, decodeWebP, imagemeta.WebP},
	{"GIF", begins("GIF8"), gif.DecodeConfig, gif.Decode, imagemeta.ImageFormatAuto},
}

func begins(magic string) func([]byte) bool {
	return func(data []byte) bool { return bytes.HasPrefix(data, []byte(magic)) }
}

func isWebP(data []byte) bool {
	return begins("RIFF")(data) && len(data) >= 12 && string(data[8:12]) == "WEBP"
}

// DecodeFile decodes the photo in the file at path. Errors name the path.
func DecodeFile(path string) (*image.NRGBA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Decode reads a photo to its end and returns it upright, its top left pixel at
// (0, 0). Alpha is dropped as Pillow's convert("RGB") drops it: colours are
// those stored, every alpha is 255; 16-bit channels keep their high byte. Of an
// animated GIF the first frame is decoded, its transparent pixels black.
//
// A photo above MaxSide or MaxPixels is refused before its pixels are decoded.
func Decode(r io.Reader) (*image.NRGBA, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, ErrEmpty
	}
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxBytes)
	}
	for _, f := range formats {
		if f.matches(data) {
			return f.read(data)
		}
	}
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		return nil, fmt.Errorf("%w but of the HEIC or AVIF family (brand %q)", ErrFormat, data[8:12])
	}
	return nil, ErrFormat
}

func (f *format) read(data []byte) (m *image.NRGBA, err error) {
	// Decoders are fed hostile files here; a panic of theirs is a fact about the file.
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("%w: %s decoder: %v", ErrDamaged, f.name, p)
		}
	}()
	size, err := f.config(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := checkSize(size.Width, size.Height); err != nil {
		return nil, err
	}
	decoded, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	m = opaque(decoded)
	if canvas := image.Rect(0, 0, size.Width, size.Height); decoded.Bounds() != canvas {
		m = place(m, decoded.Bounds().Min, canvas)
	}
	return upright(m, f.readOrientation(data)), nil
}

// place puts m on a black canvas with its top left pixel at the given point.
func place(m *image.NRGBA, at image.Point, canvas image.Rectangle) *image.NRGBA {
	out := image.NewNRGBA(canvas)
	draw.Draw(out, canvas, image.Black, image.Point{}, draw.Src)
	draw.Draw(out, m.Rect.Add(at), m, image.Point{}, draw.Src)
	return out
}

func checkSize(width, height int) error {
	if width < 1 || height < 1 {
		return fmt.Errorf("%w: %d×%d pixels", ErrDamaged, width, height)
	}
	if width > MaxSide || height > MaxSide {
		return fmt.Errorf("photo of %d×%d pixels is %w: the limit for each side is %d", width, height, ErrTooLarge, MaxSide)
	}
	if width*height > MaxPixels {
		return fmt.Errorf("photo of %d×%d pixels is %w: the limit is %d pixels", width, height, ErrTooLarge, MaxPixels)
	}
	return nil
}
