package checkpoint

import "strings"

// huggingFace is the layout of transformers' CLIPModel.
type huggingFace struct{}

const modelFile = "model.safetensors"

func (huggingFace) configFile() string { return configFile }

func (huggingFace) weightsFiles() []string { return []string{modelFile} }

func (huggingFace) configs(dir string) (Config, Image, error) {
	config, err := readConfig(dir)
	if err != nil {
		return Config{}, Image{}, err
	}
	image, err := readImage(dir, config.Vision.ImageSize)
	return config, image, err
}

func (huggingFace) textPrefix(*weights) string { return "" }

func (huggingFace) place(name, _ string) place { return whole(name) }

func (huggingFace) ignored(name string) bool { return strings.HasSuffix(name, ".position_ids") }

func (huggingFace) refuse(name string) string {
	for _, r := range []struct{ prefix, reason string }{
		{"visual.attnpool.", reasonResNet},
		{"visual.layer1.", reasonResNet},
		{"visual.", "is named as in open_clip: put the checkpoint's " + openCLIPConfigFile + " in the place of " + configFile},
		{"vision_model.head.", "belongs to SigLIP, which is not supported"},
		{"logit_bias", "belongs to SigLIP, which is not supported"},
		{"text_decoder.", "belongs to BLIP, which is not supported"},
		{"text_encoder.", "belongs to BLIP, which is not supported"},
	} {
		if strings.HasPrefix(name, r.prefix) {
			return r.reason
		}
	}
	return ""
}

const reasonResNet = "belongs to CLIP with a ResNet image tower, which is not supported: want a vision transformer"
