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

// findLayout tells a directory's layout and returns the names of its files.
func findLayout(dir string) (l layout, names []string, err error) {
	if names, err = fileNames(dir); err != nil {
		return nil, nil, err
	}
	config, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	return chooseLayout(names, config), names, nil
}

func fileNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// chooseLayout tells a checkpoint's layout by its files' names and its config.json, nil where there is none. Where there
// are both configurations, as many published checkpoints have, the weights decide.
func chooseLayout(names []string, config []byte) layout {
	switch {
	case !slices.Contains(names, openCLIPConfigFile):
		return huggingFace{}
	case !isTransformers(config):
		return openCLIP{}
	case weightsFile(names, huggingFace{}) != "":
		return huggingFace{}
	}
	return openCLIP{}
}

// weightsFile returns the name of the weights or of their index, or nothing.
func weightsFile(names []string, l layout) string {
	for _, name := range l.weightsFiles() {
		for _, name := range []string{name, name + indexSuffix} {
			if slices.Contains(names, name) {
				return name
			}
		}
	}
	return ""
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

// ReadConfig reads the configuration of the towers from a file's content, its name being config.json or
// open_clip_config.json.
func ReadConfig(name string, b []byte) (Config, error) {
	switch name {
	case configFile:
		return parseConfig(b)
	case openCLIPConfigFile:
		c, _, err := parseOpenCLIP(b)
		return c, err
	}
	return Config{}, fmt.Errorf("%s: want %s or %s", name, configFile, openCLIPConfigFile)
}

// Where a checkpoint's terms may be written.
var (
	licenseFiles = []string{"LICENSE", "LICENSE.txt", "LICENSE.md"}
	cardFiles    = []string{"MODEL_CARD.md", "README.md"}
)

// readLicense returns the first line of LICENSE, the licence that a model card's front matter names, or where else the
// terms are written.
func readLicense(dir string) (string, error) {
	for _, name := range licenseFiles {
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
	for _, name := range cardFiles {
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
