package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
)

// Table writes one line for each tensor: name, shape, scheme, bytes and signal-to-quantization-noise ratio.
func Table(w io.Writer, tensors []quant.Stored) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "tensor\tshape\tscheme\tbytes\tSQNR dB")
	for _, s := range tensors {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", s.Name, shapeText(s.Shape), s.Scheme, s.Bytes, decibels(s.SQNR))
	}
	return t.Flush()
}

func shapeText(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", "×"), "[]")
}

func decibels(v float64) string {
	if math.IsInf(v, 1) {
		return "exact"
	}
	return fmt.Sprintf("%.1f", v)
}

// Bytes writes a size as people read it.
func Bytes(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.2f MB", float64(n)/1e6)
}
