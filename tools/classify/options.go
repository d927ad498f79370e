package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"

	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// options are the parsed command line.
type options struct {
	labels, weights, module string
	classify                wire.ClassifyOptions
	format                  func(io.Writer) printer
	instances               int
	memory                  uint64 // bytes that an instance may use
	native                  bool
	paths                   []string
}

const (
	maxInstances = 64
	maxMemory    = 4096 // MiB, what WebAssembly can address
)

// parse reads the command line. It reports what is wrong, and help, on stderr.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{format: newTextPrinter}
	flags := flag.NewFlagSet("classify", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: classify [flags] FILE|DIR...")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.labels, "labels", "dist/weights/everyday.json", "label pack `file`; NAME.embeddings.safetensors beside it is used where it fits")
	flags.StringVar(&o.weights, "weights", "dist/weights/ecor-mini.safetensors", "weights `file`")
	flags.StringVar(&o.module, "module", "dist/ecor.wasm", "WebAssembly module `file`")
	flags.BoolVar(&o.native, "native", false, "take the engine compiled for this machine instead of the module")
	method := flags.String("method", "ecor", "ecor, clip, independent, inverted or joint")
	top := flags.Int("top", 5, "categories in each answer")
	coverage := flags.Float64("coverage", 0.99, "rationale probability to reach before categories are scored, up to 1")
	rationales := flags.Int("max-rationales", 32, "rationales that categories are scored with at most")
	asJSON := flags.Bool("json", false, "write one JSON object per photo and line")
	asCSV := flags.Bool("csv", false, "write CSV, one line per category and rationale")
	flags.IntVar(&o.instances, "j", min(4, runtime.NumCPU()), "photos to classify at the same time; each takes its own copy of the weights")

	memory := flags.Int("memory", host.DefaultMemoryLimit>>20, "`MiB` of memory that each instance of the module may use")

	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	o.paths = flags.Args()
	check := func() (err error) {
		if o.classify.Method, err = wire.ParseMethod(*method); err != nil {
			return err
		}
		switch {
		case *top < 1 || *top > math.MaxInt32:
			return fmt.Errorf("-top %d: want at least 1", *top)
		case !(*coverage > 0 && *coverage <= 1):
			return fmt.Errorf("-coverage %g: want more than 0, at most 1", *coverage)
		case *rationales < 1 || *rationales > math.MaxInt32:
			return fmt.Errorf("-max-rationales %d: want at least 1", *rationales)
		case o.instances < 1 || o.instances > maxInstances:
			return fmt.Errorf("-j %d: want 1 to %d", o.instances, maxInstances)
		case *memory < 1 || *memory > maxMemory:
			return fmt.Errorf("-memory %d: want 1 to %d", *memory, maxMemory)
		case *asJSON && *asCSV:
			return errors.New("-json and -csv exclude each other")
		case len(o.paths) == 0:
			return errors.New("no photos: name files or folders")
		}
		return nil
	}
	if err := check(); err != nil {
		fmt.Fprintf(stderr, "classify: %v\n", err)
		return nil, err
	}
	o.memory = uint64(*memory) << 20
	o.classify.Top = uint32(*top)
	o.classify.Coverage = float32(*coverage)
	o.classify.MaxRationales = uint32(*rationales)
	switch {
	case *asJSON:
		o.format = newJSONPrinter
	case *asCSV:
		o.format = newCSVPrinter
	}
	return o, nil
}
