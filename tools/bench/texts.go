package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/wasm/host/labelpack"
)

// conditionalTexts are prompts of a label pack's categories given its rationales.
type conditionalTexts struct {
	sample     []string
	categories int // that each rationale is combined with
}

// readTexts draws n of the conditional prompts of the label pack at path.
func readTexts(path string, n int) (conditionalTexts, error) {
	pack, err := labelpack.Read(path)
	if err != nil {
		return conditionalTexts{}, err
	}
	if len(pack.Templates.Conditional) == 0 {
		return conditionalTexts{}, fmt.Errorf("%s has no conditional template of its own", path)
	}
	r := rand.New(rand.NewPCG(1, 1))
	set := pack.LabelSet()
	rationales := set.DistinctRationales()
	texts := conditionalTexts{categories: len(pack.Categories)}
	for range n {
		c, rationale := pack.Categories[r.IntN(len(pack.Categories))].Name, rationales[r.IntN(len(rationales))]
		texts.sample = append(texts.sample, explain.ConditionalPrompt(pack.Templates.Conditional[0], c, rationale))
	}
	return texts, nil
}
