package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Image says how a photo becomes the image tower's input: resized with a bicubic filter so that its short side has
// Resize pixels, cropped to the centre Crop×Crop, scaled to 0..1, normalised by Mean and Std per channel.
type Image struct {
	Resize, Crop int
	Mean, Std    [3]float64 // red, green, blue
}

const (
	imageFile = "preprocessor_config.json"
	bicubic   = 3 // Pillow's number of the filter
)

func readImage(dir string, imageSize int) (Image, error) {
	b, err := os.ReadFile(filepath.Join(dir, imageFile))
	if err != nil {
		return Image{}, err
	}
	p := struct {
		Size      json.RawMessage `json:"size"`
		Crop      json.RawMessage `json:"crop_size"`
		Resample  *int            `json:"resample"`
		Mean      []float64       `json:"image_mean"`
		Std       []float64       `json:"image_std"`
		Factor    float64         `json:"rescale_factor"`
		Resize    bool            `json:"do_resize"`
		Centre    bool            `json:"do_center_crop"`
		Rescale   bool            `json:"do_rescale"`
		Normalize bool            `json:"do_normalize"`
	}{Factor: 1.0 / 255, Resize: true, Centre: true, Rescale: true, Normalize: true}
	if err := json.Unmarshal(b, &p); err != nil {
		return Image{}, fmt.Errorf("%s: %w", imageFile, err)
	}
	fail := func(format string, args ...any) (Image, error) {
		return Image{}, fmt.Errorf(imageFile+": "+format, args...)
	}
	switch {
	case !p.Resize || !p.Centre || !p.Rescale || !p.Normalize:
		return fail("do_resize, do_center_crop, do_rescale and do_normalize must all be true")
	case p.Resample == nil:
		return fail("resample is missing: want %d (bicubic)", bicubic)
	case *p.Resample != bicubic:
		return fail("resample is %d: want %d (bicubic)", *p.Resample, bicubic)
	case p.Factor < 1.0/255-1e-9 || p.Factor > 1.0/255+1e-9:
		return fail("rescale_factor is %g: want 1/255", p.Factor)
	case len(p.Mean) != 3 || len(p.Std) != 3:
		return fail("image_mean has %d values and image_std has %d: want 3", len(p.Mean), len(p.Std))
	}
	resize, err := shortestEdge(p.Size)
	if err != nil {
		return fail("%w", err)
	}
	crop, err := square(p.Crop)
	if err != nil {
		return fail("%w", err)
	}
	im := Image{Resize: resize, Crop: crop, Mean: [3]float64(p.Mean), Std: [3]float64(p.Std)}
	if im.Crop != imageSize {
		return fail("crop_size is %d, vision_config.image_size is %d", im.Crop, imageSize)
	}
	if im.Resize < im.Crop || im.Resize > maxSize {
		return fail("size is %d: want at least crop_size %d and at most %d", im.Resize, im.Crop, maxSize)
	}
	for i := range 3 {
		if im.Std[i] <= 0 {
			return fail("image_std[%d] is %g: want a positive value", i, im.Std[i])
		}
	}
	return im, nil
}

// shortestEdge reads "size", whose two-sided form would change a photo's aspect ratio.
func shortestEdge(b json.RawMessage) (int, error) {
	var n int
	if json.Unmarshal(b, &n) == nil {
		return n, nil
	}
	var o struct {
		ShortestEdge int `json:"shortest_edge"`
	}
	if err := json.Unmarshal(b, &o); err != nil || o.ShortestEdge == 0 {
		return 0, fmt.Errorf("size is %s: want {\"shortest_edge\": n}", b)
	}
	return o.ShortestEdge, nil
}

// square reads "crop_size".
func square(b json.RawMessage) (int, error) {
	var n int
	if json.Unmarshal(b, &n) == nil {
		return n, nil
	}
	var o struct{ Height, Width int }
	if err := json.Unmarshal(b, &o); err != nil || o.Height == 0 || o.Height != o.Width {
		return 0, fmt.Errorf("crop_size is %s: want equal height and width", b)
	}
	return o.Height, nil
}
