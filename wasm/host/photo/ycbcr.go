package photo

import "image"

// A matrix converts Y'CbCr to RGB. Factors have 16 fractional bits.
type matrix struct {
	black            int32 // luma of black
	luma             int32
	redCr            int32
	greenCb, greenCr int32 // subtracted
	blueCb           int32
}

var (
	// jfif is ITU-R BT.601 with luma and chroma in 0..255.
	jfif = matrix{0, 65536, 91881, 22554, 46802, 116130}
	// studio is ITU-R BT.601 with luma in 16..235 and chroma in 16..240.
	studio = matrix{16, 76309, 104597, 25675, 53279, 132201}
)

// rgb converts m, whose top left pixel is (0, 0). Halved chroma is interpolated
// linearly, as libjpeg and libwebp do by default, and so Pillow and browsers.
func (k *matrix) rgb(m *image.YCbCr) *image.NRGBA {
	width, height := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	cb, cr := newUpsampler(m, m.Cb), newUpsampler(m, m.Cr)
	dst := out.Pix
	for y := range height {
		cb.setRow(y)
		cr.setRow(y)
		luma, blue, red := m.Y[y*m.YStride:][:width], cb.row[:width], cr.row[:width]
		for x, l := range luma {
			l := k.luma*(int32(l)-k.black) + 1<<15
			b, r := int32(blue[x])-128, int32(red[x])-128
			p := dst[:4:4]
			p[0] = clip8(l + k.redCr*r)
			p[1] = clip8(l - k.greenCb*b - k.greenCr*r)
			p[2] = clip8(l + k.blueCb*b)
			p[3] = 255
			dst = dst[4:]
		}
	}
	return out
}

// clip8 limits a value with 16 fractional bits to 0..255.
func clip8(v int32) byte { return byte(min(max(v>>16, 0), 255)) }

// An upsampler stretches one chroma plane to the size of the luma plane.
type upsampler struct {
	plane                 []byte
	stride, width, height int      // of plane
	perX, perY            int      // luma pixels per chroma pixel
	blended               []uint16 // (width) 4 times the chroma of the row, between chroma rows
	row                   []byte   // (luma width) the result
}

func newUpsampler(m *image.YCbCr, plane []byte) *upsampler {
	u := &upsampler{plane: plane, stride: m.CStride, perX: 1, perY: 1}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		u.perX = 2
	case image.YCbCrSubsampleRatio420:
		u.perX, u.perY = 2, 2
	case image.YCbCrSubsampleRatio440:
		u.perY = 2
	case image.YCbCrSubsampleRatio411:
		u.perX = 4
	case image.YCbCrSubsampleRatio410:
		u.perX, u.perY = 4, 2
	}
	u.width = (m.Rect.Dx() + u.perX - 1) / u.perX
	u.height = (m.Rect.Dy() + u.perY - 1) / u.perY
	u.blended = make([]uint16, u.width)
	u.row = make([]byte, m.Rect.Dx())
	return u
}

// setRow fills u.row with the chroma of luma row y. The nearer of two chroma
// samples counts three times as much as the farther one.
func (u *upsampler) setRow(y int) {
	near := y / u.perY
	far := near
	if u.perY == 2 {
		far = min(max(near-1+y%2*2, 0), u.height-1)
	}
	a, b := u.plane[near*u.stride:][:u.width], u.plane[far*u.stride:][:u.width]
	for i := range u.blended {
		u.blended[i] = 3*uint16(a[i]) + uint16(b[i])
	}
	if u.perX != 2 {
		for x := range u.row {
			u.row[x] = byte((u.blended[x/u.perX] + 2) >> 2)
		}
		return
	}
	left := u.blended[0]
	for i, c := range u.blended {
		right := u.blended[min(i+1, u.width-1)]
		u.row[2*i] = byte((3*c + left + 8) >> 4)
		if 2*i+1 < len(u.row) {
			u.row[2*i+1] = byte((3*c + right + 8) >> 4)
		}
		left = c
	}
}
