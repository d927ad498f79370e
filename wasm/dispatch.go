//go:build wasm

package main

import (
	"github.com/ecor-clip/ecor/core"
	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// dispatch decodes a request, runs it and returns the response; nil is an
// empty response.
func dispatch(c *core.Classifier, op wire.Op, request []byte) (wire.Message, error) {
	switch op {
	case wire.OpWeightsBegin:
		var m wire.WeightsBegin
		if err := m.Decode(request); err != nil {
			return nil, err
		}
		return nil, c.WeightsBegin(m.Size)
	case wire.OpWeightsChunk:
		return nil, c.WeightsChunk(request)
	case wire.OpWeightsEnd:
		if err := c.WeightsEnd(); err != nil {
			return nil, err
		}
		return modelInfo(c), nil
	case wire.OpSetLabels:
		var m wire.LabelSet
		if err := m.Decode(request); err != nil {
			return nil, err
		}
		return setLabels(c, &m)
	case wire.OpSeed:
		var m wire.Seed
		if err := m.Decode(request); err != nil {
			return nil, err
		}
		return nil, seed(c, &m)
	case wire.OpImageBegin:
		var m wire.ImageBegin
		if err := m.Decode(request); err != nil {
			return nil, err
		}
		return nil, c.ImageBegin(int(m.Width), int(m.Height))
	case wire.OpImageRows:
		return nil, c.ImageRows(request)
	case wire.OpClassifyBegin:
		var m wire.ClassifyOptions
		if err := m.Decode(request); err != nil {
			return nil, err
		}
		return nil, c.ClassifyBegin(core.Options{
			Method:        explain.Method(m.Method),
			Top:           clampCount(m.Top),
			TopRationales: clampCount(m.TopRationales),
			Coverage:      m.Coverage,
			MaxRationales: clampCount(m.MaxRationales),
			Embedding:     m.Embedding,
		})
	case wire.OpEmbedBegin:
		var m wire.EmbedBegin
		if err := m.Decode(request); err != nil {
			return nil, err
		}
		if m.Text == "" {
			return nil, c.EmbedImageBegin()
		}
		return nil, c.EmbedTextsBegin([]string{m.Text})
	case wire.OpEmbedTexts:
		var m wire.EmbedTexts
		if err := m.Decode(request); err != nil {
			return nil, err
		}
		return nil, c.EmbedTextsBegin(m.Texts)
	case wire.OpStep:
		p, err := c.Step()
		if err != nil {
			return nil, err
		}
		return &wire.Progress{Phase: wire.Phase(p.Phase), Done: uint32(p.Done), Total: uint32(p.Total)}, nil
	case wire.OpAnswer:
		return answer(c)
	case wire.OpEmbedding:
		v, err := c.Embedding()
		if err != nil {
			return nil, err
		}
		return &wire.Embedding{Values: v}, nil
	case wire.OpCancel:
		c.Cancel()
		return nil, nil
	}
	return nil, errs.New("unknown operation ", uint32(op))
}

// clampCount turns a count from the wire into an int that the engine's own
// checks can handle; there are never that many categories or rationales.
func clampCount(n uint32) int { return int(min(n, 1<<20)) }

func modelInfo(c *core.Classifier) *wire.ModelInfo {
	m := c.Model()
	return &wire.ModelInfo{
		Name:          m.Name,
		Scheme:        m.Scheme,
		License:       m.License,
		SourceSHA256:  m.SourceSHA256,
		Kernel:        kernel.Name(),
		ImageSize:     uint32(m.ImageSize),
		ContextLength: uint32(m.ContextLength),
		ProjectionDim: uint32(m.ProjectionDim),
		Parameters:    m.Parameters,
		LogitScale:    m.LogitScale,
		Templates: wire.Templates{
			Category:    m.CategoryTemplates,
			Rationale:   m.RationaleTemplates,
			Conditional: m.ConditionalTemplates,
		},
	}
}

func setLabels(c *core.Classifier, m *wire.LabelSet) (wire.Message, error) {
	categories := make([]explain.Category, len(m.Categories))
	for i, k := range m.Categories {
		categories[i] = explain.Category(k)
	}
	var warnings []string
	var err error
	templates, cacheBytes := explain.Templates(m.Templates), int(min(m.CacheBytes, 1<<30))
	if m.Checked {
		err = c.SetCheckedLabels(templates, categories, cacheBytes)
	} else {
		warnings, err = c.SetLabels(templates, categories, cacheBytes)
	}
	if err != nil {
		return nil, err
	}
	l := c.Labels()
	return &wire.LabelsInfo{
		Categories: uint32(len(l.Categories)),
		Rationales: uint32(len(l.Rationales)),
		Warnings:   warnings,
	}, nil
}

func seed(c *core.Classifier, m *wire.Seed) error {
	model := c.Model()
	if model != nil && int(m.Dim) != model.ProjectionDim {
		return errs.New("labels: a seed of dimension ", m.Dim, ", the weights have ", model.ProjectionDim)
	}
	first := int(min(m.First, 1<<20))
	switch m.Kind {
	case wire.SeedCategories:
		return c.SeedCategories(first, m.Data)
	case wire.SeedRationales:
		return c.SeedRationales(first, m.Data)
	}
	return errs.New("labels: unknown kind of seed ", uint32(m.Kind))
}

func answer(c *core.Classifier) (wire.Message, error) {
	a, err := c.Answer()
	if err != nil {
		return nil, err
	}
	v, err := c.Embedding()
	if err != nil {
		return nil, err
	}
	m := &wire.Answer{
		Method:         wire.Method(a.Method),
		Kept:           uint32(a.Kept),
		Uncovered:      a.Uncovered,
		ImageEmbedding: v,
	}
	for _, k := range a.Categories {
		s := wire.CategoryScore{Category: k.Category, Probability: k.Probability}
		for _, r := range k.Rationales {
			s.Rationales = append(s.Rationales, wire.RationaleScore(r))
		}
		m.Categories = append(m.Categories, s)
	}
	return m, nil
}
