package checkpointtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
)

// WriteTensors writes a safetensors file of a checkpoint.
func WriteTensors(t testing.TB, dir, file string, tensors []safetensors.TensorData) {
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, nil, tensors))
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), b.Bytes(), 0o644))
}

// Shard splits a safetensors file of a checkpoint into n files with an index and returns the files' names.
func Shard(t testing.TB, dir, file string, n int) []string {
	path := filepath.Join(dir, file)
	tensors := ReadTensors(t, path)
	require.NoError(t, os.Remove(path))
	index := map[string]string{}
	names := make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("%s-%05d-of-%05d.safetensors", strings.TrimSuffix(file, ".safetensors"), i+1, n)
		part := tensors[i*len(tensors)/n : (i+1)*len(tensors)/n]
		WriteTensors(t, dir, names[i], part)
		for _, x := range part {
			index[x.Name] = names[i]
		}
	}
	WriteJSON(t, dir, file+".index.json", map[string]any{"metadata": map[string]any{}, "weight_map": index})
	return names
}

// ToOpenCLIP turns a checkpoint of float32 tensors into open_clip's layout. textPrefix, empty or "text.", begins the names of
// the text tower's tensors.
func ToOpenCLIP(t testing.TB, dir, textPrefix string) {
	stored := map[string]safetensors.TensorData{}
	for _, x := range ReadTensors(t, filepath.Join(dir, "model.safetensors")) {
		stored[x.Name] = x
	}
	var out []safetensors.TensorData
	add := func(name string, x safetensors.TensorData) {
		x.Name = name
		out = append(out, x)
	}
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		x := stored[name]
		for _, part := range []string{"k_proj", "v_proj"} {
			if strings.Contains(name, part) {
				name = ""
			}
		}
		if name == "" {
			continue // joined with q_proj
		}
		if strings.Contains(name, "q_proj") {
			for _, part := range []string{"k_proj", "v_proj"} {
				x.Data = slices.Concat(x.Data, stored[strings.Replace(name, "q_proj", part, 1)].Data)
			}
			x.Shape = slices.Clone(x.Shape)
			x.Shape[0] *= 3
		}
		if name == "visual_projection.weight" || name == "text_projection.weight" {
			x = transpose(x)
		}
		add(openCLIPName.Replace(textTower(name, textPrefix)), x)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "model.safetensors")))
	WriteTensors(t, dir, "open_clip_model.safetensors", out)
	writeOpenCLIPConfig(t, dir, textPrefix != "")
}

func textTower(name, prefix string) string {
	if strings.HasPrefix(name, "text_") {
		return prefix + name
	}
	return name
}

var openCLIPName = strings.NewReplacer(
	"vision_model.encoder.layers.", "visual.transformer.resblocks.",
	"text_model.encoder.layers.", "transformer.resblocks.",
	"vision_model.embeddings.patch_embedding", "visual.conv1",
	"vision_model.embeddings.class_embedding", "visual.class_embedding",
	"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding",
	"vision_model.pre_layrnorm", "visual.ln_pre",
	"vision_model.post_layernorm", "visual.ln_post",
	"visual_projection.weight", "visual.proj",
	"text_model.embeddings.token_embedding", "token_embedding",
	"text_model.embeddings.position_embedding.weight", "positional_embedding",
	"text_model.final_layer_norm", "ln_final",
	"text_projection.weight", "text_projection",
	"self_attn.q_proj.", "attn.in_proj_",
	"self_attn.out_proj", "attn.out_proj",
	"layer_norm", "ln_",
	"mlp.fc1", "mlp.c_fc",
	"mlp.fc2", "mlp.c_proj",
)

func transpose(x safetensors.TensorData) safetensors.TensorData {
	rows, cols, size := x.Shape[0], x.Shape[1], x.DType.Size()
	data := make([]byte, 0, len(x.Data))
	for j := range cols {
		for i := range rows {
			at := (i*cols + j) * size
			data = append(data, x.Data[at:at+size]...)
		}
	}
	x.Shape, x.Data = []int{cols, rows}, data
	return x
}

// writeOpenCLIPConfig replaces config.json and preprocessor_config.json.
func writeOpenCLIPConfig(t testing.TB, dir string, custom bool) {
	var config struct {
		Projection   int `json:"projection_dim"`
		Vision, Text struct {
			Width        int     `json:"hidden_size"`
			Intermediate int     `json:"intermediate_size"`
			Layers       int     `json:"num_hidden_layers"`
			Heads        int     `json:"num_attention_heads"`
			Eps          float64 `json:"layer_norm_eps"`
			Activation   string  `json:"hidden_act"`
			Image        int     `json:"image_size"`
			Patch        int     `json:"patch_size"`
			Vocabulary   int     `json:"vocab_size"`
			Context      int     `json:"max_position_embeddings"`
		}
	}
	for _, part := range []struct {
		key string
		to  any
	}{{"projection_dim", &config.Projection}, {"vision_config", &config.Vision}, {"text_config", &config.Text}} {
		EditJSON(t, dir, "config.json", func(o map[string]any) {
			b, err := json.Marshal(o[part.key])
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(b, part.to))
		})
	}
	v, x := config.Vision, config.Text
	WriteJSON(t, dir, "open_clip_config.json", map[string]any{
		"model_cfg": map[string]any{
			"embed_dim":   config.Projection,
			"quick_gelu":  v.Activation == "quick_gelu",
			"custom_text": custom,
			"vision_cfg": map[string]any{
				"image_size": v.Image, "layers": v.Layers, "width": v.Width, "patch_size": v.Patch, "head_width": v.Width / v.Heads,
				"mlp_ratio": float64(v.Intermediate) / float64(v.Width), "norm_kwargs": map[string]any{"eps": v.Eps},
			},
			"text_cfg": map[string]any{
				"context_length": x.Context, "vocab_size": x.Vocabulary, "width": x.Width, "heads": x.Heads, "layers": x.Layers,
				"mlp_ratio": float64(x.Intermediate) / float64(x.Width), "norm_kwargs": map[string]any{"eps": x.Eps},
			},
		},
		"preprocess_cfg": map[string]any{
			"mean": []float64{0.48145466, 0.4578275, 0.40821073}, "std": []float64{0.26862954, 0.26130258, 0.27577711},
			"interpolation": "bicubic", "resize_mode": "shortest",
		},
	})
	require.NoError(t, os.Remove(filepath.Join(dir, "config.json")))
	require.NoError(t, os.Remove(filepath.Join(dir, "preprocessor_config.json")))
}
