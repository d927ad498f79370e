package convert

import (
	"strconv"
	"strings"

	"github.com/ecor-clip/ecor/core/clip"
	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
)

// metadata returns the weights file's metadata as docs/architecture.md lists it.
func metadata(c *checkpoint.Checkpoint, o *Options, sha256 string) map[string]string {
	m := map[string]string{
		"format":               clip.Format,
		"name":                 o.Name,
		"license":              c.License,
		"scheme":               string(o.Scheme),
		"source_sha256":        sha256,
		"projection_dim":       strconv.Itoa(c.ProjectionDim),
		"vision.image_size":    strconv.Itoa(c.Vision.ImageSize),
		"vision.patch_size":    strconv.Itoa(c.Vision.PatchSize),
		"text.vocab_size":      strconv.Itoa(c.Text.VocabSize),
		"text.context_length":  strconv.Itoa(c.Text.ContextLength),
		"text.bos":             strconv.Itoa(c.Text.BOS),
		"text.eos":             strconv.Itoa(c.Text.EOS),
		"image.resize":         strconv.Itoa(c.Image.Resize),
		"image.crop":           strconv.Itoa(c.Image.Crop),
		"image.mean":           numbers(c.Image.Mean[:]...),
		"image.std":            numbers(c.Image.Std[:]...),
		"template.category":    strings.Join(o.Templates.Category, "\n"),
		"template.rationale":   strings.Join(o.Templates.Rationale, "\n"),
		"template.conditional": strings.Join(o.Templates.Conditional, "\n"),
	}
	if o.Scheme == quant.W4A7 {
		m["group_size"] = strconv.Itoa(o.Group)
		m["embedding_bits"] = "8"
		if o.Embed4 {
			m["embedding_bits"] = "4"
		}
	}
	addTower(m, "vision", &c.Vision.Tower)
	addTower(m, "text", &c.Text.Tower)
	return m
}

func addTower(m map[string]string, prefix string, t *checkpoint.Tower) {
	m[prefix+".hidden_size"] = strconv.Itoa(t.HiddenSize)
	m[prefix+".intermediate_size"] = strconv.Itoa(t.IntermediateSize)
	m[prefix+".layers"] = strconv.Itoa(t.Layers)
	m[prefix+".heads"] = strconv.Itoa(t.Heads)
	m[prefix+".activation"] = t.Activation
	m[prefix+".layer_norm_eps"] = numbers(t.LayerNormEps)
}

// engineDigits is the number of digits that the engine reads of a number.
const engineDigits = 15

// numbers writes values as they are or, where that takes more digits than the engine reads, as the shortest that are the
// same in float32, in which it computes: at most 9 digits.
func numbers(values ...float64) string {
	text := make([]string, len(values))
	for i, v := range values {
		bits := 64
		if short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', engineDigits-1, 64), 64); short != v {
			bits = 32
		}
		text[i] = strconv.FormatFloat(v, 'g', -1, bits)
	}
	return strings.Join(text, " ")
}

// tokenizerTensors returns the vocabulary and the merges as text.
func tokenizerTensors(t *checkpoint.Tokenizer) []safetensors.TensorData {
	var vocab, merges []byte
	for _, token := range t.Vocab {
		vocab = append(append(vocab, token...), '\n')
	}
	for _, m := range t.Merges {
		merges = append(merges, m[0]+" "+m[1]+"\n"...)
	}
	return []safetensors.TensorData{
		{Name: "tokenizer.merges", DType: safetensors.U8, Shape: []int{len(merges)}, Data: merges},
		{Name: "tokenizer.vocab", DType: safetensors.U8, Shape: []int{len(vocab)}, Data: vocab},
	}
}
