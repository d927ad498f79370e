package convert

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/core/bpe"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/pixels"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
	"github.com/ecor-clip/ecor/tools/quantize/internal/work"
	"github.com/ecor-clip/ecor/wasm/host/photo"
)

// inputs are what a model is calibrated on and what it is judged by. Photos of one folder, and prompts, take turns: no
// input serves for both.
type inputs struct {
	planes [][]float32 // photos to calibrate the image tower on
	texts  [][]int32   // texts to calibrate the text tower on

	photos  []string  // to judge by
	prompts [][]int32 // to judge by
	sets    []labeledSet

	spec      pixels.Spec
	tokenizer *bpe.Tokenizer
	context   int // tokens of the longest text

	warnings []string // name the photos that could not be read
}

// labeledSet is a folder of photos whose categories are known.
type labeledSet struct {
	dir        string
	categories []string
	photos     []string
	category   []int // of each photo
}

// Bounds of the calibration's memory: the values of all activations at the widest place of a layer.
const maxActivations = 1 << 27

// textsPerPhoto is how many texts are calibrated on for each photo.
const textsPerPhoto = 4

// readInputs finds and reads what the options ask for.
func readInputs(ctx context.Context, c *checkpoint.Checkpoint, o *Options, packs []*labels, progress *report.Progress) (*inputs, error) {
	in := &inputs{context: c.Text.ContextLength}
	in.spec = pixels.Spec{Resize: c.Image.Resize, Crop: c.Image.Crop}
	for i := range 3 {
		in.spec.Mean[i], in.spec.Std[i] = float32(c.Image.Mean[i]), float32(c.Image.Std[i])
	}
	calibrates := o.Calibrate > 0 && o.Scheme != quant.Float32 && (o.Photos != "" || o.Scheme == quant.W4A7)
	if err := in.readTexts(c, o, packs, calibrates); err != nil {
		return nil, err
	}
	for _, dir := range o.Accuracy {
		set, err := readLabeled(dir)
		if err != nil {
			return nil, err
		}
		in.sets = append(in.sets, set)
	}
	if o.Photos == "" {
		return in, nil
	}
	files, err := photo.Expand([]string{o.Photos})
	if err != nil {
		return nil, err
	}
	if len(files) < 2 {
		return nil, fmt.Errorf("%s holds %d photos: want at least 2", o.Photos, len(files))
	}
	calibrating, judging := alternate(files)
	if !calibrates {
		calibrating, judging = nil, files
	}
	in.photos = spread(judging, o.Judge)
	side := c.Vision.ImageSize / c.Vision.PatchSize
	tokens := side*side + 1
	fit := maxActivations / (tokens * (5*c.Vision.HiddenSize + max(c.Vision.IntermediateSize, 3*c.Vision.PatchSize*c.Vision.PatchSize)))
	calibrating = spread(calibrating, max(1, min(o.Calibrate, fit)))
	task := progress.Start("reading photos", int64(len(calibrating)))
	planes, err := in.read(ctx, calibrating, task)
	if err != nil {
		return nil, err
	}
	in.planes = slices.DeleteFunc(planes, func(p []float32) bool { return p == nil })
	if len(calibrating) > 0 {
		if err := in.enough(o.Photos, "calibrate on", len(in.planes), len(calibrating), 1); err != nil {
			return nil, err
		}
	}
	task.Done()
	return in, nil
}

// enough reports a folder of which too few photos could be read.
func (in *inputs) enough(dir, purpose string, read, of, want int) error {
	if read >= want {
		return nil
	}
	return fmt.Errorf("%s: %d of the %d photos to %s can be read: want at least %d; %s", dir, read, of, purpose, want, in.warnings[len(in.warnings)-1])
}

// alternate deals a list out in turn.
func alternate[T any](list []T) (odd, even []T) {
	for i, x := range list {
		if i%2 == 0 {
			odd = append(odd, x)
		} else {
			even = append(even, x)
		}
	}
	return odd, even
}

// spread returns n elements of the list at even distances, all where there are no more.
func spread[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	out := make([]T, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}

// readTexts collects the packs' prompts.
func (in *inputs) readTexts(c *checkpoint.Checkpoint, o *Options, packs []*labels, calibrates bool) error {
	parts := tokenizerTensors(c.Tokenizer)
	var err error
	if in.tokenizer, err = bpe.New(parts[1].Data, parts[0].Data); err != nil {
		return err
	}
	var prompts []string
	for _, p := range packs {
		t := p.templates(o)
		for _, c := range p.Categories {
			for _, template := range t.Category {
				prompts = append(prompts, explain.CategoryPrompt(template, c.Name))
			}
			for _, template := range t.Conditional {
				prompts = append(prompts, explain.ConditionalPrompt(template, c.Name, c.Rationales[0]))
			}
			for _, r := range c.Rationales {
				for _, template := range t.Rationale {
					prompts = append(prompts, explain.RationalePrompt(template, r))
				}
			}
		}
	}
	slices.Sort(prompts)
	prompts = slices.Compact(prompts)
	ids := make([][]int32, len(prompts))
	for i, p := range prompts {
		if ids[i], _, err = in.tokenizer.Encode(nil, p, in.context); err != nil {
			return fmt.Errorf("prompt %q: %w", p, err)
		}
	}
	if !calibrates {
		in.prompts = spread(ids, textsPerPhoto*o.Judge)
		return nil
	}
	calibrating, judging := alternate(ids)
	in.texts, in.prompts = spread(calibrating, textsPerPhoto*o.Calibrate), spread(judging, textsPerPhoto*o.Judge)
	return nil
}

// readLabeled finds the photos of a folder that has a folder for each category.
func readLabeled(dir string) (labeledSet, error) {
	set := labeledSet{dir: dir}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return set, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		files, err := photo.Expand([]string{filepath.Join(dir, e.Name())})
		if err != nil {
			return set, err
		}
		if len(files) == 0 {
			continue
		}
		for range files {
			set.category = append(set.category, len(set.categories))
		}
		set.photos = append(set.photos, files...)
		set.categories = append(set.categories, strings.ReplaceAll(e.Name(), "_", " "))
	}
	if len(set.categories) < 2 {
		return set, fmt.Errorf("%s holds photos of %d categories: want a folder for each of at least 2", dir, len(set.categories))
	}
	return set, nil
}

// read returns photos as the image tower's input, nil for one that cannot be read, of which a warning tells. done gets one
// unit for each.
func (in *inputs) read(ctx context.Context, paths []string, done *report.Task) ([][]float32, error) {
	planes := make([][]float32, len(paths))
	failed := make([]error, len(paths))
	work.Do(len(paths), func(i int) {
		if ctx.Err() == nil {
			planes[i], failed[i] = in.readPhoto(paths[i])
			done.Add(1)
		}
	})
	for _, err := range failed {
		if err == nil {
			continue
		}
		if warning := fmt.Sprintf("photo skipped: %v", err); !slices.Contains(in.warnings, warning) {
			in.warnings = append(in.warnings, warning)
		}
	}
	return planes, ctx.Err()
}

func (in *inputs) readPhoto(path string) ([]float32, error) {
	img, err := photo.DecodeFile(path)
	if err != nil {
		return nil, err
	}
	planes, err := resize(img, in.spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return planes, nil
}

// resize returns a photo as normalised planes.
func resize(img *image.NRGBA, spec pixels.Spec) ([]float32, error) {
	size := img.Bounds().Size()
	r, err := pixels.New(spec, size.X, size.Y)
	if err != nil {
		return nil, err
	}
	for y := range size.Y {
		if err := r.WriteRows(img.Pix[y*img.Stride : y*img.Stride+4*size.X]); err != nil {
			return nil, err
		}
	}
	planes := make([]float32, 3*spec.Crop*spec.Crop)
	return planes, r.Finish(planes)
}

// describe says in words what the weights were calibrated on.
func (in *inputs) describe(o *Options) string {
	if o.Scheme == quant.Float32 {
		return "none: nothing is quantized"
	}
	tower := func(n int, kind string) string {
		if n > 0 {
			return fmt.Sprintf("%d %s", n, kind)
		}
		if o.Scheme == quant.W4A7 {
			return "no " + kind + " (weights rounded, not fitted)"
		}
		return "no " + kind
	}
	return tower(len(in.planes), "photos") + ", " + tower(len(in.texts), "texts")
}
