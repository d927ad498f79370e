package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"

	"github.com/ecor-clip/ecor/tools/evaluate/internal/report"
)

// maxResamples bounds the memory of compare.
const maxResamples = 1 << 20

// compare is the command of that name.
func compare(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("evaluate compare", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: evaluate compare [flags] RUN.json [RUN.json...]")
		flags.PrintDefaults()
	}
	var wanted []string
	flags.Func("pair", "`RUN:METHOD-RUN:METHOD` to compare, a run being its file's name without .json; may be given again.\n"+
		"Without it: ecor and every other method of each run, and each method of later runs and of the first", func(s string) error {
		wanted = append(wanted, s)
		return nil
	})
	resamples := flags.Int("resamples", 10_000, "bootstrap resamples")
	seed := flags.Uint64("seed", 1, "of the resamples")
	jsonFile := flags.String("json", "", "write the differences to this `file`")
	if err := flags.Parse(args); err != nil {
		return parseError(err)
	}
	if *resamples < 100 || *resamples > maxResamples {
		return usage("-resamples %d: want 100 to %d", *resamples, maxResamples)
	}
	if flags.NArg() == 0 {
		return usage("no runs: name files that evaluate -json wrote")
	}
	var names []string
	runs := make(map[string]*report.Run)
	for _, path := range flags.Args() {
		name := report.RunName(path)
		if slices.Contains(names, name) {
			return usage("two runs are called %q", name)
		}
		r, err := report.Read(path)
		if err != nil {
			return err
		}
		names, runs[name] = append(names, name), r
	}
	pairs := report.DefaultPairs(names)
	if len(wanted) > 0 {
		pairs = nil
	}
	for _, w := range wanted {
		p, err := report.ParsePair(w, names)
		if err != nil {
			return usage("-pair: %v", err)
		}
		pairs = append(pairs, p)
	}
	comparisons, err := report.Bootstrap{Resamples: *resamples, Seed: *seed}.Compare(runs, pairs)
	if err != nil {
		return err
	}
	out, err := create(*jsonFile)
	if err != nil {
		return err
	}
	defer out.discard()
	if err := out.write(func(w io.Writer) error { return json.NewEncoder(w).Encode(comparisons) }); err != nil {
		return err
	}
	return report.WriteComparisons(stdout, comparisons)
}

// parseError marks an error of flag.Parse, which has already been shown.
func parseError(err error) error {
	if err == flag.ErrHelp {
		return err
	}
	return usage("%v", err)
}
