// Command quantize turns a full-precision CLIP checkpoint, in Hugging Face's layout or open_clip's, into browser weights, and
// label packs into embeddings that belong to them. It can measure what is lost, and refuse to lose too much; and it can
// download public checkpoints.
//
//	go run ./tools/quantize fetch openai-b32 -out clip
//	go run ./tools/quantize -in weights/ecor-mini -labels weights/labels/everyday.json -out dist/weights
//	go run ./tools/quantize -in clip -out weights -scheme w4a7 -labels pets.json -photos holidays \
//	    -report report.json -max-loss cosine=0.985,agreement=0.95
//	go run ./tools/quantize schemes -in clip -labels pets.json -photos holidays
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ecor-clip/ecor/tools/quantize/internal/convert"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the command: the report goes to stdout, progress and errors to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "fetch" {
		return fetch(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == "schemes" {
		return schemes(ctx, args[1:], stdout, stderr)
	}
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(stderr, "quantize:", err)
		return exitUsage
	}
	begun := time.Now()
	result, err := convert.Run(ctx, o, report.NewProgress(stderr))
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "quantize: interrupted, nothing was written")
		return exitFailed
	}
	if result != nil {
		if err := show(stdout, o, result, time.Since(begun)); err != nil {
			fmt.Fprintln(stderr, "quantize:", err)
			return exitFailed
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "quantize:", err)
		return exitFailed
	}
	return exitOK
}

// The templates of this project's reading of ECOR. The category comes last in the conditional one, so that prompts of
// one rationale share all tokens before it.
var defaultTemplates = convert.Templates{
	Category:    []string{"This is a photo of a {c}"},
	Rationale:   []string{"This is a photo of an object because there is {r}"},
	Conditional: []string{"because there is {r}, this is a photo of a {c}"},
}

func parse(args []string, stderr io.Writer) (*convert.Options, error) {
	flags := flag.NewFlagSet("quantize", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run writes errors, once
	o := &convert.Options{}
	var scheme string
	flags.StringVar(&o.In, "in", "", "checkpoint `directory`, in Hugging Face's layout or open_clip's")
	flags.StringVar(&o.Out, "out", "", "`directory` to write to")
	flags.Func("labels", "label pack `file` to copy and to precompute embeddings for; repeat for several", func(s string) error {
		o.Labels = append(o.Labels, s)
		return nil
	})
	flags.StringVar(&o.Name, "name", "", "name of the weights and of their file (default: the checkpoint directory's)")
	flags.StringVar(&scheme, "scheme", string(quant.W8A7), "w8a7 (int8 weights, 7-bit activations), w8 (int8 weights, float32 activations), w4a7 (4-bit weights, 7-bit activations) or float32")
	flags.IntVar(&o.Group, "group", 32, "weights that share a multiplier with w4a7: 32 or 64")
	flags.BoolVar(&o.Embed4, "embed4", false, "store the token embedding in four bits, too, with w4a7")
	flags.Float64Var(&o.Alpha, "smooth-alpha", 0.5, "SmoothQuant's migration strength, 0 to 1; used where ranges of activations are known, from -photos or a calibration.json")
	flags.StringVar(&o.Photos, "photos", "", "`folder` of photos: every second one calibrates the image tower, the others are compared with float32. Prompts of the label packs are dealt out in the same way")
	flags.Func("accuracy", "`folder` with a folder of photos for each category: top-1 accuracy is measured on them; repeat for several", func(s string) error {
		o.Accuracy = append(o.Accuracy, s)
		return nil
	})
	flags.IntVar(&o.Calibrate, "calibrate", 64, "most photos, and a quarter of the most texts, to calibrate on; with 0, calibration.json is used and all photos are compared")
	flags.IntVar(&o.Judge, "judge", 256, "most photos of -photos, and a quarter of the most texts, to compare")
	flags.StringVar(&o.Report, "report", "", "`file` to write the figures to, as JSON")
	flags.Func("max-loss", "figures that must be reached, or nothing is written: cosine=0.995 (least mean cosine of images and texts to float32), "+
		"p1=0.98 (least first percentile), min=0.95 (least of all), agreement=0.97 (least share of photos that keep their category where "+
		"float32 leads by half a logit), same=0.9 (least share of all photos that do), top1=0.5 (most points of -accuracy lost), "+
		"separated by commas. A figure that cannot be measured fails", func(s string) (err error) {
		o.Limits, err = report.ParseLimits(s)
		return err
	})
	for _, t := range []struct {
		name, usage string
		list        *[]string
	}{
		{"template-category", "prompt of a category, with {c}", &o.Templates.Category},
		{"template-rationale", "prompt of a rationale, with {r}", &o.Templates.Rationale},
		{"template-conditional", "prompt of a category given a rationale, with {c} and {r}", &o.Templates.Conditional},
	} {
		flags.Func(t.name, t.usage+"; repeat for an ensemble", func(s string) error {
			*t.list = append(*t.list, s)
			return nil
		})
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(stderr)
			flags.Usage()
		}
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.In == "" || o.Out == "":
		return nil, errors.New("-in and -out are needed")
	case !(o.Alpha >= 0 && o.Alpha <= 1):
		return nil, fmt.Errorf("-smooth-alpha is %g: want 0 to 1", o.Alpha)
	case o.Group != 32 && o.Group != 64:
		return nil, fmt.Errorf("-group is %d: want 32 or 64", o.Group)
	case o.Calibrate < 0:
		return nil, fmt.Errorf("-calibrate is %d: want at least 0", o.Calibrate)
	case o.Judge < 1:
		return nil, fmt.Errorf("-judge is %d: want at least 1", o.Judge)
	}
	if o.Limits != nil {
		if err := o.Limits.Need(o.Photos != "", len(o.Labels) > 0, len(o.Accuracy) > 0); err != nil {
			return nil, fmt.Errorf("-max-loss: %w", err)
		}
	}
	var err error
	if o.Scheme, err = quant.ParseScheme(scheme); err != nil {
		return nil, err
	}
	if o.Embed4 && o.Scheme != quant.W4A7 {
		return nil, fmt.Errorf("-embed4 is for the scheme w4a7, not %s", o.Scheme)
	}
	if o.Name == "" {
		path, err := filepath.Abs(o.In)
		if err != nil {
			return nil, err
		}
		o.Name = filepath.Base(path)
	}
	if o.Name != filepath.Base(o.Name) || o.Name == "." || o.Name == ".." {
		return nil, fmt.Errorf("-name is %q: want a plain file name", o.Name)
	}
	return o, setDefaults(&o.Templates)
}

// setDefaults fills in the kinds of templates that were not given.
func setDefaults(t *convert.Templates) error {
	if t.Category == nil {
		t.Category = defaultTemplates.Category
	}
	if t.Rationale == nil {
		t.Rationale = defaultTemplates.Rationale
	}
	if t.Conditional == nil {
		t.Conditional = defaultTemplates.Conditional
	}
	return t.Check()
}

// maxWarnings is the number of warnings that are written out.
const maxWarnings = 10

// show writes the table of tensors and the totals.
func show(w io.Writer, o *convert.Options, r *convert.Result, took time.Duration) error {
	if err := report.Table(w, r.Tensors); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nscheme %s, %s; calibrated on %s\n", o.Scheme, r.Smoothing, r.Calibration)
	if r.Fidelity != nil {
		if err := r.Fidelity.Table(w); err != nil {
			return err
		}
	}
	for i, warning := range r.Warnings {
		if i == maxWarnings {
			fmt.Fprintf(w, "warning: %d more of this kind\n", len(r.Warnings)-i)
			break
		}
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	for _, f := range r.Files {
		fmt.Fprintf(w, "%s: %s, gzip %s, sha256 %s\n", filepath.Join(o.Out, f.Name), report.Bytes(f.Bytes), report.Bytes(f.Gzip), f.SHA256)
	}
	_, err := fmt.Fprintf(w, "took %.1f s\n", took.Seconds())
	return err
}
