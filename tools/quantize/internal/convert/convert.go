// Package convert turns a checkpoint into browser weights and label packs into precomputed embeddings.
package convert

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

// Options say what to convert and how.
type Options struct {
	In        string   // the checkpoint's directory
	Out       string   // the directory to write to
	Labels    []string // label packs, with different file names; may be empty
	Name      string   // of the weights; files are named after it
	Scheme    quant.Scheme
	Alpha     float64 // SmoothQuant's migration strength, 0..1; unused without calibration
	Templates Templates
}

// Result describes what was written.
type Result struct {
	Tensors   []quant.Stored
	Smoothing string // whether and how activations were smoothed
	Warnings  []string
	Files     []File
}

// File is a written file.
type File struct {
	Name        string
	SHA256      string
	Bytes, Gzip int64
}

// Run converts. On an error nothing is left in the output directory.
func Run(ctx context.Context, o *Options, progress *report.Progress) (*Result, error) {
	c, err := checkpoint.Open(o.In)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", o.In, err)
	}
	defer c.Close()
	packs, err := readLabels(o.Labels)
	if err != nil {
		return nil, err
	}
	out, err := newOutput(o.Out)
	if err != nil {
		return nil, err
	}
	defer out.discard()

	result := &Result{}
	weights, err := writeWeights(ctx, c, o, out, progress, result)
	if err != nil {
		return nil, err
	}
	model, err := loadModel(ctx, weights)
	if err != nil {
		return nil, fmt.Errorf("the engine does not accept the weights: %w", err)
	}
	for _, pack := range packs {
		if err := pack.write(ctx, model, result.Files[0].SHA256, out, progress, result); err != nil {
			return nil, err
		}
	}
	return result, out.commit()
}

// writeWeights writes the weights file and returns it.
func writeWeights(ctx context.Context, c *checkpoint.Checkpoint, o *Options, out *output, progress *report.Progress, result *Result) (*outputFile, error) {
	file, err := out.create(o.Name + ".safetensors")
	if err != nil {
		return nil, err
	}
	task := progress.Start("hashing the checkpoint", c.Size())
	source, err := c.SHA256(ctx, task)
	if err != nil {
		return nil, err
	}
	task.Done()

	encoder := &quant.Encoder{Scheme: o.Scheme, Load: c.Load}
	if encoder.Factors, result.Smoothing, err = smooth(c, o); err != nil {
		return nil, err
	}
	tensors := c.Tensors()
	task = progress.Start("encoding tensors as "+string(o.Scheme), int64(len(tensors)))
	data, stored, err := encoder.Encode(ctx, tensors, func() { task.Add(1) })
	if err != nil {
		return nil, err
	}
	task.Done()
	result.Tensors = stored
	data = append(data, tokenizerTensors(c.Tokenizer)...)
	quant.Sort(data)
	return file, writeSafetensors(file, metadata(c, o, source), data, result)
}

// smooth returns SmoothQuant's factors and says in words what it does.
func smooth(c *checkpoint.Checkpoint, o *Options) (quant.Factors, string, error) {
	switch {
	case o.Scheme == quant.Float32:
		return nil, "not smoothed: the float32 scheme does not quantize activations", nil
	case c.Calibration == nil:
		return nil, "not smoothed: the checkpoint has no calibration.json", nil
	}
	folds := quant.Folds(&c.Config)
	factors, n, err := quant.Smooth(folds, c.Calibration.Ranges, o.Alpha, c.Load)
	if err != nil {
		return nil, "", err
	}
	return factors, fmt.Sprintf("smoothed with alpha %g: %d of %d LayerNorms have calibrated ranges", o.Alpha, n, len(folds)), nil
}

// writeSafetensors writes a file and adds it, with its hash and sizes, to the result.
func writeSafetensors(f *outputFile, metadata map[string]string, data []safetensors.TensorData, result *Result) error {
	return writeFile(f, result, func(w io.Writer) error { return safetensors.Write(w, metadata, data) })
}

func writeFile(f *outputFile, result *Result, write func(io.Writer) error) error {
	hash := sha256.New()
	var raw, packed counter
	zip := gzip.NewWriter(&packed)
	buffered := bufio.NewWriterSize(io.MultiWriter(f, hash, &raw, zip), 1<<20)
	if err := write(buffered); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	result.Files = append(result.Files, File{
		Name: f.name, SHA256: hex.EncodeToString(hash.Sum(nil)), Bytes: int64(raw), Gzip: int64(packed),
	})
	return nil
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
