package photo

import (
	"image"
	"image/color"
	"image/draw"
)

// opaque returns m with its stored colours and every alpha 255. m may be reused.
func opaque(m image.Image) *image.NRGBA {
	switch m := m.(type) {
	case *image.NRGBA:
		for i := 3; i < len(m.Pix); i += 4 {
			m.Pix[i] = 255
		}
		return m
	case *image.RGBA: // the decoders' type for 8-bit colour without alpha
		return &image.NRGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}
	case *image.NRGBA64:
		return highBytes(m.Rect, m.Pix, m.Stride, 4)
	case *image.RGBA64: // the same with 16 bits
		return highBytes(m.Rect, m.Pix, m.Stride, 4)
	case *image.Gray16:
		return highBytes(m.Rect, m.Pix, m.Stride, 1)
	case *image.YCbCr:
		return jfif.rgb(m)
	case *image.Paletted:
		return unpalette(m)
	}
	// What is left has no alpha, so premultiplied and plain colours are the same.
	b := m.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(&image.RGBA{Pix: out.Pix, Stride: out.Stride, Rect: out.Rect}, out.Rect, m, b.Min, draw.Src)
	return out
}

// highBytes takes the high bytes of big-endian 16-bit pixels: 4 channels, of
// which the last is alpha, or 1, grey.
func highBytes(rect image.Rectangle, pix []byte, stride, channels int) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, rect.Dx(), rect.Dy()))
	green, blue := 2%(2*channels), 4%(2*channels)
	dst := out.Pix
	for y := range rect.Dy() {
		row := pix[y*stride:]
		for range rect.Dx() {
			dst[0], dst[1], dst[2], dst[3] = row[0], row[green], row[blue], 255
			dst, row = dst[4:], row[2*channels:]
		}
	}
	return out
}

// unpalette looks up stored colours; color.NRGBA keeps them under transparency.
func unpalette(m *image.Paletted) *image.NRGBA {
	var colours [256][4]byte
	for i := range colours {
		c := color.NRGBA{}
		if i < len(m.Palette) {
			c = color.NRGBAModel.Convert(m.Palette[i]).(color.NRGBA)
		}
		colours[i] = [4]byte{c.R, c.G, c.B, 255}
	}
	out := image.NewNRGBA(image.Rect(0, 0, m.Rect.Dx(), m.Rect.Dy()))
	dst := out.Pix
	for y := range m.Rect.Dy() {
		for _, index := range m.Pix[y*m.Stride:][:m.Rect.Dx()] {
			copy(dst[:4], colours[index][:])
			dst = dst[4:]
		}
	}
	return out
}
