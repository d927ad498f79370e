package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// layout is a way to lay out and to name a checkpoint.
type layout interface {
	// configFile is the name of the file that describes the towers.
	configFile() string
	// weightsFiles are the names that the weights may have, the first found counts.
	weightsFiles() []string
	// configs reads the configuration of the towers and of the photos' preparation.
	configs(dir string) (Config, Image, error)
	// textPrefix is what the names of the text tower's tensors begin with.
	textPrefix(w *weights) string
	// place says where a tensor of a CLIPModel is stored.
	place(name, textPrefix string) place
	// refuse says why a model with the stored tensor cannot be read, or nothing.
	refuse(name string) string
	// ignored reports a stored tensor that no computation needs.
	ignored(name string) bool
}

// findLayout tells a directory's layout by its configuration. Where it has both configurations, as many published
// checkpoints do, the weights decide.
func findLayout(dir string) (layout, error) {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			_, err := os.Stat(filepath.Join(dir, name))
			return err == nil
		})
	}
	b, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	switch {
	case !has(openCLIPConfigFile):
		return huggingFace{}, nil
	case err != nil, !isTransformers(b):
		return openCLIP{}, nil
	case has(modelFile, modelFile+indexSuffix):
		return huggingFace{}, nil
	}
	return openCLIP{}, nil
}

// isTransformers reports whether a config.json is one of Hugging Face's transformers (and not of timm, which uses the
// same name).
func isTransformers(config []byte) bool {
	var head struct {
		ModelType     string   `json:"model_type"`
		Architectures []string `json:"architectures"`
	}
	return json.Unmarshal(config, &head) == nil && (head.ModelType != "" || len(head.Architectures) > 0)
}

// CheckConfig reports why a checkpoint cannot be read of which so far only the configuration is known, the file name
// being config.json or open_clip_config.json.
func CheckConfig(name string, b []byte) error {
	switch name {
	case configFile:
		_, err := parseConfig(b)
		return err
	case openCLIPConfigFile:
		_, _, err := parseOpenCLIP(b)
		return err
	}
	return fmt.Errorf("%s: want %s or %s", name, configFile, openCLIPConfigFile)
}

// readLicense returns the first line of LICENSE, the licence that a model card's front matter names, or where else the
// terms are written.
func readLicense(dir string) (string, error) {
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(b)) {
			if line = strings.Trim(line, "# \t\r\n"); line != "" {
				return line, nil
			}
		}
	}
	for _, name := range []string{"MODEL_CARD.md", "README.md"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if license := frontMatter(string(b), "license"); license != "" {
			return license, nil
		}
		return "see " + name, nil
	}
	return "not stated", nil
}

// frontMatter returns the value of a key in the block between lines of "---" with which a model card may begin.
func frontMatter(card, key string) string {
	first := true
	for line := range strings.Lines(card) {
		line = strings.TrimRight(line, " \t\r\n")
		if first != (line == "---") {
			return ""
		}
		first = false
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Trim(value, ` "'`)
		}
	}
	return ""
}
