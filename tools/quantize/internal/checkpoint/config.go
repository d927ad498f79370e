package checkpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tower is the shape of one transformer.
type Tower struct {
	HiddenSize       int     `json:"hidden_size"`
	IntermediateSize int     `json:"intermediate_size"`
	Layers           int     `json:"num_hidden_layers"`
	Heads            int     `json:"num_attention_heads"`
	Activation       string  `json:"hidden_act"` // quick_gelu or gelu
	LayerNormEps     float64 `json:"layer_norm_eps"`
}

// Vision is the shape of the image tower.
type Vision struct {
	Tower
	ImageSize int `json:"image_size"` // pixels on each side
	PatchSize int `json:"patch_size"` // pixels on each side
	Channels  int `json:"num_channels"`
}

// Text is the shape of the text tower.
type Text struct {
	Tower
	VocabSize     int `json:"vocab_size"`
	ContextLength int `json:"max_position_embeddings"` // start and end tokens included
	BOS           int `json:"-"`                       // the tokenizer's
	EOS           int `json:"eos_token_id"`
}

// Config is the part of a CLIPModel's config.json that the towers need.
type Config struct {
	ProjectionDim int    `json:"projection_dim"`
	Vision        Vision `json:"vision_config"`
	Text          Text   `json:"text_config"`
}

// defaultConfig holds the values of CLIPConfig that a config.json may leave out.
func defaultConfig() Config {
	return Config{
		ProjectionDim: 512,
		Vision: Vision{
			Tower: Tower{HiddenSize: 768, IntermediateSize: 3072, Layers: 12, Heads: 12,
				Activation: quickGELU, LayerNormEps: 1e-5},
			ImageSize: 224, PatchSize: 32, Channels: 3,
		},
		Text: Text{
			Tower: Tower{HiddenSize: 512, IntermediateSize: 2048, Layers: 12, Heads: 8,
				Activation: quickGELU, LayerNormEps: 1e-5},
			VocabSize: 49408, ContextLength: 77, EOS: 49407,
		},
	}
}

const configFile = "config.json"

func readConfig(dir string) (Config, error) {
	b, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		return Config{}, err
	}
	return parseConfig(b)
}

func parseConfig(b []byte) (Config, error) {
	if err := refuseOtherModel(b); err != nil {
		return Config{}, err
	}
	c := defaultConfig()
	if err := json.Unmarshal(b, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", configFile, err)
	}
	// Where an early configuration has a tower twice, transformers takes the one that it calls a dict, and defaults
	// for what that leaves out.
	var early struct {
		Vision json.RawMessage `json:"vision_config_dict"`
		Text   json.RawMessage `json:"text_config_dict"`
	}
	if err := json.Unmarshal(b, &early); err != nil {
		return Config{}, fmt.Errorf("%s: %w", configFile, err)
	}
	if isObject(early.Vision) {
		c.Vision = defaultConfig().Vision
		if err := json.Unmarshal(early.Vision, &c.Vision); err != nil {
			return Config{}, fmt.Errorf("%s: vision_config_dict: %w", configFile, err)
		}
	}
	if isObject(early.Text) {
		c.Text = defaultConfig().Text
		if err := json.Unmarshal(early.Text, &c.Text); err != nil {
			return Config{}, fmt.Errorf("%s: text_config_dict: %w", configFile, err)
		}
	}
	return c, c.check(configFile, nil)
}

func isObject(b json.RawMessage) bool { return len(b) > 0 && b[0] == '{' }

// otherModels names models by their model_type, so that a refusal says more than the type.
var otherModels = map[string]string{
	"align":                    "ALIGN",
	"altclip":                  "AltCLIP",
	"blip":                     "BLIP",
	"blip-2":                   "BLIP-2",
	"chinese_clip":             "Chinese-CLIP",
	"clip_text_model":          "CLIP's text tower alone",
	"clip_vision_model":        "CLIP's image tower alone",
	"clipseg":                  "CLIPSeg",
	"coca":                     "CoCa",
	"evaclip":                  "EVA-CLIP",
	"flava":                    "FLAVA",
	"metaclip_2":               "MetaCLIP 2",
	"siglip":                   "SigLIP",
	"siglip2":                  "SigLIP 2",
	"vision-text-dual-encoder": "a pair of encoders of its own",
	"xclip":                    "X-CLIP",
}

// refuseOtherModel names the model that config.json describes where it is not a CLIPModel with a vision transformer.
func refuseOtherModel(config []byte) error {
	var head struct {
		ModelType     string          `json:"model_type"`
		Architectures []string        `json:"architectures"`
		Vision        json.RawMessage `json:"vision_config"`
	}
	if err := json.Unmarshal(config, &head); err != nil {
		return fmt.Errorf("%s: %w", configFile, err)
	}
	about := strings.ToLower(head.ModelType + " " + strings.Join(head.Architectures, " "))
	name := cmp.Or(otherModels[head.ModelType], "the model")
	switch {
	case name == "the model" && strings.Contains(about, "siglip"):
		name = "SigLIP"
	case name == "the model" && strings.Contains(about, "eva"):
		name = "EVA-CLIP"
	case isResNet(head.Vision) || strings.Contains(about, "resnet"):
		return fmt.Errorf("%s: CLIP with a ResNet image tower is not supported: want a vision transformer", configFile)
	}
	if head.ModelType != "clip" && !(head.ModelType == "" && slices.Equal(head.Architectures, []string{"CLIPModel"})) {
		return fmt.Errorf("%s: %s (model_type %q) is not supported: want a CLIPModel, model_type \"clip\"", configFile, name, head.ModelType)
	}
	for _, a := range head.Architectures {
		if a != "CLIPModel" {
			return fmt.Errorf("%s: architecture %q is not supported: want \"CLIPModel\", which has both towers", configFile, a)
		}
	}
	return nil
}

// isResNet reports whether a vision configuration lists the blocks of a ResNet's stages.
func isResNet(vision json.RawMessage) bool {
	var v struct {
		Layers    any    `json:"layers"`
		Hidden    any    `json:"num_hidden_layers"`
		ModelType string `json:"model_type"`
	}
	if len(vision) == 0 || json.Unmarshal(vision, &v) != nil {
		return false
	}
	_, stages := v.Layers.([]any)
	_, hidden := v.Hidden.([]any)
	return stages || hidden || strings.Contains(strings.ToLower(v.ModelType), "resnet")
}

// check reports values that no model has. The errors name the file and its fields; rename holds the names of fields
// that are called differently there than in a CLIPConfig.
func (c *Config) check(file string, rename map[string]string) error {
	field := func(name string) string { return cmp.Or(rename[name], name) }
	if err := c.Vision.check(file, "vision_config", field); err != nil {
		return err
	}
	if err := c.Text.check(file, "text_config", field); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		value int
	}{
		{"projection_dim", c.ProjectionDim},
		{"vision_config.image_size", c.Vision.ImageSize},
		{"vision_config.patch_size", c.Vision.PatchSize},
		{"text_config.vocab_size", c.Text.VocabSize},
		{"text_config.max_position_embeddings", c.Text.ContextLength},
	} {
		if err := checkSize(file, field(f.name), f.value); err != nil {
			return err
		}
	}
	if c.Vision.Channels != 3 {
		return fmt.Errorf("%s: %s is %d: want 3", file, field("vision_config.num_channels"), c.Vision.Channels)
	}
	if c.Vision.ImageSize%c.Vision.PatchSize != 0 {
		return fmt.Errorf("%s: %s %d is not a multiple of %s %d", file, field("vision_config.image_size"), c.Vision.ImageSize,
			field("vision_config.patch_size"), c.Vision.PatchSize)
	}
	return nil
}

func (t *Tower) check(file, tower string, field func(string) string) error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"hidden_size", t.HiddenSize},
		{"intermediate_size", t.IntermediateSize},
		{"num_hidden_layers", t.Layers},
		{"num_attention_heads", t.Heads},
	} {
		if err := checkSize(file, field(tower+"."+f.name), f.value); err != nil {
			return err
		}
	}
	switch {
	case t.HiddenSize%t.Heads != 0:
		return fmt.Errorf("%s: %s %d is not a multiple of %s %d", file, field(tower+".hidden_size"), t.HiddenSize,
			field(tower+".num_attention_heads"), t.Heads)
	case t.Activation != quickGELU && t.Activation != gelu:
		return fmt.Errorf("%s: %s %q is not supported: want %q or %q", file, field(tower+".hidden_act"), t.Activation, quickGELU, gelu)
	case !(t.LayerNormEps > 0 && t.LayerNormEps < 1):
		return fmt.Errorf("%s: %s is %g: want a value between 0 and 1", file, field(tower+".layer_norm_eps"), t.LayerNormEps)
	}
	return nil
}

// Activations, as configurations and weights files name them.
const (
	quickGELU = "quick_gelu"
	gelu      = "gelu"
)

// maxSize bounds every size of a configuration, so that products of three of them fit in 63 bits.
const maxSize = 1 << 20

func checkSize(file, name string, value int) error {
	if value < 1 || value > maxSize {
		return fmt.Errorf("%s: %s is %d: want 1 to %d", file, name, value, maxSize)
	}
	return nil
}
