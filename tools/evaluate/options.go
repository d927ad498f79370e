package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/core"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/labels"
)

// options are the parsed command line.
type options struct {
	weights, module   string
	native            bool
	workers           int
	data, train, pack string // folders: data sets, texts, label packs
	sets              []string
	folders           []string
	split             string
	limit             int
	source            labels.Source
	fullPairs         int
	coverage          float64
	maxRationales     int
	jsonFile, csvFile string
}

const maxWorkers = 64

// parse reads the command line. It shows what flag finds wrong, and help, on
// stderr.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	flags := flag.NewFlagSet("evaluate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: evaluate [flags] [FOLDER...]\n       evaluate compare [flags] RUN.json [RUN.json...]")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.weights, "weights", "dist/weights/ecor-mini.safetensors", "weights `file`, int8 or float32")
	flags.StringVar(&o.module, "module", "dist/ecor.wasm", "WebAssembly module `file`")
	flags.BoolVar(&o.native, "native", false, "run the engine compiled for this machine instead of the module")
	flags.IntVar(&o.workers, "workers", runtime.NumCPU(), "photos or batches of texts at the same time; each takes its own copy of the weights")
	flags.StringVar(&o.data, "data", os.Getenv("ECOR_DATA"), "`folder` of the photo sets; by default the environment's ECOR_DATA")
	flags.StringVar(&o.train, "texts", "tools/train", "`folder` with texts.json and category_map.json")
	flags.StringVar(&o.pack, "labels", "weights/labels", "`folder` of label packs")
	sets := flags.String("sets", "", "names of photo sets, separated by commas; by default all that are there.\n"+
		strings.Join(mappedSets, " and ")+" are classified into the pack "+mappedPack)
	flags.StringVar(&o.split, "split", "test", "split of the photo sets")
	flags.IntVar(&o.limit, "limit", 0, "photos of a set at most, spread over it; 0 means all")
	source := flags.String("rationales", string(labels.PacksOrCollected), "which rationales count as right: packs, collected or packs-or-collected")
	flags.IntVar(&o.fullPairs, "full", 200_000, "categories times rationales up to which the whole table is scored")
	flags.Float64Var(&o.coverage, "coverage", core.DefaultCoverage, "of larger tables: rationale probability to reach, up to 1")
	flags.IntVar(&o.maxRationales, "max-rationales", core.DefaultMaxRationales, "of larger tables: rationales kept for a photo at most")
	flags.StringVar(&o.jsonFile, "json", "", "write the results, with every photo's, to this `file`")
	flags.StringVar(&o.csvFile, "csv", "", "write the figures to this `file`")
	if err := flags.Parse(args); err != nil {
		return nil, parseError(err)
	}
	o.folders = flags.Args()
	o.source = labels.Source(*source)
	if *sets != "" {
		o.sets = strings.Split(*sets, ",")
	}
	switch {
	case !slices.Contains(labels.Sources(), o.source):
		return nil, usage("-rationales %q: want one of %v", *source, labels.Sources())
	case o.workers < 1 || o.workers > maxWorkers:
		return nil, usage("-workers %d: want 1 to %d", o.workers, maxWorkers)
	case o.limit < 0:
		return nil, usage("-limit %d: want 0 or more", o.limit)
	case o.fullPairs < 0:
		return nil, usage("-full %d: want 0 or more", o.fullPairs)
	case !(o.coverage > 0 && o.coverage <= 1):
		return nil, usage("-coverage %g: want more than 0, at most 1", o.coverage)
	case o.maxRationales < 1:
		return nil, usage("-max-rationales %d: want at least 1", o.maxRationales)
	case o.data == "" && len(o.folders) == 0:
		return nil, usage("no photos: set ECOR_DATA, give -data, or name folders of categories")
	case len(o.sets) > 0 && o.data == "":
		return nil, usage("-sets needs ECOR_DATA or -data")
	}
	return o, nil
}
