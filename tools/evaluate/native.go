package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/draw"
	"os"

	"github.com/ecor-clip/ecor/core"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// native is the engine compiled for this machine. Its embeddings equal the
// module's to 1e-5.
type native struct {
	info   wire.ModelInfo
	sha256 string
	free   chan *core.Classifier
}

// newNative loads the weights at path n times.
func newNative(path string, n int) (*native, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	e := &native{sha256: hex.EncodeToString(sum[:]), free: make(chan *core.Classifier, n)}
	for range n {
		c := core.New()
		if err := c.WeightsBegin(uint64(len(b))); err != nil {
			return nil, err
		}
		if err := c.WeightsChunk(b); err != nil {
			return nil, err
		}
		if err := c.WeightsEnd(); err != nil {
			return nil, err
		}
		e.free <- c
		m := c.Model()
		e.info = wire.ModelInfo{
			Name: m.Name, Scheme: m.Scheme, SourceSHA256: m.SourceSHA256, Kernel: kernel.Name(),
			ProjectionDim: uint32(m.ProjectionDim), LogitScale: m.LogitScale,
			Templates: wire.Templates{Category: m.CategoryTemplates, Rationale: m.RationaleTemplates, Conditional: m.ConditionalTemplates},
		}
	}
	return e, nil
}

// EmbedImage implements score.Engine.
func (e *native) EmbedImage(ctx context.Context, img image.Image) ([]float32, error) {
	size := img.Bounds().Size()
	m, ok := img.(*image.NRGBA)
	if !ok || m.Stride != 4*size.X {
		m = image.NewNRGBA(image.Rectangle{Max: size})
		draw.Draw(m, m.Rect, img, img.Bounds().Min, draw.Src)
	}
	return e.embed(ctx, func(c *core.Classifier) error {
		if err := c.ImageBegin(size.X, size.Y); err != nil {
			return err
		}
		if err := c.ImageRows(m.Pix); err != nil {
			return err
		}
		return c.EmbedImageBegin()
	})
}

func (e *native) check(_ context.Context, set wire.LabelSet) ([]string, error) {
	c := <-e.free
	defer func() { e.free <- c }()
	categories := make([]explain.Category, len(set.Categories))
	for i, k := range set.Categories {
		categories[i] = explain.Category(k)
	}
	return c.SetLabels(explain.Templates{}, categories, 0)
}

// EmbedTexts implements score.Engine.
func (e *native) EmbedTexts(ctx context.Context, texts []string) ([]float32, error) {
	return e.embed(ctx, func(c *core.Classifier) error { return c.EmbedTextsBegin(texts) })
}

func (e *native) embed(ctx context.Context, begin func(*core.Classifier) error) (v []float32, err error) {
	c := <-e.free
	defer func() {
		c.Cancel()
		e.free <- c
		if p := recover(); p != nil {
			err = fmt.Errorf("the engine failed: %v", p)
		}
	}()
	if err := begin(c); err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, err := c.Step()
		if err != nil {
			return nil, err
		}
		if p.Phase == core.PhaseDone {
			v, err := c.Embedding()
			return append([]float32(nil), v...), err
		}
	}
}
