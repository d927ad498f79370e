package static

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"sync"
)

// icons are the raster icons that a browser asks for when it installs the
// page: public/icons/ecor.svg, drawn here. A maskable one fills its square and
// keeps the drawing in the middle, as platforms cut its edges to a shape.
var icons = sync.OnceValues(func() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, i := range []struct {
		name     string
		side     int
		maskable bool
	}{{"ecor-192", 192, false}, {"ecor-512", 512, false}, {"ecor-maskable-512", 512, true}} {
		var b bytes.Buffer
		if err := png.Encode(&b, icon(i.side, i.maskable)); err != nil {
			return nil, err
		}
		files["icons/"+i.name+".png"] = b.Bytes()
	}
	return files, nil
})

var (
	ground = color.NRGBA{0x0e, 0x6a, 0x5b, 255}
	frame  = color.NRGBA{0xa8, 0xdd, 0xcf, 255}
	letter = color.NRGBA{255, 255, 255, 255}
)

// icon draws in the coordinates of the SVG, whose side is 64.
func icon(side int, maskable bool) *image.NRGBA {
	const samples = 3 // a pixel, in each direction
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	for py := range side {
		for px := range side {
			var r, g, b, n int
			for s := range samples * samples {
				x := (float64(px) + (float64(s%samples)+.5)/samples) * 64 / float64(side)
				y := (float64(py) + (float64(s/samples)+.5)/samples) * 64 / float64(side)
				c, inside := iconAt(x, y, maskable)
				if inside {
					r, g, b, n = r+int(c.R), g+int(c.G), b+int(c.B), n+1
				}
			}
			if n > 0 {
				m.SetNRGBA(px, py, color.NRGBA{uint8(r / n), uint8(g / n), uint8(b / n), uint8(255 * n / (samples * samples))})
			}
		}
	}
	return m
}

// iconAt returns the colour of a point, and whether the icon covers it.
func iconAt(x, y float64, maskable bool) (color.NRGBA, bool) {
	if maskable {
		x, y = 32+(x-32)/.8, 32+(y-32)/.8
	} else if !inRoundedSquare(x, y) {
		return color.NRGBA{}, false
	}
	switch {
	case distanceToLetter(x, y) <= 2.5:
		return letter, true
	case distanceToFrame(x, y) <= 2:
		return frame, true
	}
	return ground, true
}

func inRoundedSquare(x, y float64) bool {
	const radius = 15
	dx := math.Max(0, math.Abs(x-32)-(32-radius))
	dy := math.Max(0, math.Abs(y-32)-(32-radius))
	return math.Hypot(dx, dy) <= radius
}

// distanceToLetter is the distance to the strokes of the "e": its bar and an
// arc of radius 9.5 around (32, 33.5), open at the lower right.
func distanceToLetter(x, y float64) float64 {
	const radius, endX, endY = 9.5, 38.5, 40.3
	bar := distanceToLine(x, y, 22.5, 33.5, 41.5, 33.5)
	angle := math.Atan2(y-33.5, x-32)
	if end := math.Atan2(endY-33.5, endX-32); angle > 0 && angle < end {
		return math.Min(bar, math.Hypot(x-endX, y-endY))
	}
	return math.Min(bar, math.Abs(math.Hypot(x-32, y-33.5)-radius))
}

// distanceToFrame is the distance to the four corners of the viewfinder: two
// lines of six units and a quarter of a circle of radius 4 each.
func distanceToFrame(x, y float64) float64 {
	// All four are the upper left one, mirrored.
	x, y = 32-math.Abs(x-32), 32-math.Abs(y-32)
	d := math.Min(distanceToLine(x, y, 14, 24, 14, 18), distanceToLine(x, y, 18, 14, 24, 14))
	if x <= 18 && y <= 18 {
		d = math.Min(d, math.Abs(math.Hypot(x-18, y-18)-4))
	}
	return d
}

func distanceToLine(x, y, x1, y1, x2, y2 float64) float64 {
	dx, dy := x2-x1, y2-y1
	t := math.Max(0, math.Min(1, ((x-x1)*dx+(y-y1)*dy)/(dx*dx+dy*dy)))
	return math.Hypot(x-x1-t*dx, y-y1-t*dy)
}
