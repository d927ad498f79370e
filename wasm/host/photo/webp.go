package photo

import (
	"image"
	"io"

	"golang.org/x/image/webp"
)

// decodeWebP decodes a still WebP. Lossy WebP has studio levels, which
// image.YCbCr cannot tell, so it is converted here.
func decodeWebP(r io.Reader) (image.Image, error) {
	m, err := webp.Decode(r)
	switch m := m.(type) {
	case *image.YCbCr:
		return studio.rgb(m), nil
	case *image.NYCbCrA:
		return studio.rgb(&m.YCbCr), nil
	}
	return m, err
}
