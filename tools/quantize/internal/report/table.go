package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
)

// Table writes one line for each tensor that is stored with less than float32, the worst first: name, shape, scheme,
// bytes and signal-to-quantization-noise ratios of the weights and, where it was calibrated, of the layer's outputs.
func Table(w io.Writer, tensors []quant.Stored) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "tensor\tshape\tscheme\tbytes\tSQNR dB\toutput dB")
	floats, bytes := 0, 0
	for _, s := range Layers(tensors) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", s.Name, shapeText(s.Shape), s.Scheme, s.Bytes, decibels(s.SQNR), decibels(s.Output))
	}
	for _, s := range tensors {
		if s.Scheme == "float32" {
			floats++
			bytes += s.Bytes
		}
	}
	fmt.Fprintf(t, "%d others\t\tfloat32\t%d\texact\t-\n", floats, bytes)
	return t.Flush()
}

func shapeText(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", "×"), "[]")
}

func decibels(v float64) string {
	switch {
	case v == 0:
		return "-"
	case math.IsInf(v, 1):
		return "exact"
	}
	return fmt.Sprintf("%.1f", v)
}

// Table writes the figures for people to read.
func (f *Fidelity) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range []struct {
		kind string
		*Cosines
	}{{"photos", f.Images}, {"texts", f.Texts}} {
		if c.Cosines != nil {
			fmt.Fprintf(t, "cosine to float32\t%d %s\tmean %.5f\t1st percentile %.5f\tleast %.5f\n", c.Count, c.kind, c.Mean, c.P1, c.Min)
		}
	}
	for _, a := range f.Agreement {
		fmt.Fprintf(t, "same top-1 category\t%s\t%s of all photos\t%s where float32 leads by %g logits or more\n",
			a.Labels, share(a.Same, a.Photos), share(a.ClearSame, a.Clear), ClearMargin)
	}
	for _, a := range f.Accuracy {
		fmt.Fprintf(t, "top-1 accuracy\t%s, %d categories\tfloat32 %s\tquantized %s\n",
			a.Folder, a.Categories, share(a.Exact, a.Photos), share(a.Right, a.Photos))
	}
	return t.Flush()
}

func share(n, of int) string {
	return fmt.Sprintf("%.2f %% (%d/%d)", 100*float64(n)/float64(max(of, 1)), n, of)
}

// Bytes writes a size as people read it.
func Bytes(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.2f MB", float64(n)/1e6)
}
