package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	BOS           int `json:"bos_token_id"`
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
				Activation: "quick_gelu", LayerNormEps: 1e-5},
			ImageSize: 224, PatchSize: 32, Channels: 3,
		},
		Text: Text{
			Tower: Tower{HiddenSize: 512, IntermediateSize: 2048, Layers: 12, Heads: 8,
				Activation: "quick_gelu", LayerNormEps: 1e-5},
			VocabSize: 49408, ContextLength: 77, BOS: 49406, EOS: 49407,
		},
	}
}

const configFile = "config.json"

func readConfig(dir string) (Config, error) {
	b, err := os.ReadFile(filepath.Join(dir, configFile))
	if errors.Is(err, fs.ErrNotExist) {
		if err := refuseOpenCLIP(dir); err != nil {
			return Config{}, err
		}
	}
	if err != nil {
		return Config{}, err
	}
	if err := refuseOtherModel(b); err != nil {
		return Config{}, err
	}
	c := defaultConfig()
	if err := json.Unmarshal(b, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", configFile, err)
	}
	return c, c.check()
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
	about := head.ModelType + " " + strings.Join(head.Architectures, " ")
	switch {
	case strings.Contains(strings.ToLower(about), "siglip"):
		return fmt.Errorf("%s: SigLIP (model_type %q) is not supported: its pooling, loss and tokenizer differ from CLIP's", configFile, head.ModelType)
	case isResNet(head.Vision) || strings.Contains(strings.ToLower(about), "resnet"):
		return fmt.Errorf("%s: CLIP with a ResNet image tower is not supported: want a vision transformer", configFile)
	case head.ModelType != "clip":
		return fmt.Errorf("%s: model_type %q is not supported: want \"clip\"", configFile, head.ModelType)
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

// refuseOpenCLIP reports a directory in open_clip's layout.
func refuseOpenCLIP(dir string) error {
	const name = "open_clip_config.json"
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	var c struct {
		Model struct {
			Vision json.RawMessage `json:"vision_cfg"`
		} `json:"model_cfg"`
	}
	if json.Unmarshal(b, &c) == nil && isResNet(c.Model.Vision) {
		return fmt.Errorf("%s: CLIP with a ResNet image tower is not supported: want a vision transformer", name)
	}
	return fmt.Errorf("%s: open_clip's layout is not supported: convert the checkpoint to the Hugging Face layout (%s, model.safetensors)", name, configFile)
}

func (c *Config) check() error {
	if err := c.Vision.check("vision_config"); err != nil {
		return err
	}
	if err := c.Text.check("text_config"); err != nil {
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
		if err := checkSize(f.name, f.value); err != nil {
			return err
		}
	}
	if c.Vision.Channels != 3 {
		return fmt.Errorf("%s: vision_config.num_channels is %d: want 3", configFile, c.Vision.Channels)
	}
	if c.Vision.ImageSize%c.Vision.PatchSize != 0 {
		return fmt.Errorf("%s: vision_config.image_size %d is not a multiple of patch_size %d",
			configFile, c.Vision.ImageSize, c.Vision.PatchSize)
	}
	return nil
}

func (t *Tower) check(tower string) error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"hidden_size", t.HiddenSize},
		{"intermediate_size", t.IntermediateSize},
		{"num_hidden_layers", t.Layers},
		{"num_attention_heads", t.Heads},
	} {
		if err := checkSize(tower+"."+f.name, f.value); err != nil {
			return err
		}
	}
	switch {
	case t.HiddenSize%t.Heads != 0:
		return fmt.Errorf("%s: %s.hidden_size %d is not a multiple of num_attention_heads %d", configFile, tower, t.HiddenSize, t.Heads)
	case t.Activation != "quick_gelu" && t.Activation != "gelu":
		return fmt.Errorf("%s: %s.hidden_act %q is not supported: want \"quick_gelu\" or \"gelu\"", configFile, tower, t.Activation)
	case !(t.LayerNormEps > 0 && t.LayerNormEps < 1):
		return fmt.Errorf("%s: %s.layer_norm_eps is %g: want a value between 0 and 1", configFile, tower, t.LayerNormEps)
	}
	return nil
}

// maxSize bounds every size of a configuration, so that products of three of them fit in 63 bits.
const maxSize = 1 << 20

func checkSize(name string, value int) error {
	if value < 1 || value > maxSize {
		return fmt.Errorf("%s: %s is %d: want 1 to %d", configFile, name, value, maxSize)
	}
	return nil
}
