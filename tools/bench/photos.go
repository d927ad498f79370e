package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// photoSet is a list of JPEG files.
type photoSet struct {
	name  string // with the usual size
	files [][]byte
}

// readPhotos reads n photos of ECOR_DATA, or draws one where it is not set.
func readPhotos(n int) (photoSet, error) {
	data := os.Getenv("ECOR_DATA")
	if data == "" {
		return drawnPhoto(1600, 1200)
	}
	dir := filepath.Join(data, "photos")
	paths, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
	if err != nil {
		return photoSet{}, err
	}
	if len(paths) == 0 {
		return photoSet{}, errors.New("no *.jpg in " + dir)
	}
	var set photoSet
	var pixels []float64
	for _, path := range paths[:min(n, len(paths))] {
		b, err := os.ReadFile(path)
		if err != nil {
			return photoSet{}, err
		}
		c, err := jpeg.DecodeConfig(bytes.NewReader(b))
		if err != nil {
			return photoSet{}, fmt.Errorf("%s: %w", path, err)
		}
		set.files = append(set.files, b)
		pixels = append(pixels, float64(c.Width*c.Height))
	}
	slices.Sort(pixels)
	set.name = fmt.Sprintf("photos of %.2f megapixels", quantile(pixels, 0.5)/1e6)
	return set, nil
}

// drawnPhoto makes a JPEG file whose spectrum is like a photo's: noise of
// every scale, its strength falling with the frequency.
func drawnPhoto(width, height int) (photoSet, error) {
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	r := rand.New(rand.NewPCG(1, 12))
	octaves := func(plane []byte, stride, w, h int) {
		sum := make([]float64, w*h)
		for scale := 256; scale >= 1; scale /= 2 {
			columns := w/scale + 2
			grid := make([]float64, columns*(h/scale+2))
			for i := range grid {
				grid[i] = r.NormFloat64() * 3 * math.Sqrt(float64(scale))
			}
			for y := range h {
				fy := float64(y%scale) / float64(scale)
				for x := range w {
					fx := float64(x%scale) / float64(scale)
					at := y/scale*columns + x/scale
					top := grid[at] + fx*(grid[at+1]-grid[at])
					bottom := grid[at+columns] + fx*(grid[at+columns+1]-grid[at+columns])
					sum[y*w+x] += top + fy*(bottom-top)
				}
			}
		}
		for y := range h {
			for x := range w {
				plane[y*stride+x] = uint8(min(max(128+sum[y*w+x], 0), 255))
			}
		}
	}
	octaves(m.Y, m.YStride, width, height)
	octaves(m.Cb, m.CStride, (width+1)/2, (height+1)/2)
	octaves(m.Cr, m.CStride, (width+1)/2, (height+1)/2)
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90})
	name := fmt.Sprintf("a drawn photo of %.0f megapixels", float64(width*height)/1e6)
	return photoSet{name: name, files: [][]byte{b.Bytes()}}, err
}
