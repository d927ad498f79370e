package main

import (
	"context"
	"fmt"
	"image"
	"image/draw"
	"io"
	"math"
	"os"

	"github.com/ecor-clip/ecor/core"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/wasm/host/labelpack"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// native is the engine compiled for this machine. It encodes its labels itself:
// that takes it less time than precomputed embeddings save.
type native struct {
	free    chan *core.Classifier
	options core.Options
}

func openNative(o *options, stderr io.Writer) (engine, error) {
	weights, err := os.ReadFile(o.weights)
	if err != nil {
		return nil, err
	}
	pack, err := labelpack.Read(o.labels)
	if err != nil {
		return nil, err
	}
	set := pack.LabelSet()
	categories := make([]explain.Category, len(set.Categories))
	for i, k := range set.Categories {
		categories[i] = explain.Category(k)
	}
	e := &native{free: make(chan *core.Classifier, o.instances), options: core.Options{
		Method:        explain.Method(o.classify.Method),
		Top:           int(min(o.classify.Top, math.MaxInt16)),
		Coverage:      o.classify.Coverage,
		MaxRationales: int(min(o.classify.MaxRationales, math.MaxInt16)),
	}}
	for i := range o.instances {
		c := core.New()
		if err := load(c, weights); err != nil {
			return nil, fmt.Errorf("%s: %w", o.weights, err)
		}
		warnings, err := c.SetLabels(explain.Templates(set.Templates), categories, 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.labels, err)
		}
		if i == 0 {
			warn(stderr, o.labels, warnings)
		}
		e.free <- c
	}
	return e, nil
}

func load(c *core.Classifier, weights []byte) error {
	if err := c.WeightsBegin(uint64(len(weights))); err != nil {
		return err
	}
	if err := c.WeightsChunk(weights); err != nil {
		return err
	}
	return c.WeightsEnd()
}

func (e *native) close(context.Context) error { return nil }

func (e *native) classify(ctx context.Context, img image.Image) (*wire.Answer, error) {
	size := img.Bounds().Size()
	m, ok := img.(*image.NRGBA)
	if !ok || m.Stride != 4*size.X {
		m = image.NewNRGBA(image.Rectangle{Max: size})
		draw.Draw(m, m.Rect, img, img.Bounds().Min, draw.Src)
	}
	c := <-e.free
	defer func() {
		c.Cancel()
		e.free <- c
	}()
	if err := c.ImageBegin(size.X, size.Y); err != nil {
		return nil, err
	}
	if err := c.ImageRows(m.Pix); err != nil {
		return nil, err
	}
	if err := c.ClassifyBegin(e.options); err != nil {
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
			return answer(c)
		}
	}
}

func answer(c *core.Classifier) (*wire.Answer, error) {
	a, err := c.Answer()
	if err != nil {
		return nil, err
	}
	out := &wire.Answer{Method: wire.Method(a.Method), Kept: uint32(a.Kept), Uncovered: a.Uncovered}
	for _, k := range a.Categories {
		s := wire.CategoryScore{Category: k.Category, Probability: k.Probability}
		for _, r := range k.Rationales {
			s.Rationales = append(s.Rationales, wire.RationaleScore(r))
		}
		out.Categories = append(out.Categories, s)
	}
	return out, nil
}
