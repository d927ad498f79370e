package photo

import (
	"bytes"
	"image"

	"github.com/bep/imagemeta"
)

// readOrientation returns the EXIF orientation, 1..8. A missing or broken EXIF
// block means 1, upright.
func (f *format) readOrientation(data []byte) int {
	if f.orientation == imagemeta.ImageFormatAuto {
		return 1
	}
	orientation := 1
	_, err := imagemeta.Decode(imagemeta.Options{
		R:           bytes.NewReader(data),
		ImageFormat: f.orientation,
		Sources:     imagemeta.EXIF,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool {
			return tag.Tag == "Orientation" && tag.Namespace == "IFD0"
		},
		HandleTag: func(tag imagemeta.TagInfo) error {
			if v, ok := tag.Value.(uint16); ok && 1 <= v && v <= 8 {
				orientation = int(v)
			}
			return imagemeta.ErrStopWalking
		},
	})
	if err != nil {
		return 1
	}
	return orientation
}

// upright undoes an EXIF orientation.
func upright(m *image.NRGBA, orientation int) *image.NRGBA {
	if orientation == 1 {
		return m
	}
	mirrorX := orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8
	mirrorY := orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7
	swapped := orientation >= 5

	// Bytes from one stored pixel to the next along each stored axis, from the pixel that
	// becomes the top left one.
	width, height := m.Rect.Dx(), m.Rect.Dy()
	first, alongX, alongY := 0, 4, m.Stride
	if mirrorX {
		first, alongX = first+(width-1)*4, -alongX
	}
	if mirrorY {
		first, alongY = first+(height-1)*m.Stride, -alongY
	}
	if swapped {
		width, height = height, width
		alongX, alongY = alongY, alongX
	}
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	dst := out.Pix
	for y := range height {
		at := first + y*alongY
		for range width {
			copy(dst[:4], m.Pix[at:at+4])
			dst = dst[4:]
			at += alongX
		}
	}
	return out
}
