// Package checkpoint reads full-precision CLIP checkpoints. A checkpoint is a directory in one of two layouts:
//
//   - Hugging Face's: config.json, model.safetensors (or its shards and model.safetensors.index.json) and
//     preprocessor_config.json;
//   - open_clip's: open_clip_config.json and open_clip_model.safetensors (or its shards).
//
// Both have tokenizer.json (or vocab.json and merges.txt) and, where it is present, calibration.json. Whatever the
// layout, tensors have the names and shapes of Hugging Face's CLIPModel.
package checkpoint

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gorgonia.org/tensor"
)

// Checkpoint is an open checkpoint. Its tensors stay in the file until they are loaded.
type Checkpoint struct {
	Config
	Image       Image
	Tokenizer   *Tokenizer
	Calibration *Calibration // nil where there is none
	License     string       // first line of the licence, its name, or where to read about it

	dir     string
	weights *weights
	sources map[string]source // by the tensor's name in a CLIPModel
}

// knownFiles are the names of the files of either layout, apart from shards.
var knownFiles = slices.Concat(
	[]string{configFile, openCLIPConfigFile, imageFile, tokenizerFile, vocabFile, mergesFile, calibrationFile},
	licenseFiles, cardFiles, huggingFace{}.weightsFiles(), openCLIP{}.weightsFiles())

// Open reads everything but the tensors' data from a checkpoint's directory and checks that its parts fit together.
func Open(dir string) (*Checkpoint, error) {
	if err := checkDirectory(dir); err != nil {
		return nil, err
	}
	l, names, err := findLayout(dir)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{dir: dir}
	c.Config, c.Image, err = l.configs(dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		// A pickle is refused before the files that are missing beside it, after a model that is not supported.
		err = cmp.Or(otherWeights(names, l), err)
	}
	if err != nil {
		return nil, err
	}
	if c.Tokenizer, err = readTokenizer(dir); err != nil {
		return nil, err
	}
	if err := c.Tokenizer.check(&c.Text, l.configFile()); err != nil {
		return nil, err
	}
	if c.Calibration, err = readCalibration(dir, c.Tensors()); err != nil {
		return nil, err
	}
	if c.License, err = readLicense(dir); err != nil {
		return nil, err
	}
	if c.weights, err = openWeights(dir, l); err != nil {
		return nil, err
	}
	if c.sources, err = findTensors(c.weights, l, c.Tensors()); err != nil {
		c.weights.Close()
		return nil, err
	}
	return c, nil
}

// checkDirectory explains a path that is a file, as checkpoints of other programs are.
func checkDirectory(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := refuseFormat(f, info.Name(), info.Size()); err != nil {
		return err
	}
	return fmt.Errorf("%s is a file: want the directory that holds it, its configuration and its tokenizer", path)
}

// Close closes the checkpoint's files.
func (c *Checkpoint) Close() error { return c.weights.Close() }

// Owns reports whether a path leads to one of the checkpoint's files, those of a second layout beside it included.
func (c *Checkpoint) Owns(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	for _, s := range c.weights.shards {
		if own, err := s.file.Stat(); err == nil && os.SameFile(info, own) {
			return true
		}
	}
	for _, name := range append(slices.Clone(knownFiles), c.weights.name) {
		if own, err := os.Stat(filepath.Join(c.dir, name)); err == nil && os.SameFile(info, own) {
			return true
		}
	}
	return false
}

// Size returns the bytes of the files that hold the tensors.
func (c *Checkpoint) Size() int64 { return c.weights.size() }

// SHA256 returns the hash of the file that holds the tensors in lower-case hex; of several files, in the order of
// their names, the hash of their bytes one after another. The bytes that are hashed go to progress too.
func (c *Checkpoint) SHA256(ctx context.Context, progress io.Writer) (string, error) {
	h := sha256.New()
	for _, s := range c.weights.shards {
		r := &contextReader{ctx: ctx, r: io.NewSectionReader(s.file, 0, s.size)}
		if _, err := io.Copy(io.MultiWriter(h, progress), r); err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// contextReader ends with the context's error once it is cancelled.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Load reads a tensor of the model as float32. Every value is finite.
func (c *Checkpoint) Load(name string) (*tensor.Dense, error) {
	s, ok := c.sources[name]
	if !ok {
		return nil, fmt.Errorf("%s: %q is not a tensor of this model", c.weights.name, name)
	}
	values, err := s.read()
	if err != nil {
		return nil, err
	}
	if len(s.shape) == 0 {
		return tensor.New(tensor.FromScalar(values[0])), nil
	}
	return tensor.New(tensor.WithShape(s.shape...), tensor.WithBacking(values)), nil
}

// Values returns a float32 tensor's values, rows one after another. They are shared with t.
func Values(t *tensor.Dense) []float32 {
	if t.IsScalar() {
		return []float32{t.ScalarValue().(float32)}
	}
	return t.Float32s()
}
