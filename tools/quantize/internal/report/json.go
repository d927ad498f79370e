package report

import (
	"cmp"
	"encoding/json"
	"io"
	"math"
	"slices"

	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
)

// Format is the value of "format" in a report.
const Format = "ecor-quantize-report-1"

// Report is what -report writes, as JSON.
type Report struct {
	Format        string    `json:"format"`
	Name          string    `json:"name"`
	Scheme        string    `json:"scheme"`
	GroupSize     int       `json:"group_size,omitempty"`     // of w4a7
	EmbeddingBits int       `json:"embedding_bits,omitempty"` // of w4a7
	SourceSHA256  string    `json:"source_sha256"`
	Smoothing     string    `json:"smoothing"`
	Calibration   string    `json:"calibration"`
	Fidelity      *Fidelity `json:"fidelity"`
	Files         []File    `json:"files"`
	Layers        []Layer   `json:"layers"` // quantized tensors, the worst first by the worse of their ratios
	Warnings      []string  `json:"warnings,omitempty"`
}

// File is a written file.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Gzip   int64  `json:"gzip_bytes"`
}

// Layer is a quantized tensor. Ratios are signal to quantization noise in decibels; they are left out where nothing
// was lost, and Output where there were no inputs to calibrate on.
type Layer struct {
	Name    string   `json:"name"`
	Shape   []int    `json:"shape"`
	Stored  string   `json:"stored"`
	Bytes   int      `json:"bytes"`
	Weights *float64 `json:"weights_sqnr_db,omitempty"`
	Output  *float64 `json:"output_sqnr_db,omitempty"`
}

// Layers lists the tensors that are stored with less than float32, the worst first, by the worse of a tensor's ratios.
func Layers(tensors []quant.Stored) []quant.Stored {
	var out []quant.Stored
	for _, t := range tensors {
		if t.Scheme != "float32" {
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b quant.Stored) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// rank orders tensors: it is the worse of the ratios that are known.
func rank(t quant.Stored) float64 {
	worse := math.Inf(1)
	for _, ratio := range []float64{t.SQNR, t.Output} {
		if ratio != 0 {
			worse = min(worse, ratio)
		}
	}
	return worse
}

// JSON writes the report.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// NewLayers returns the layers of a report.
func NewLayers(tensors []quant.Stored) []Layer {
	decibels := func(v float64) *float64 {
		if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			return nil
		}
		v = math.Round(v*100) / 100
		return &v
	}
	var out []Layer
	for _, t := range Layers(tensors) {
		out = append(out, Layer{t.Name, t.Shape, t.Scheme, t.Bytes, decibels(t.SQNR), decibels(t.Output)})
	}
	return out
}
