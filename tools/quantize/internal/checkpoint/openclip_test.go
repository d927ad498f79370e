package checkpoint

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
)

func TestOpenCLIP(t *testing.T) {
	for _, prefix := range []string{"", "text."} {
		for _, name := range []string{"tiny", "tiny-gelu"} {
			want := open(t, checkpointtest.Golden(t, name))
			dir := checkpointtest.Copy(t, name)
			checkpointtest.ToOpenCLIP(t, dir, prefix)
			got := open(t, dir)
			assert.Equal(t, want.Config, got.Config)
			image := want.Image
			image.Resize = image.Crop // open_clip resizes to the crop's size
			assert.Equal(t, image, got.Image)
			requireSameTensors(t, want, got)
		}
	}
}

// Published directories often hold a configuration of each kind: that of the weights which are there counts.
func TestBothConfigurations(t *testing.T) {
	dir := checkpointtest.Copy(t, "tiny")
	checkpointtest.ToOpenCLIP(t, dir, "")
	write("config.json", `{"architecture": "vit_base_patch32_clip_224", "num_classes": 512}`)(t, dir)
	assert.Equal(t, 24, open(t, dir).Image.Resize, "beside timm's config.json")

	config, err := os.ReadFile(filepath.Join(checkpointtest.Golden(t, "tiny"), "config.json"))
	require.NoError(t, err)
	write("config.json", string(config))(t, dir)
	assert.Equal(t, 24, open(t, dir).Image.Resize, "beside a CLIPModel's config.json without weights")

	for _, file := range []string{"model.safetensors", "preprocessor_config.json"} {
		b, err := os.ReadFile(filepath.Join(checkpointtest.Golden(t, "tiny"), file))
		require.NoError(t, err)
		write(file, string(b))(t, dir)
	}
	assert.Equal(t, 26, open(t, dir).Image.Resize, "beside a CLIPModel with weights")
}

func TestOpenCLIPShards(t *testing.T) {
	dir := checkpointtest.Copy(t, "tiny")
	want := open(t, checkpointtest.Golden(t, "tiny"))
	checkpointtest.ToOpenCLIP(t, dir, "text.")
	require.NoError(t, os.Rename(filepath.Join(dir, "open_clip_model.safetensors"), filepath.Join(dir, "model.safetensors")))
	requireSameTensors(t, want, open(t, dir))
	checkpointtest.Shard(t, dir, "model.safetensors", 2)
	requireSameTensors(t, want, open(t, dir))
}

// What open_clip_config.json leaves out is a ViT-B/16 of open_clip.
func TestOpenCLIPDefaults(t *testing.T) {
	c, image, err := parseOpenCLIP([]byte(`{"model_cfg": {"embed_dim": 512, "vision_cfg": {}, "text_cfg": {}}}`))
	require.NoError(t, err)
	assert.Equal(t, Config{
		ProjectionDim: 512,
		Vision:        Vision{Tower: Tower{768, 3072, 12, 12, "gelu", 1e-5}, ImageSize: 224, PatchSize: 16, Channels: 3},
		Text:          Text{Tower: Tower{512, 2048, 12, 8, "gelu", 1e-5}, VocabSize: 49408, ContextLength: 77, EOS: 2},
	}, c)
	assert.Equal(t, Image{224, 224, [3]float64{0.48145466, 0.4578275, 0.40821073}, [3]float64{0.26862954, 0.26130258, 0.27577711}}, image)
}

// Settings of training and settings that are turned off change nothing.
func TestOpenCLIPHarmlessSettings(t *testing.T) {
	_, _, err := parseOpenCLIP([]byte(`{
		"model_cfg": {
			"embed_dim": 1024, "quick_gelu": true, "init_logit_bias": null,
			"vision_cfg": {"image_size": [378, 378], "layers": 32, "width": 1280, "head_width": 80, "patch_size": 14, "patch_dropout": 0.5,
				"no_ln_pre": false, "ls_init_value": null, "pool_type": "tok", "timm_model_name": null, "timm_pool": "avg"},
			"text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 1024, "heads": 16, "layers": 24, "pool_type": "argmax",
				"hf_tokenizer_name": "openai/clip-vit-large-patch14", "tokenizer_kwargs": {}, "proj_bias": false}
		},
		"preprocess_cfg": {"size": [378, 378], "mode": "RGB", "fill_color": 0}
	}`))
	require.NoError(t, err)
}

func TestOpenCLIPConfigErrors(t *testing.T) {
	type object = map[string]any
	for _, c := range []struct {
		name                            string
		model, vision, text, preprocess object
		want                            string
	}{
		{"ResNet", nil, object{"layers": []int{3, 4, 6, 3}}, nil, nil, "CLIP with a ResNet image tower is not supported"},
		{"SigLIP", nil, object{"timm_model_name": "vit_base_patch16_siglip_224"}, nil, nil, "SigLIP is not supported"},
		{"SigLIP's loss", object{"init_logit_bias": -10}, nil, nil, nil, "SigLIP is not supported"},
		{"CoCa", object{"multimodal_cfg": object{"width": 512}}, nil, nil, nil, "CoCa (multimodal_cfg) is not supported"},
		{"EVA", nil, object{"timm_model_name": "eva02_base_patch16_clip_224"}, nil, nil, "EVA-CLIP (eva02_base_patch16_clip_224) is not supported"},
		{"timm", nil, object{"timm_model_name": "fastvit_mci2"}, nil, nil, `vision_cfg.timm_model_name is "fastvit_mci2": image towers of timm`},
		{"text tower", nil, nil, object{"hf_model_name": "xlm-roberta-base"}, nil, `text_cfg.hf_model_name is "xlm-roberta-base"`},
		{"pooling of patches", nil, object{"pool_type": "avg"}, nil, nil, `vision_cfg.pool_type is "avg": want "tok"`},
		{"attention pooling", nil, object{"attentional_pool": true}, nil, nil, "vision_cfg.attentional_pool is true: not supported"},
		{"no LayerNorm before", nil, object{"no_ln_pre": true}, nil, nil, "vision_cfg.no_ln_pre is true: not supported"},
		{"fixed positions", nil, object{"pos_embed_type": "sin_cos_2d"}, nil, nil, `vision_cfg.pos_embed_type is "sin_cos_2d"`},
		{"layer scale", nil, object{"ls_init_value": 1e-5}, nil, nil, "vision_cfg.ls_init_value is 0.00001: not supported"},
		{"other GELU", nil, nil, object{"act_kwargs": object{"approximate": "tanh"}}, nil, `text_cfg.act_kwargs is {"approximate":"tanh"}: not supported`},
		{"not causal", nil, nil, object{"no_causal_mask": true}, nil, "text_cfg.no_causal_mask is true"},
		{"text pooling", nil, nil, object{"pool_type": "last"}, nil, `text_cfg.pool_type is "last": want "argmax"`},
		{"projection bias", nil, nil, object{"proj_bias": true}, nil, "text_cfg.proj_bias is true"},
		{"unknown setting", nil, object{"window": 7}, nil, nil, "vision_cfg.window is 7: not supported"},
		{"unknown norm", nil, object{"norm_kwargs": object{"bias": true}}, nil, nil, "vision_cfg.norm_kwargs.bias is true"},
		{"unknown part", object{"audio_cfg": object{"layers": 1}}, nil, nil, nil, "model_cfg.audio_cfg is"},
		{"head width", nil, object{"head_width": 60}, nil, nil, "vision_cfg.width 768 is not a multiple of head_width 60"},
		{"heads", nil, nil, object{"heads": 7}, nil, "text_cfg.width 512 is not a multiple of text_cfg.heads 7"},
		{"layers", nil, nil, object{"layers": -1}, nil, "text_cfg.layers is -1: want 1 to 1048576"},
		{"no text", nil, nil, object{"context_length": 0}, nil, "text_cfg.context_length is 0: want 1"},
		{"mlp", nil, object{"mlp_ratio": -1}, nil, nil, "vision_cfg.width times mlp_ratio is 0"},
		{"not square", nil, object{"image_size": []int{224, 336}}, nil, nil, "vision_cfg.image_size is [224 336]: want a square"},
		{"not a size", nil, object{"image_size": []string{"224"}}, nil, nil, `vision_cfg.image_size is ["224"]: want a list of numbers`},
		{"not a number", nil, object{"width": "768"}, nil, nil, `vision_cfg.width is "768": want a whole number`},
		{"not whole", nil, object{"width": 768.5}, nil, nil, "vision_cfg.width is 768.5: want a whole number"},
		{"ratio", nil, object{"mlp_ratio": "4"}, nil, nil, `vision_cfg.mlp_ratio is "4": want a number`},
		{"not true or false", object{"quick_gelu": "yes"}, nil, nil, nil, `model_cfg.quick_gelu is "yes": want true or false`},
		{"no projection", object{"embed_dim": nil}, nil, nil, nil, "embed_dim is 0: want 1"},
		{"bilinear", nil, nil, nil, object{"interpolation": "bilinear"}, `preprocess_cfg.interpolation is "bilinear": want "bicubic"`},
		{"squash", nil, nil, nil, object{"resize_mode": "squash"}, `preprocess_cfg.resize_mode is "squash": want "shortest"`},
		{"two sizes", nil, nil, nil, object{"size": 256}, "preprocess_cfg.size is 256, vision_cfg.image_size is 224"},
		{"mean", nil, nil, nil, object{"mean": []float64{0.5}}, "preprocess_cfg.mean has 1 values: want 3"},
		{"std", nil, nil, nil, object{"std": []float64{0.5, 0, 0.5}}, "preprocess_cfg.std[1] is 0: want a positive value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			model := object{"embed_dim": 512, "vision_cfg": c.vision, "text_cfg": c.text}
			maps.Copy(model, c.model)
			b, err := json.Marshal(object{"model_cfg": model, "preprocess_cfg": c.preprocess})
			require.NoError(t, err)
			_, err = ReadConfig("open_clip_config.json", b)
			require.ErrorContains(t, err, "open_clip_config.json: "+c.want)
		})
	}
	for _, c := range []struct{ file, text, want string }{
		{"open_clip_config.json", "{}", "model_cfg is missing"},
		{"open_clip_config.json", "{", "open_clip_config.json: unexpected end of JSON input"},
		{"config.json", `{"model_type": "siglip2"}`, "SigLIP 2"},
		{"tokenizer.json", "", "want config.json or open_clip_config.json"},
	} {
		_, err := ReadConfig(c.file, []byte(c.text))
		require.ErrorContains(t, err, c.want)
	}
}

func TestOpenCLIPTensorErrors(t *testing.T) {
	renamed := func(name string) func(x []safetensors.TensorData) []safetensors.TensorData {
		return func(x []safetensors.TensorData) []safetensors.TensorData {
			x[0].Name = name
			return x
		}
	}
	without := func(name string) func(x []safetensors.TensorData) []safetensors.TensorData {
		return func(x []safetensors.TensorData) (out []safetensors.TensorData) {
			for _, t := range x {
				if t.Name != name {
					out = append(out, t)
				}
			}
			return out
		}
	}
	const inProj = "visual.transformer.resblocks.1.attn.in_proj_weight"
	for _, c := range []struct {
		name string
		edit func(x []safetensors.TensorData) []safetensors.TensorData
		want string
	}{
		{"ResNet", renamed("visual.layer1.0.conv1.weight"), "ResNet image tower"},
		{"CoCa", renamed("text_decoder.resblocks.0.ln_1.weight"), "belongs to CoCa"},
		{"EVA", renamed("visual.blocks.0.attn.q_proj.weight"), "belongs to EVA-CLIP"},
		{"timm", renamed("visual.trunk.blocks.0.norm1.weight"), "belongs to an image tower of timm"},
		{"SigLIP", renamed("logit_bias"), "belongs to SigLIP"},
		{"Hugging Face's names", renamed("vision_model.pre_layrnorm.bias"), "is named as in Hugging Face's CLIPModel"},
		{"missing", without(inProj), `open_clip_model.safetensors: tensor "` + inProj + `" is missing`},
		{"extra", func(x []safetensors.TensorData) []safetensors.TensorData {
			return append(x, safetensors.TensorData{Name: "adapter", DType: safetensors.F32, Data: make([]byte, 4)})
		}, `tensor "adapter" is not part of the model that open_clip_config.json describes`},
		{"shape", func(x []safetensors.TensorData) []safetensors.TensorData {
			for i := range x {
				if x[i].Name == "visual.proj" {
					x[i].Shape = []int{24, 32}
				}
			}
			return x
		}, `tensor "visual.proj" has shape [24 32]: want [32 24]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := checkpointtest.Copy(t, "tiny")
			checkpointtest.ToOpenCLIP(t, dir, "")
			const file = "open_clip_model.safetensors"
			checkpointtest.WriteTensors(t, dir, file, c.edit(checkpointtest.ReadTensors(t, filepath.Join(dir, file))))
			_, err := Open(dir)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A value that is not finite is named by the stored tensor and by its place there.
func TestOpenCLIPLoadError(t *testing.T) {
	dir := checkpointtest.Copy(t, "tiny")
	checkpointtest.ToOpenCLIP(t, dir, "")
	const file, name = "open_clip_model.safetensors", "transformer.resblocks.0.attn.in_proj_weight"
	x := checkpointtest.ReadTensors(t, filepath.Join(dir, file))
	checkpointtest.EditFloats(t, x, name, func(i int, v float32) float32 {
		if i == 2*32*32+5 {
			return v / 0
		}
		return v
	})
	checkpointtest.WriteTensors(t, dir, file, x)
	c := open(t, dir)
	for _, part := range []string{"q", "k"} {
		_, err := c.Load("text_model.encoder.layers.0.self_attn." + part + "_proj.weight")
		require.NoError(t, err)
	}
	_, err := c.Load("text_model.encoder.layers.0.self_attn.v_proj.weight")
	require.ErrorContains(t, err, `open_clip_model.safetensors: "transformer.resblocks.0.attn.in_proj_weight" holds`)
	require.ErrorContains(t, err, "at element 2053: want finite values")
}

// FuzzReadConfig: no configuration makes the reader panic, and what it accepts has towers.
func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(`{"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": [224, 224], "head_width": 64}, "text_cfg": {"mlp_ratio": 1e300}}}`))
	f.Add([]byte(`{"model_cfg": {"embed_dim": 1, "vision_cfg": {"head_width": -1, "norm_kwargs": []}, "text_cfg": null}, "preprocess_cfg": [1]}`))
	f.Add([]byte(`{"model_type": "clip", "text_config_dict": {"hidden_size": 8}, "vision_config_dict": {}, "text_config": 3}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{configFile, openCLIPConfigFile} {
			c, err := ReadConfig(name, b)
			if err != nil {
				continue
			}
			for _, n := range []int{c.ProjectionDim, c.Vision.Heads, c.Vision.IntermediateSize, c.Vision.PatchSize, c.Text.Layers, c.Text.ContextLength} {
				require.True(t, n > 0 && n <= maxSize, "%s: %d", name, n)
			}
		}
	})
}
