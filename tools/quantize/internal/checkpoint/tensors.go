package checkpoint

import "fmt"

// Kind is the part that a tensor plays.
type Kind uint8

// Kinds of tensors.
const (
	Other     Kind = iota // bias, LayerNorm, class and position embeddings, logit scale
	Linear                // weight of a linear layer (out, in), or of the patch embedding (out, 3, patch, patch)
	Embedding             // token embedding (tokens, width)
)

// Tensor is a tensor of a CLIPModel.
type Tensor struct {
	Name  string
	Shape []int
	Kind  Kind
}

// Tensors lists the tensors of a CLIPModel with this configuration.
func (c *Config) Tensors() []Tensor {
	v, t := &c.Vision, &c.Text
	grid := v.ImageSize / v.PatchSize
	out := []Tensor{
		{"logit_scale", nil, Other},
		{"text_model.embeddings.token_embedding.weight", []int{t.VocabSize, t.HiddenSize}, Embedding},
		{"text_model.embeddings.position_embedding.weight", []int{t.ContextLength, t.HiddenSize}, Other},
		{"text_projection.weight", []int{c.ProjectionDim, t.HiddenSize}, Linear},
		{"vision_model.embeddings.class_embedding", []int{v.HiddenSize}, Other},
		{"vision_model.embeddings.patch_embedding.weight", []int{v.HiddenSize, v.Channels, v.PatchSize, v.PatchSize}, Linear},
		{"vision_model.embeddings.position_embedding.weight", []int{grid*grid + 1, v.HiddenSize}, Other},
		{"visual_projection.weight", []int{c.ProjectionDim, v.HiddenSize}, Linear},
	}
	out = append(out, norm("text_model.final_layer_norm", t.HiddenSize)...)
	out = append(out, norm("vision_model.pre_layrnorm", v.HiddenSize)...) // the misspelling is CLIPModel's
	out = append(out, norm("vision_model.post_layernorm", v.HiddenSize)...)
	out = append(out, t.layers("text_model")...)
	return append(out, v.layers("vision_model")...)
}

func (t *Tower) layers(model string) []Tensor {
	var out []Tensor
	for i := range t.Layers {
		layer := LayerName(model, i)
		out = append(out, norm(layer+".layer_norm1", t.HiddenSize)...)
		out = append(out, norm(layer+".layer_norm2", t.HiddenSize)...)
		for _, p := range []string{"q_proj", "k_proj", "v_proj", "out_proj"} {
			out = append(out, linear(layer+".self_attn."+p, t.HiddenSize, t.HiddenSize)...)
		}
		out = append(out, linear(layer+".mlp.fc1", t.IntermediateSize, t.HiddenSize)...)
		out = append(out, linear(layer+".mlp.fc2", t.HiddenSize, t.IntermediateSize)...)
	}
	return out
}

// LayerName returns the name of layer i of model, "text_model" or "vision_model".
func LayerName(model string, i int) string { return fmt.Sprintf("%s.encoder.layers.%d", model, i) }

func norm(name string, width int) []Tensor {
	return []Tensor{{name + ".weight", []int{width}, Other}, {name + ".bias", []int{width}, Other}}
}

func linear(name string, out, in int) []Tensor {
	return []Tensor{{name + ".weight", []int{out, in}, Linear}, {name + ".bias", []int{out}, Other}}
}
