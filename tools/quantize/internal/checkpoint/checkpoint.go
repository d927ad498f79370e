// Package checkpoint reads full-precision CLIP checkpoints in the Hugging Face layout: config.json,
// model.safetensors, tokenizer.json (or vocab.json and merges.txt), preprocessor_config.json and, where it is
// present, calibration.json.
package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/ecor-clip/ecor/core/safetensors"
)

// Checkpoint is an open checkpoint. Its tensors stay in the file until they are loaded.
type Checkpoint struct {
	Config
	Image       Image
	Tokenizer   *Tokenizer
	Calibration *Calibration // nil where there is none
	License     string       // first line of the licence, or where to read about it

	file   *os.File // model.safetensors
	size   int64
	header *safetensors.Header
	shapes map[string][]int // of the tensors that a CLIPModel has
}

const modelFile = "model.safetensors"

// Open reads everything but the tensors' data from a checkpoint's directory and checks that its parts fit together.
func Open(dir string) (*Checkpoint, error) {
	config, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Config: config}
	if c.Image, err = readImage(dir, c.Vision.ImageSize); err != nil {
		return nil, err
	}
	if c.Tokenizer, err = readTokenizer(dir); err != nil {
		return nil, err
	}
	if err := c.Tokenizer.check(&c.Text); err != nil {
		return nil, err
	}
	if c.Calibration, err = readCalibration(dir, c.Tensors()); err != nil {
		return nil, err
	}
	if c.License, err = readLicense(dir); err != nil {
		return nil, err
	}
	if err := c.openModel(dir); err != nil {
		return nil, err
	}
	return c, nil
}

// Close closes the checkpoint's files.
func (c *Checkpoint) Close() error { return c.file.Close() }

// Size returns the bytes of model.safetensors.
func (c *Checkpoint) Size() int64 { return c.size }

// SHA256 returns the hash of model.safetensors in lower-case hex. The bytes that are hashed go to progress too.
func (c *Checkpoint) SHA256(ctx context.Context, progress io.Writer) (string, error) {
	h := sha256.New()
	r := &contextReader{ctx: ctx, r: io.NewSectionReader(c.file, 0, c.size)}
	if _, err := io.Copy(io.MultiWriter(h, progress), r); err != nil {
		return "", fmt.Errorf("%s: %w", modelFile, err)
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
	shape, ok := c.shapes[name]
	if !ok {
		return nil, fmt.Errorf("%s: %q is not a tensor of this model", modelFile, name)
	}
	t, _ := c.header.Tensor(name)
	b := make([]byte, t.End-t.Begin)
	if _, err := c.file.ReadAt(b, int64(c.header.Size+t.Begin)); err != nil {
		return nil, fmt.Errorf("%s: %q: %w", modelFile, name, err)
	}
	values, err := safetensors.AppendFloat32(nil, t.DType, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w", modelFile, name, err)
	}
	for i, v := range values {
		if v-v != 0 {
			return nil, fmt.Errorf("%s: %q holds %g at element %d: want finite values", modelFile, name, v, i)
		}
	}
	if len(shape) == 0 {
		return tensor.New(tensor.FromScalar(values[0])), nil
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values)), nil
}

func (c *Checkpoint) openModel(dir string) (err error) {
	c.file, err = os.Open(filepath.Join(dir, modelFile))
	if errors.Is(err, fs.ErrNotExist) {
		return missingModel(dir, err)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			c.file.Close()
		}
	}()
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	c.size = info.Size()
	if c.header, err = readHeader(c.file, c.size); err != nil {
		return fmt.Errorf("%s: %w", modelFile, err)
	}
	return c.checkTensors()
}

// missingModel explains what a directory without model.safetensors holds instead.
func missingModel(dir string, err error) error {
	for _, found := range []struct{ name, advice string }{
		{"model.safetensors.index.json", "the checkpoint is split into several files: save it again as one " + modelFile},
		{"pytorch_model.bin", "the checkpoint is a pickle: save it again as " + modelFile},
	} {
		if _, statErr := os.Stat(filepath.Join(dir, found.name)); statErr == nil {
			return fmt.Errorf("%s: %s", found.name, found.advice)
		}
	}
	return err
}

func readHeader(r io.ReaderAt, size int64) (*safetensors.Header, error) {
	var prefix [8]byte
	if size < int64(len(prefix)) {
		return nil, fmt.Errorf("file of %d bytes is no safetensors file", size)
	}
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if limit := uint64(min(size-8, safetensors.MaxHeader)); n > limit {
		return nil, fmt.Errorf("header of %d bytes in a file of %d: want at most %d", n, size, limit)
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, 8); err != nil {
		return nil, err
	}
	return safetensors.ParseHeader(b, uint64(size)-8-n)
}

// checkTensors compares the file's tensors with those that the configuration asks for.
func (c *Checkpoint) checkTensors() error {
	if err := refuseOtherTensors(c.header); err != nil {
		return err
	}
	tensors := c.Tensors()
	c.shapes = make(map[string][]int, len(tensors))
	for _, want := range tensors {
		got, ok := c.header.Tensor(want.Name)
		if !ok {
			return fmt.Errorf("%s: tensor %q is missing", modelFile, want.Name)
		}
		if !slices.Equal(got.Shape, want.Shape) {
			return fmt.Errorf("%s: tensor %q has shape %v: want %v", modelFile, want.Name, got.Shape, want.Shape)
		}
		switch got.DType {
		case safetensors.F32, safetensors.F16, safetensors.BF16:
		default:
			return fmt.Errorf("%s: tensor %q is %v: want F32, F16 or BF16", modelFile, want.Name, got.DType)
		}
		c.shapes[want.Name] = want.Shape
	}
	for i := range c.header.Tensors {
		name := c.header.Tensors[i].Name
		if _, ok := c.shapes[name]; !ok && !strings.HasSuffix(name, ".position_ids") {
			return fmt.Errorf("%s: tensor %q is not part of the model that %s describes", modelFile, name, configFile)
		}
	}
	return nil
}

// refuseOtherTensors names the model that a file's tensors belong to where it is not a CLIPModel.
func refuseOtherTensors(h *safetensors.Header) error {
	for i := range h.Tensors {
		switch name := h.Tensors[i].Name; {
		case strings.HasPrefix(name, "visual.attnpool."), strings.HasPrefix(name, "visual.layer1."):
			return fmt.Errorf("%s: tensor %q belongs to CLIP with a ResNet image tower, which is not supported", modelFile, name)
		case strings.HasPrefix(name, "visual."):
			return fmt.Errorf("%s: tensor %q is named as in OpenAI's or open_clip's files: convert the checkpoint to the Hugging Face layout", modelFile, name)
		case strings.HasPrefix(name, "vision_model.head."):
			return fmt.Errorf("%s: tensor %q belongs to SigLIP, which is not supported", modelFile, name)
		}
	}
	return nil
}

// readLicense returns the first line of LICENSE, or where else the terms are written.
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
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return "see " + name, nil
		}
	}
	return "not stated", nil
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Values returns a float32 tensor's values, rows one after another. They are shared with t.
func Values(t *tensor.Dense) []float32 {
	if t.IsScalar() {
		return []float32{t.ScalarValue().(float32)}
	}
	return t.Float32s()
}
