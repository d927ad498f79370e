// Package pixels turns the rows of a photo into the input of CLIP's image tower:
// the short side resized with the antialiased bicubic filter, a centre crop,
// values rescaled to 0..1 and normalised per channel.
//
// The eight-bit pixels are those of Pillow 13's Image.resize with BICUBIC, cut
// as transformers' CLIPImageProcessor (PIL backend) cuts them, bit for bit.
package pixels

import "github.com/ecor-clip/ecor/core/errs"

const (
	// MaxSide is the largest width or height of a source photo, in pixels.
	MaxSide = 32768
	// MaxPixels is the largest area of a source photo, in pixels.
	MaxPixels = 128_000_000
	// MaxOutput is the largest Spec.Resize and Spec.Crop, in pixels.
	MaxOutput = 1024
)

// Spec says what the image tower expects.
type Spec struct {
	Resize int        // short side after resizing; the long side keeps the proportion, rounded down
	Crop   int        // side of the square cut from the centre; black is added where the resized photo is smaller
	Mean   [3]float32 // of red, green and blue in 0..1, subtracted
	Std    [3]float32 // then divided by
}

// A Resizer takes one photo at a time, in bands of rows from top to bottom, and
// keeps no more of it than the filter's window.
type Resizer struct {
	spec          Spec
	values        [3][256]float32 // normalised value of each byte, by channel
	width, height int             // of the source
	x, y          axis
	verticalFirst bool
	rows          int     // source rows seen
	opened        int     // output rows whose window has begun
	closed        int     // output rows that are complete
	window        int     // output rows that are open at once, at most
	sums          []int32 // (window, 4·columns) fixed-point sums of the open output rows
	line          []byte  // (4·columns) one row between the two passes
	cropped       []byte  // (crop, crop, 4) the eight-bit result; the fourth byte is unused
}

// New returns a Resizer for a photo of width × height pixels. Each side must be
// 1..MaxSide and the area at most MaxPixels.
func New(spec Spec, width, height int) (*Resizer, error) {
	for _, side := range []struct {
		name  string
		value int
	}{{"resize", spec.Resize}, {"crop", spec.Crop}} {
		if side.value < 1 || side.value > MaxOutput {
			return nil, errs.New("image ", side.name, " of ", side.value, " pixels is outside 1..", MaxOutput)
		}
	}
	r := &Resizer{spec: spec, cropped: make([]byte, 4*spec.Crop*spec.Crop)}
	for c := range r.values {
		if !(spec.Std[c] > 0) {
			return nil, errs.New("image std of ", spec.Std[c], " is not positive")
		}
		for v := range r.values[c] {
			// Rescaled in double precision and normalised in single, as CLIPImageProcessor does.
			rescaled := float32(float64(v) * (1.0 / 255))
			r.values[c][v] = (rescaled - spec.Mean[c]) / spec.Std[c]
		}
	}
	if err := r.Reset(width, height); err != nil {
		return nil, err
	}
	return r, nil
}

// Reset prepares for another photo of width × height pixels and forgets the
// rows of the last one. Limits are those of New; after an error the Resizer is
// as it was.
func (r *Resizer) Reset(width, height int) error {
	if width < 1 || height < 1 || width > MaxSide || height > MaxSide {
		return errs.New("photo of ", width, "×", height, " pixels: each side must be 1..", MaxSide)
	}
	if width*height > MaxPixels {
		return errs.New("photo of ", width, "×", height, " pixels: ", width*height, " exceed the limit of ", MaxPixels)
	}
	r.width, r.height = width, height
	r.rows, r.opened, r.closed = 0, 0, 0
	short := min(width, height)
	r.x.set(width, r.spec.Resize*width/short, r.spec.Crop)
	r.y.set(height, r.spec.Resize*height/short, r.spec.Crop)

	// Pillow shrinks tall photos vertically first. The order shows in the result, because
	// the row between the passes is rounded and clipped to eight bits.
	shrinks := height - r.y.resized
	r.verticalFirst = shrinks > 0 && shrinks > 2*(width-r.x.resized)
	columns := r.x.count
	if r.verticalFirst {
		columns = width
	}
	r.window = r.y.overlap()
	r.sums = grow(r.sums, r.window*4*columns)
	r.line = grow(r.line, 4*columns)
	clear(r.cropped)
	return nil
}

// WriteRows takes the next rows of the photo, 4·width bytes each: red, green,
// blue and a fourth byte that is ignored, as Pillow's conversion to RGB drops
// alpha. A band may hold any number of rows; rgba is not kept.
func (r *Resizer) WriteRows(rgba []byte) error {
	stride := 4 * r.width
	if len(rgba)%stride != 0 {
		return errs.New("band of ", len(rgba), " bytes is not a multiple of a row's ", stride)
	}
	if n := len(rgba) / stride; n > r.height-r.rows {
		return errs.New("band of ", n, " rows exceeds the ", r.height-r.rows, " rows left of ", r.height)
	}
	for ; len(rgba) > 0; rgba = rgba[stride:] {
		r.writeRow(rgba[:stride])
		r.rows++
	}
	return nil
}

func (r *Resizer) writeRow(row []byte) {
	y, at := &r.y, int32(r.rows)
	for r.opened < y.count && y.start[r.opened] <= at {
		sums := r.sumsOf(r.opened)
		for i := range sums {
			sums[i] = half
		}
		r.opened++
	}
	if r.opened == r.closed {
		return
	}
	if !r.verticalFirst {
		resample(r.line, row, &r.x)
		row = r.line
	}
	for o := r.closed; o < r.opened; o++ {
		accumulate(r.sumsOf(o), row, y.weights(o)[at-y.start[o]])
	}
	for r.closed < r.opened && y.start[r.closed]+y.taps[r.closed] == at+1 {
		r.closeRow(r.closed)
		r.closed++
	}
}

// closeRow writes output row o, whose sums are complete, into the crop.
func (r *Resizer) closeRow(o int) {
	begin := 4 * ((r.y.pad+o)*r.spec.Crop + r.x.pad)
	dst := r.cropped[begin : begin+4*r.x.count]
	if !r.verticalFirst {
		clip(dst, r.sumsOf(o))
		return
	}
	clip(r.line, r.sumsOf(o))
	resample(dst, r.line, &r.x)
}

func (r *Resizer) sumsOf(o int) []int32 {
	n := len(r.line)
	slot := o % r.window
	return r.sums[slot*n : (slot+1)*n]
}

// Finish writes the planes (channel, row, column), 3·Crop·Crop values, into dst.
// It is an error when rows are missing or dst has another length.
func (r *Resizer) Finish(dst []float32) error {
	if r.rows != r.height {
		return errs.New("photo is incomplete: ", r.rows, " of ", r.height, " rows")
	}
	area := r.spec.Crop * r.spec.Crop
	if len(dst) != 3*area {
		return errs.New("destination of ", len(dst), " values, not 3·", r.spec.Crop, "·", r.spec.Crop)
	}
	for c := range r.values {
		plane, values := dst[c*area:(c+1)*area], &r.values[c]
		for i := range plane {
			plane[i] = values[r.cropped[4*i+c]]
		}
	}
	return nil
}

// grow returns a slice of n elements, s itself where it is large enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
