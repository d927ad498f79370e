package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/ecor-clip/ecor/tools/evaluate/internal/metrics"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// WriteHead writes, for people, what is evaluated.
func (r *Run) WriteHead(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s, %s, %s (%s); split %s; rationales: %s\nconditional prompt: %s\n", r.Weights.Name, r.Weights.Scheme,
		r.Engine, r.Kernel, r.Split, r.Rationales, strings.Join(r.Templates.Conditional, " | "))
	return err
}

// WriteMean writes the means over sets, after Finish.
func (r *Run) WriteMean(w io.Writer) error {
	if len(r.Mean) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nmean over the %d sets with rationales\n", r.inMean())
	writeMethods(&b, r.Mean, false)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Run) inMean() (n int) {
	for _, s := range r.Sets {
		if s.InMean() && s.NoRationale.Photos < s.Photos {
			n++
		}
	}
	return n
}

// Write writes the set's figures for people, in percent.
func (s *Set) Write(w io.Writer) error {
	b := new(strings.Builder)
	fmt.Fprintf(b, "\n%s: %d photos, %d categories, %d rationales, %.0f s\n", s.Name, s.Photos, s.Categories, s.Rationales, s.Seconds)
	if s.NoRationale.Categories > 0 {
		fmt.Fprintf(b, "  %d categories have no rationale; their %d photos are left out of RR, RW, WR and WW\n", s.NoRationale.Categories, s.NoRationale.Photos)
	}
	if s.Unmapped > 0 {
		fmt.Fprintf(b, "  %d photos are left out: their categories are not among the candidates\n", s.Unmapped)
	}
	if n := len(s.Unreadable); n > 0 {
		fmt.Fprintf(b, "  %d photos could not be read\n", n)
	}
	if !s.Full {
		fmt.Fprintf(b, "  pruned: ecor, inverted and joint score the rationales that were kept for each photo; mean uncovered %.1f %%\n", 100*s.Uncovered)
	}
	writeMethods(b, s.Methods, s.Mapped)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeMethods(b *strings.Builder, methods map[string]metrics.Summary, related bool) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "  method\ttop-1\ttop-5\tRR\tRW\tWR\tWW\tECE\tNLL\t")
	if related {
		fmt.Fprint(t, "related top-1\trelated top-5\t")
	}
	fmt.Fprintln(t)
	for _, m := range wire.Methods() {
		s, ok := methods[m.String()]
		if !ok {
			continue
		}
		fmt.Fprintf(t, "  %s\t%.1f\t%.1f\t", m, 100*s.Top1, 100*s.Top5)
		if s.Judged > 0 {
			fmt.Fprintf(t, "%.1f\t%.1f\t%.1f\t%.1f\t", 100*s.RR, 100*s.RW, 100*s.WR, 100*s.WW)
		} else {
			fmt.Fprint(t, "-\t-\t-\t-\t")
		}
		fmt.Fprintf(t, "%.1f\t%.2f\t", 100*s.ECE, s.NLL)
		if related {
			fmt.Fprintf(t, "%.1f\t%.1f\t", 100*s.RelatedTop1, 100*s.RelatedTop5)
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

var csvHeader = []string{
	"weights", "scheme", "set", "method", "photos", "unreadable", "unmapped", "categories", "rationales", "full", "uncovered",
	"top1", "top5", "judged", "rr", "rw", "wr", "ww", "ece", "nll", "related_top1", "related_top5",
}

// WriteCSV writes a line for each set and method. Shares are of 0..1.
func (r *Run) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write(csvHeader) // Flush reports the error
	for _, s := range r.Sets {
		for _, m := range wire.Methods() {
			f, ok := s.Methods[m.String()]
			if !ok {
				continue
			}
			row := []string{
				r.Weights.Name, r.Weights.Scheme, s.Name, m.String(), strconv.Itoa(s.Photos), strconv.Itoa(len(s.Unreadable)), strconv.Itoa(s.Unmapped),
				strconv.Itoa(s.Categories), strconv.Itoa(s.Rationales), strconv.FormatBool(s.Full), number(s.Uncovered),
				number(f.Top1), number(f.Top5), strconv.Itoa(f.Judged), number(f.RR), number(f.RW), number(f.WR), number(f.WW), number(f.ECE), number(f.NLL),
			}
			if s.Mapped {
				row = append(row, number(f.RelatedTop1), number(f.RelatedTop5))
			} else {
				row = append(row, "", "")
			}
			c.Write(row)
		}
	}
	c.Flush()
	return c.Error()
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// WriteComparisons writes differences in points of a percent, with their
// intervals.
func WriteComparisons(w io.Writer, comparisons []Comparison) error {
	var b strings.Builder
	for i, c := range comparisons {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%v less %v, in points, with 95 %% intervals\n", c.A, c.B)
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "  set\tphotos\tRR\ttop-1\tECE\t")
		for _, d := range c.Sets {
			writeDifference(t, d.Set, &d)
		}
		if c.Mean != nil {
			writeDifference(t, fmt.Sprintf("mean of %d sets", c.MeanSets), c.Mean)
		}
		t.Flush()
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeDifference(w io.Writer, name string, d *Difference) {
	rr := "-"
	if d.Judged > 0 {
		rr = d.RR.String()
	}
	fmt.Fprintf(w, "  %s\t%d\t%s\t%v\t%v\t\n", name, d.Photos, rr, d.Top1, d.ECE)
}

// String returns the difference in points of a percent.
func (i Interval) String() string {
	return fmt.Sprintf("%+.1f [%+.1f, %+.1f]", 100*i.Value, 100*i.Low, 100*i.High)
}
