// Package core is ecor's engine: it names what is in a photo and says why.
//
// A Classifier holds one model, one label set and one photo at a time. Work is
// done in steps of one transformer layer, or of several small ones, so that a
// caller can show progress and stop between them:
//
//	c := core.New()
//	c.WeightsBegin(size); c.WeightsChunk(…); c.WeightsEnd()
//	c.SetLabels(templates, categories, 0)
//	c.ImageBegin(width, height); c.ImageRows(…)
//	c.ClassifyBegin(options)
//	for p, _ := c.Step(); p.Phase != core.PhaseDone; p, _ = c.Step() {
//	}
//	answer, _ := c.Answer()
//
// A Classifier is not safe for concurrent use.
package core

import (
	"github.com/ecor-clip/ecor/core/clip"
	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/core/pixels"
)

// Defaults of Options and SetLabels.
const (
	DefaultTop           = 5
	DefaultTopRationales = 3
	DefaultCoverage      = 0.99
	DefaultMaxRationales = 32
	DefaultCacheBytes    = 32 << 20
)

// Classifier is the engine. Make one with New.
type Classifier struct {
	loader *clip.Loader
	model  *clip.Model
	images *clip.ImageEncoder
	texts  *clip.TextEncoder

	labels     *explain.Labels
	categories prompts // one embedding for each category
	rationales prompts // one embedding for each distinct rationale
	table      tableCache

	resizer *pixels.Resizer
	planes  []float32 // (3, image size, image size)
	pending bool      // a photo's rows have begun to arrive

	job       *job
	embedding []float32 // (projection) of the last finished job
	answer    *Answer   // of the last finished classification
}

// New returns an engine without a model.
func New() *Classifier { return &Classifier{} }

// WeightsBegin starts loading a weights file of size bytes. The model that was
// loaded before is given up, and with it labels and photo.
func (c *Classifier) WeightsBegin(size uint64) error {
	*c = Classifier{}
	l, err := clip.NewLoader(size)
	if err != nil {
		return err
	}
	c.loader = l
	return nil
}

// WeightsChunk takes the next bytes of the weights file. After an error loading
// must begin again.
func (c *Classifier) WeightsChunk(p []byte) error {
	if c.loader == nil {
		return errs.WrongState("weights: no loading has begun")
	}
	if err := c.loader.Write(p); err != nil {
		c.loader = nil
		return err
	}
	return nil
}

// WeightsEnd finishes loading.
func (c *Classifier) WeightsEnd() error {
	if c.loader == nil {
		return errs.WrongState("weights: no loading has begun")
	}
	m, err := c.loader.Close()
	c.loader = nil
	if err != nil {
		return err
	}
	c.model = m
	c.images = m.NewImageEncoder()
	c.texts = m.NewTextEncoder()
	c.planes = make([]float32, 3*m.ImageSize*m.ImageSize)
	return nil
}

// Model returns the loaded model, or nil.
func (c *Classifier) Model() *clip.Model { return c.model }

// SetLabels sets what photos are classified into. An empty list of templates
// takes the weights' own. cacheBytes bounds the memory of the cache of
// conditional prompts' embeddings; 0 takes DefaultCacheBytes. Embeddings of
// prompts that the label set before had are kept. The warnings name labels
// that do not fit into the context length.
func (c *Classifier) SetLabels(t explain.Templates, categories []explain.Category, cacheBytes int) (warnings []string, err error) {
	if err := c.SetCheckedLabels(t, categories, cacheBytes); err != nil {
		return nil, err
	}
	return c.truncations()
}

// SetCheckedLabels is SetLabels for labels that are known to fit into the
// context length: no prompt is divided into tokens before it is needed.
func (c *Classifier) SetCheckedLabels(t explain.Templates, categories []explain.Category, cacheBytes int) error {
	if c.model == nil {
		return errs.WrongState("labels: no weights are loaded")
	}
	m := c.model
	if len(t.Category) == 0 {
		t.Category = m.CategoryTemplates
	}
	if len(t.Rationale) == 0 {
		t.Rationale = m.RationaleTemplates
	}
	if len(t.Conditional) == 0 {
		t.Conditional = m.ConditionalTemplates
	}
	l, err := explain.NewLabels(t, categories)
	if err != nil {
		return err
	}
	if cacheBytes <= 0 {
		cacheBytes = DefaultCacheBytes
	}
	c.job = nil
	c.table.reset(l, c.labels, m.ProjectionDim, cacheBytes)
	c.categories.reset(t.Category, l.Categories, explain.CategoryPrompt, m.ProjectionDim)
	c.rationales.reset(t.Rationale, l.Rationales, explain.RationalePrompt, m.ProjectionDim)
	c.labels = l
	return nil
}

// Labels returns the current label set, or nil.
func (c *Classifier) Labels() *explain.Labels { return c.labels }

// SeedCategories gives the embeddings of categories first… of the label set:
// data holds unit-length rows of the projection dimension, made with the same
// weights and templates.
func (c *Classifier) SeedCategories(first int, data []float32) error {
	return c.seed("categories", &c.categories, first, data)
}

// SeedRationales gives the embeddings of the distinct rationales first….
func (c *Classifier) SeedRationales(first int, data []float32) error {
	return c.seed("rationales", &c.rationales, first, data)
}

func (c *Classifier) seed(what string, p *prompts, first int, data []float32) error {
	if c.labels == nil {
		return errs.WrongState("labels: there is no label set to seed")
	}
	d := c.model.ProjectionDim
	n := len(data) / d
	if len(data)%d != 0 {
		return errs.New("labels: a seed of ", len(data), " values is not a multiple of the projection dimension ", d)
	}
	if first < 0 || first > len(p.labels) || n > len(p.labels)-first {
		return errs.New("labels: a seed for ", what, " ", first, "..", first+n, " is outside 0..", len(p.labels))
	}
	for i := range n {
		row := data[i*d : (i+1)*d]
		if squared := kernel.Dot(row, row); squared-squared != 0 {
			return errs.New("labels: a seed for ", what, " has a row whose length is not finite")
		}
	}
	for i := range n {
		p.set(first+i, data[i*d:(i+1)*d])
	}
	return nil
}

// ImageBegin announces a photo of the given size in pixels.
func (c *Classifier) ImageBegin(width, height int) error {
	if c.model == nil {
		return errs.WrongState("image: no weights are loaded")
	}
	c.job, c.pending = nil, false
	var err error
	if c.resizer == nil {
		c.resizer, err = pixels.New(c.model.Image, width, height)
	} else {
		err = c.resizer.Reset(width, height)
	}
	if err != nil {
		return err
	}
	c.pending = true
	return nil
}

// ImageRows takes the photo's next rows from the top: R, G, B and A bytes.
func (c *Classifier) ImageRows(rgba []byte) error {
	if !c.pending {
		return errs.WrongState("image: no photo has begun")
	}
	if err := c.resizer.WriteRows(rgba); err != nil {
		c.pending = false
		return err
	}
	return nil
}

// Phase is what a job is doing.
type Phase uint8

// Phases of a job.
const (
	PhaseImage  Phase = iota // image tower
	PhaseStage1              // category and rationale prompts
	PhaseStage2              // conditional prompts of the kept rationales
	PhaseDone
)

// Progress is how far a job is. Done and Total count units of the phase:
// layers, prompts, kept rationales.
type Progress struct {
	Phase       Phase
	Done, Total int
}

// Options of a classification.
type Options struct {
	Method        explain.Method
	Top           int       // categories in the answer; 0 takes DefaultTop
	TopRationales int       // rationales for each category; 0 takes DefaultTopRationales
	Coverage      float32   // stage-1 mass that the kept rationales reach; 0 takes DefaultCoverage
	MaxRationales int       // most rationales kept; 0 takes DefaultMaxRationales
	Embedding     []float32 // of the photo, instead of its pixels
}

// Answer is the result of a classification.
type Answer struct {
	Method     explain.Method
	Kept       int     // rationales that stage 2 was computed for
	Uncovered  float32 // stage-1 mass of the other rationales
	Categories []CategoryScore
}

// CategoryScore is one category of an answer.
type CategoryScore struct {
	Category    string
	Probability float32 // P(c|I)
	Rationales  []RationaleScore
}

// RationaleScore is one rationale behind a category.
type RationaleScore struct {
	Rationale string
	Joint     float32 // P(c,r|I)
}

// Answer returns the result of the last classification.
func (c *Classifier) Answer() (*Answer, error) {
	if c.answer == nil {
		return nil, errs.WrongState("there is no finished classification")
	}
	return c.answer, nil
}

// Embedding returns the unit-length embedding (projection) that the last
// finished job made or was given; after EmbedTextsBegin those of all texts, one
// after the other.
func (c *Classifier) Embedding() ([]float32, error) {
	if c.embedding == nil {
		return nil, errs.WrongState("there is no finished job")
	}
	return c.embedding, nil
}

// Cancel ends the current job, if any. Embeddings that it has finished stay.
func (c *Classifier) Cancel() { c.job = nil }
