// Package convert turns a checkpoint into browser weights and label packs into precomputed embeddings, and measures
// what was lost.
package convert

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

// Options say what to convert and how.
type Options struct {
	quant.Format
	In        string   // the checkpoint's directory
	Out       string   // the directory to write to
	Labels    []string // label packs, with different file names; may be empty
	Name      string   // of the weights; files are named after it
	Alpha     float64  // SmoothQuant's migration strength, 0..1; unused where no ranges are known
	Templates Templates

	Photos    string         // folder of photos to calibrate on and to judge by, in turn; may be empty
	Accuracy  []string       // folders with a folder of photos for each category; may be empty
	Calibrate int            // most photos to calibrate on; 0 leaves it to the checkpoint's calibration
	Judge     int            // most photos to judge by
	Report    string         // file for the figures; may be empty
	Limits    *report.Limits // nil allows everything
}

// judges reports whether the weights' results are compared with the checkpoint's.
func (o *Options) judges() bool {
	return o.Report != "" || o.Photos != "" || len(o.Accuracy) > 0 || o.Limits != nil
}

// Result describes what was written.
type Result struct {
	Source      string // hash of the checkpoint
	Tensors     []quant.Stored
	Smoothing   string // whether and how activations were smoothed
	Calibration string // what the weights were calibrated on
	Warnings    []string
	Files       []report.File
	Fidelity    *report.Fidelity // nil where nothing was compared
}

// Run converts. On an error nothing is left in the output directory; where the loss is greater than the options allow,
// the result is returned, too.
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
	out, err := newOutput(o.Out, c.Owns)
	if err != nil {
		return nil, err
	}
	defer out.discard()
	var figures *outputFile
	if o.Report != "" {
		if figures, err = out.createAt(o.Report); err != nil {
			return nil, err
		}
	}
	in, err := readInputs(ctx, c, o, packs, progress)
	if err != nil {
		return nil, err
	}

	result := &Result{}
	weights, err := writeWeights(ctx, c, o, in, out, progress, result)
	if err != nil {
		return nil, err
	}
	m, err := loadModel(ctx, weights)
	if err != nil {
		return nil, fmt.Errorf("the engine does not accept the weights: %w", err)
	}
	for _, pack := range packs {
		if err := pack.write(ctx, in, o, engine{m}, out, progress, result); err != nil {
			return nil, err
		}
	}
	if o.judges() {
		j := &judge{in: in, exact: newExact(c), quantized: engine{m}, scale: m.LogitScale, progress: progress}
		if result.Fidelity, err = j.run(ctx, o, packs); err != nil {
			return nil, err
		}
	}
	result.Warnings = append(result.Warnings, in.warnings...)
	if o.Limits != nil {
		if err := o.Limits.Check(result.Fidelity); err != nil {
			return result, err
		}
	}
	if figures != nil {
		if err := writeReport(figures, o, result); err != nil {
			return nil, err
		}
	}
	return result, out.commit()
}

// writeReport writes the report, which gets its name when the weights do.
func writeReport(f *outputFile, o *Options, result *Result) error {
	r := report.Report{
		Format: report.Format, Name: o.Name, Scheme: string(o.Scheme), SourceSHA256: result.Source,
		Smoothing: result.Smoothing, Calibration: result.Calibration, Fidelity: result.Fidelity,
		Files: result.Files, Layers: report.NewLayers(result.Tensors), Warnings: result.Warnings,
	}
	if o.Scheme == quant.W4A7 {
		r.GroupSize, r.EmbeddingBits = o.Group, 8
		if o.Embed4 {
			r.EmbeddingBits = 4
		}
	}
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		return err
	}
	return f.writeAt(b.Bytes(), 0)
}
