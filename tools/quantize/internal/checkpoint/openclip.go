package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// openCLIP is the layout that open_clip pushes to the model hub. Its text tower's tensors are named with or without
// "text.", as the model was built from parts or not.
type openCLIP struct{}

const openCLIPConfigFile = "open_clip_config.json"

func (openCLIP) configFile() string { return openCLIPConfigFile }

func (openCLIP) weightsFiles() []string {
	return []string{"open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", modelFile}
}

func (openCLIP) configs(dir string) (Config, Image, error) {
	b, err := os.ReadFile(filepath.Join(dir, openCLIPConfigFile))
	if err != nil {
		return Config{}, Image{}, err
	}
	return parseOpenCLIP(b)
}

func (openCLIP) textPrefix(w *weights) string {
	if _, _, ok := w.tensor("text.token_embedding.weight"); ok {
		return "text."
	}
	return ""
}

// openCLIPNames maps a CLIPModel's names to open_clip's; those of the text tower without prefix.
var openCLIPNames = map[string]place{
	"logit_scale": whole("logit_scale"),
	"vision_model.embeddings.class_embedding":           whole("visual.class_embedding"),
	"vision_model.embeddings.patch_embedding.weight":    whole("visual.conv1.weight"),
	"vision_model.embeddings.position_embedding.weight": whole("visual.positional_embedding"),
	"vision_model.pre_layrnorm.weight":                  whole("visual.ln_pre.weight"),
	"vision_model.pre_layrnorm.bias":                    whole("visual.ln_pre.bias"),
	"vision_model.post_layernorm.weight":                whole("visual.ln_post.weight"),
	"vision_model.post_layernorm.bias":                  whole("visual.ln_post.bias"),
	"visual_projection.weight":                          {name: "visual.proj", parts: 1, transposed: true},
	"text_model.embeddings.token_embedding.weight":      whole("token_embedding.weight"),
	"text_model.embeddings.position_embedding.weight":   whole("positional_embedding"),
	"text_model.final_layer_norm.weight":                whole("ln_final.weight"),
	"text_model.final_layer_norm.bias":                  whole("ln_final.bias"),
	"text_projection.weight":                            {name: "text_projection", parts: 1, transposed: true},
	"layer_norm1.weight":                                whole("ln_1.weight"),
	"layer_norm1.bias":                                  whole("ln_1.bias"),
	"layer_norm2.weight":                                whole("ln_2.weight"),
	"layer_norm2.bias":                                  whole("ln_2.bias"),
	"self_attn.q_proj.weight":                           {name: "attn.in_proj_weight", part: 0, parts: 3},
	"self_attn.k_proj.weight":                           {name: "attn.in_proj_weight", part: 1, parts: 3},
	"self_attn.v_proj.weight":                           {name: "attn.in_proj_weight", part: 2, parts: 3},
	"self_attn.q_proj.bias":                             {name: "attn.in_proj_bias", part: 0, parts: 3},
	"self_attn.k_proj.bias":                             {name: "attn.in_proj_bias", part: 1, parts: 3},
	"self_attn.v_proj.bias":                             {name: "attn.in_proj_bias", part: 2, parts: 3},
	"self_attn.out_proj.weight":                         whole("attn.out_proj.weight"),
	"self_attn.out_proj.bias":                           whole("attn.out_proj.bias"),
	"mlp.fc1.weight":                                    whole("mlp.c_fc.weight"),
	"mlp.fc1.bias":                                      whole("mlp.c_fc.bias"),
	"mlp.fc2.weight":                                    whole("mlp.c_proj.weight"),
	"mlp.fc2.bias":                                      whole("mlp.c_proj.bias"),
}

func (openCLIP) place(name, textPrefix string) place {
	prefix := ""
	if strings.HasPrefix(name, "text_") {
		prefix = textPrefix
	}
	if rest, ok := strings.CutPrefix(name, "vision_model.encoder.layers."); ok {
		prefix, name = "visual.", rest
	} else if rest, ok := strings.CutPrefix(name, "text_model.encoder.layers."); ok {
		name = rest
	} else {
		p := openCLIPNames[name]
		p.name = prefix + p.name
		return p
	}
	layer, rest, _ := strings.Cut(name, ".")
	p := openCLIPNames[rest]
	p.name = prefix + "transformer.resblocks." + layer + "." + p.name
	return p
}

// ignored: buffers that early versions saved.
func (openCLIP) ignored(name string) bool {
	return slices.Contains([]string{"attn_mask", "text.attn_mask", "input_resolution", "context_length", "vocab_size"}, name)
}

func (openCLIP) refuse(name string) string {
	const coca = "belongs to CoCa, which is not supported"
	const eva = "belongs to EVA-CLIP, which is not supported"
	for _, r := range []struct{ prefix, reason string }{
		{"visual.attnpool.", reasonResNet},
		{"visual.layer1.", reasonResNet},
		{"visual.attn_pool", coca},
		{"text_decoder.", coca},
		{"visual.trunk.", "belongs to an image tower of timm, which is not supported"},
		{"visual.patch_embed.", eva},
		{"visual.blocks.", eva},
		{"visual.rope.", eva},
		{"logit_bias", "belongs to SigLIP, which is not supported"},
		{"text.transformer.embeddings.", "belongs to a text tower of Hugging Face's transformers, which is not supported"},
		{"vision_model.", "is named as in Hugging Face's CLIPModel: put the checkpoint's " + configFile + " in the place of " + openCLIPConfigFile},
	} {
		if strings.HasPrefix(name, r.prefix) {
			return r.reason
		}
	}
	return ""
}

// openCLIPFields are open_clip's names of the fields of a CLIPConfig.
var openCLIPFields = map[string]string{
	"projection_dim":                      "embed_dim",
	"vision_config.hidden_size":           "vision_cfg.width",
	"vision_config.intermediate_size":     "vision_cfg.width times mlp_ratio",
	"vision_config.num_hidden_layers":     "vision_cfg.layers",
	"vision_config.num_attention_heads":   "vision_cfg.width divided by head_width",
	"vision_config.layer_norm_eps":        "vision_cfg.norm_kwargs.eps",
	"vision_config.image_size":            "vision_cfg.image_size",
	"vision_config.patch_size":            "vision_cfg.patch_size",
	"text_config.hidden_size":             "text_cfg.width",
	"text_config.intermediate_size":       "text_cfg.width times mlp_ratio",
	"text_config.num_hidden_layers":       "text_cfg.layers",
	"text_config.num_attention_heads":     "text_cfg.heads",
	"text_config.layer_norm_eps":          "text_cfg.norm_kwargs.eps",
	"text_config.vocab_size":              "text_cfg.vocab_size",
	"text_config.max_position_embeddings": "text_cfg.context_length",
}

// parseOpenCLIP reads open_clip_config.json. What open_clip can do and a CLIPModel cannot is refused by the name of
// the setting, unknown settings too.
func parseOpenCLIP(b []byte) (Config, Image, error) {
	fail := func(err error) (Config, Image, error) {
		return Config{}, Image{}, fmt.Errorf("%s: %w", openCLIPConfigFile, err)
	}
	var file struct {
		Model      map[string]json.RawMessage `json:"model_cfg"`
		Preprocess json.RawMessage            `json:"preprocess_cfg"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return fail(err)
	}
	if file.Model == nil {
		return fail(fmt.Errorf("model_cfg is missing"))
	}
	if err := refuseOtherOpenCLIP(file.Model); err != nil {
		return fail(err)
	}
	model := settings{name: "model_cfg", values: file.Model}
	vision, text := model.object("vision_cfg"), model.object("text_cfg")
	c := Config{
		ProjectionDim: model.number("embed_dim", 0),
		Vision: Vision{
			Tower:     vision.tower(768),
			ImageSize: vision.side("image_size", 224),
			PatchSize: vision.side("patch_size", 16),
			Channels:  3,
		},
		Text: Text{
			Tower:         text.tower(512),
			VocabSize:     text.number("vocab_size", 49408),
			ContextLength: text.number("context_length", 77),
			EOS:           legacyEOS,
		},
	}
	if w := vision.number("head_width", 64); w > 0 && c.Vision.HiddenSize%w == 0 {
		c.Vision.Heads = c.Vision.HiddenSize / w
	} else {
		vision.fail("width %d is not a multiple of head_width %d", c.Vision.HiddenSize, w)
	}
	c.Text.Heads = text.number("heads", 8)
	c.Vision.Activation = gelu
	if model.flag("quick_gelu") {
		c.Vision.Activation = quickGELU
	}
	c.Text.Activation = c.Vision.Activation

	// What pooling keeps, the last LayerNorm may come before or after; training settings and names change nothing.
	model.anything("custom_text", "init_logit_scale", "output_dict", "cast_dtype", "nonscalar_logit_scale")
	vision.anything("patch_dropout", "output_tokens", "final_ln_after_pool", "attn_pooler_queries", "attn_pooler_heads",
		"timm_model_pretrained", "timm_pool", "timm_proj", "timm_proj_bias", "timm_drop", "timm_drop_path")
	vision.only("pool_type", "tok")
	vision.only("pos_embed_type", "learnable")
	vision.only("block_type", "default")
	text.anything("hf_tokenizer_name", "hf_model_pretrained", "hf_proj_type", "hf_pooler_type", "output_tokens", "final_ln_after_pool",
		"pad_id", "eos_id")
	text.only("pool_type", "argmax", "eos")
	text.only("proj_type", "linear")
	text.only("block_type", "default")
	for _, s := range []*settings{&model, vision, text} {
		if err := s.rest(); err != nil {
			return fail(err)
		}
	}
	if err := c.check(openCLIPConfigFile, openCLIPFields); err != nil {
		return Config{}, Image{}, err
	}
	image, err := parseOpenCLIPImage(file.Preprocess, c.Vision.ImageSize)
	if err != nil {
		return fail(err)
	}
	return c, image, nil
}

// refuseOtherOpenCLIP names the model that open_clip's configuration describes where it is not CLIP with a vision
// transformer.
func refuseOtherOpenCLIP(model map[string]json.RawMessage) error {
	var towers struct {
		Vision struct {
			Timm string `json:"timm_model_name"`
			EVA  string `json:"eva_model_name"`
		}
		Text struct {
			HF string `json:"hf_model_name"`
		}
	}
	// Fields of another type are reported where they are read.
	_ = json.Unmarshal(model["vision_cfg"], &towers.Vision)
	_ = json.Unmarshal(model["text_cfg"], &towers.Text)
	timm := strings.ToLower(towers.Vision.Timm)
	switch _, decoder := model["multimodal_cfg"]; {
	case strings.Contains(timm, "siglip"), present(model["init_logit_bias"]):
		return fmt.Errorf("SigLIP is not supported: its pooling, loss and tokenizer differ from CLIP's")
	case decoder:
		return fmt.Errorf("CoCa (multimodal_cfg) is not supported")
	case strings.HasPrefix(timm, "eva"), towers.Vision.EVA != "":
		return fmt.Errorf("EVA-CLIP (%s) is not supported", towers.Vision.Timm+towers.Vision.EVA)
	case timm != "":
		return fmt.Errorf("vision_cfg.timm_model_name is %q: image towers of timm are not supported", towers.Vision.Timm)
	case towers.Text.HF != "":
		return fmt.Errorf("text_cfg.hf_model_name is %q: text towers of Hugging Face's transformers are not supported", towers.Text.HF)
	case isResNet(model["vision_cfg"]):
		return fmt.Errorf("CLIP with a ResNet image tower is not supported: want a vision transformer")
	}
	return nil
}

func present(b json.RawMessage) bool { return len(b) > 0 && !bytes.Equal(b, []byte("null")) }

// parseOpenCLIPImage reads preprocess_cfg, of which everything has a default.
func parseOpenCLIPImage(b json.RawMessage, size int) (Image, error) {
	// open_clip's defaults are OpenAI's values.
	im := Image{
		Resize: size, Crop: size,
		Mean: [3]float64{0.48145466, 0.4578275, 0.40821073}, Std: [3]float64{0.26862954, 0.26130258, 0.27577711},
	}
	if !present(b) {
		return im, nil
	}
	s := &settings{name: "preprocess_cfg"}
	if err := json.Unmarshal(b, &s.values); err != nil {
		return Image{}, fmt.Errorf("preprocess_cfg: %w", err)
	}
	s.triple("mean", &im.Mean)
	s.triple("std", &im.Std)
	s.only("interpolation", "bicubic")
	s.only("resize_mode", "shortest")
	s.only("mode", "RGB")
	s.anything("fill_color")
	if n := s.side("size", size); n != size {
		s.fail("size is %d, vision_cfg.image_size is %d", n, size)
	}
	for i, v := range im.Std {
		if !(v > 0) {
			s.fail("std[%d] is %g: want a positive value", i, v)
		}
	}
	return im, s.rest()
}
