package host

import (
	"image"
	"image/color"
)

// copyRows fills dst with whole rows of img, the first of them y rows below
// its top: bytes R, G, B, A per pixel, not premultiplied.
func copyRows(dst []byte, img image.Image, y int) {
	bounds := img.Bounds()
	width := 4 * bounds.Dx()
	switch m := img.(type) {
	case *image.NRGBA:
		for at := m.PixOffset(bounds.Min.X, bounds.Min.Y+y); len(dst) > 0; at += m.Stride {
			copy(dst[:width], m.Pix[at:])
			dst = dst[width:]
		}
	default:
		for y := bounds.Min.Y + y; len(dst) > 0; y++ {
			for x := bounds.Min.X; x < bounds.Max.X; x++ {
				c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
				dst[0], dst[1], dst[2], dst[3] = c.R, c.G, c.B, c.A
				dst = dst[4:]
			}
		}
	}
}
