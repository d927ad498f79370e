// Package randomcheckpoint writes checkpoints of the true shapes of well-known models with random weights, to measure
// speed, memory and losses on without fetching anything.
package randomcheckpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/work"
)

// Shape is the size of a model.
type Shape struct {
	Image, Patch              int // pixels
	VisionWidth, VisionLayers int
	TextWidth, TextLayers     int
	Projection                int
}

// Shapes are OpenAI's models by their usual names. A head has 64 values, an MLP four times the width.
var Shapes = map[string]Shape{
	"vit-b-32": {224, 32, 768, 12, 512, 12, 512},
	"vit-b-16": {224, 16, 768, 12, 512, 12, 512},
	"vit-l-14": {224, 14, 1024, 24, 768, 12, 768},
}

// vocabulary is the number of tokens, context of those in a text.
const (
	vocabulary = 49408
	context    = 77
)

// Write writes a checkpoint in the Hugging Face layout, its weights float16. The same seed gives the same bytes.
func Write(dir string, s Shape, seed uint64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tower := func(width, layers int) map[string]any {
		return map[string]any{
			"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers, "num_attention_heads": width / 64,
			"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
		}
	}
	vision, text := tower(s.VisionWidth, s.VisionLayers), tower(s.TextWidth, s.TextLayers)
	vision["image_size"], vision["patch_size"] = s.Image, s.Patch
	text["vocab_size"], text["max_position_embeddings"] = vocabulary, context
	text["bos_token_id"], text["eos_token_id"] = vocabulary-2, vocabulary-1
	vocab, merges := tokens()
	for name, v := range map[string]any{
		"config.json": map[string]any{
			"model_type": "clip", "architectures": []string{"CLIPModel"}, "projection_dim": s.Projection,
			"vision_config": vision, "text_config": text,
		},
		"preprocessor_config.json": map[string]any{
			"do_resize": true, "size": map[string]any{"shortest_edge": s.Image}, "resample": 3,
			"do_center_crop": true, "crop_size": map[string]any{"height": s.Image, "width": s.Image},
			"do_rescale": true, "rescale_factor": 1.0 / 255, "do_normalize": true,
			"image_mean": []float64{0.48145466, 0.4578275, 0.40821073}, "image_std": []float64{0.26862954, 0.26130258, 0.27577711},
		},
		"vocab.json": vocab,
	} {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "merges.txt"), []byte("#version: 0.2\n"+strings.Join(merges, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	c := &checkpoint.Config{ProjectionDim: s.Projection}
	c.Vision.Tower = checkpoint.Tower{HiddenSize: s.VisionWidth, IntermediateSize: 4 * s.VisionWidth, Layers: s.VisionLayers}
	c.Vision.ImageSize, c.Vision.PatchSize, c.Vision.Channels = s.Image, s.Patch, 3
	c.Text.Tower = checkpoint.Tower{HiddenSize: s.TextWidth, IntermediateSize: 4 * s.TextWidth, Layers: s.TextLayers}
	c.Text.VocabSize, c.Text.ContextLength = vocabulary, context
	return writeModel(filepath.Join(dir, "model.safetensors"), c.Tensors(), seed)
}

// tokens returns a vocabulary as CLIP's: the symbols of all bytes, bare and at the end of a word, then merges of small
// letters to two, three and four, then the start and the end token.
func tokens() (vocab map[string]int, merges []string) {
	vocab = map[string]int{}
	add := func(token string) { vocab[token] = len(vocab) }
	var symbols []string
	spare := rune(256)
	for b := range rune(256) {
		if b >= '!' && b <= '~' || b >= '¡' && b <= '¬' || b >= '®' {
			symbols = append(symbols, string(b))
		} else {
			symbols = append(symbols, string(spare))
			spare++
		}
	}
	for _, end := range []string{"", "</w>"} {
		for _, s := range symbols {
			add(s + end)
		}
	}
	begins := make([]string, 26)
	for i := range begins {
		begins[i] = string(rune('a' + i))
	}
	for len(vocab) < vocabulary-2 {
		var longer []string
		for _, begin := range begins {
			for letter := 'a'; letter <= 'z'; letter++ {
				for _, end := range []string{"", "</w>"} {
					if len(vocab) == vocabulary-2 {
						break
					}
					add(begin + string(letter) + end)
					merges = append(merges, begin+" "+string(letter)+end)
					if end == "" {
						longer = append(longer, begin+string(letter))
					}
				}
			}
		}
		begins = longer
	}
	add("<|startoftext|>")
	add("<|endoftext|>")
	return vocab, merges
}

func writeModel(path string, tensors []checkpoint.Tensor, seed uint64) (err error) {
	layout := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		layout[i] = safetensors.Tensor{Name: t.Name, DType: safetensors.F16, Shape: t.Shape}
	}
	head, err := safetensors.Layout(map[string]string{"format": "pt"}, layout)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	if _, err := f.Write(head); err != nil {
		return err
	}
	failed := make([]error, len(tensors))
	work.Do(len(tensors), func(i int) {
		values := draw(tensors[i], rand.New(rand.NewPCG(seed, uint64(i))))
		b := make([]byte, 0, 2*len(values))
		for _, v := range values {
			b = binary.LittleEndian.AppendUint16(b, half(v))
		}
		_, failed[i] = f.WriteAt(b, int64(len(head))+int64(layout[i].Begin))
	})
	for i, err := range failed {
		if err != nil {
			return fmt.Errorf("%s: %w", tensors[i].Name, err)
		}
	}
	return nil
}

// draw returns values of a size that trained models have: weights are of the scale that keeps a layer's outputs near
// one, some rows and columns are larger than others, and LayerNorms differ from channel to channel.
func draw(t checkpoint.Tensor, rng *rand.Rand) []float32 {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	out := make([]float32, n)
	name := t.Name
	switch {
	case name == "logit_scale":
		out[0] = 4.6
	case t.Kind == checkpoint.Linear:
		in := n / t.Shape[0]
		size := 1 / math.Sqrt(float64(in))
		if strings.Contains(name, "out_proj") || strings.Contains(name, "fc2") {
			size /= 2 // what is added to the residual stream
		}
		columns := make([]float64, in)
		for j := range columns {
			columns[j] = size * math.Exp(0.3*rng.NormFloat64())
		}
		for i := range t.Shape[0] {
			row := math.Exp(0.3 * rng.NormFloat64())
			for j, c := range columns {
				out[i*in+j] = float32(row * c * rng.NormFloat64())
			}
		}
	case strings.Contains(name, "norm") && strings.HasSuffix(name, ".weight"):
		for i := range out {
			out[i] = float32(math.Exp(0.3 * rng.NormFloat64()))
		}
	default: // biases and embeddings
		size := 0.1
		if strings.Contains(name, "embedding") {
			size = 0.3
		}
		for i := range out {
			out[i] = float32(size * rng.NormFloat64())
		}
	}
	return out
}

// half returns the float16 nearest to v, which is neither too large for one nor NaN; what is too small for a normal
// number becomes zero.
func half(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	if b < 0x38800000 {
		return sign
	}
	b += 0xfff + b>>13&1 // ties to even
	return sign | uint16((b-0x38000000)>>13)
}
