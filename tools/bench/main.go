// Command bench measures speed, sizes, cold start and memory of what
// ./build.sh build made, under wazero and in Chromium:
//
//	go run ./tools/bench
//	go run ./tools/bench -json > bench.json
//	go run ./tools/bench -dist FOLDER               # another model's site
//	go run ./tools/bench -only photos -against other.wasm
//
// It must run in the root of the repository, whose kernels it compiles. The
// photos are those of ECOR_DATA, or one that it draws.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/wasm/relax"
	"github.com/ecor-clip/ecor/www/browser"
	"github.com/ecor-clip/ecor/www/site/static"
)

// files are what is measured.
type files struct {
	module, relaxed, weights, labels, site string
}

type options struct {
	files
	against string
	runs    int
	only    []string
}

// parts of a measurement, in the order of the report.
var parts = []string{"kernels", "photos", "memory", "start", "sizes"}

func main() {
	dist := flag.String("dist", "dist", "`folder` that ./build.sh build wrote")
	runs := flag.Int("runs", 20, "runs that count")
	only := flag.String("only", strings.Join(parts, ","), "parts to measure")
	against := flag.String("against", "", "another module `file`, to be measured in turn with the first")
	asJSON := flag.Bool("json", false, "write JSON instead of tables")
	flag.Parse()
	o := options{against: *against, runs: max(1, *runs), only: strings.Split(*only, ",")}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report, err := func() (r *Report, err error) {
		if o.files, err = findFiles(*dist); err != nil {
			return nil, err
		}
		return run(ctx, o)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if *asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		e.Encode(report)
		return
	}
	report.print(os.Stdout)
}

// findFiles returns the files in the folder that ./build.sh build or ./www/site
// build wrote.
func findFiles(dist string) (f files, err error) {
	f = files{module: filepath.Join(dist, "ecor.wasm"), relaxed: filepath.Join(dist, "ecor-relaxed.wasm"), site: filepath.Join(dist, "www")}
	assets, err := static.ReadAssets(f.site)
	if err != nil {
		return f, err
	}
	f.weights = filepath.Join(f.site, filepath.FromSlash(assets.Weights))
	f.labels = filepath.Join(f.site, filepath.FromSlash(assets.Labels))
	return f, nil
}

func run(ctx context.Context, o options) (*Report, error) {
	for _, part := range o.only {
		if !slices.Contains(parts, part) {
			return nil, fmt.Errorf("unknown part %q: want %s", part, strings.Join(parts, ", "))
		}
	}
	r := &Report{Machine: thisMachine(), Runs: o.runs}
	set, err := readPhotos(warmPhotos + o.runs)
	if err != nil {
		return nil, err
	}
	large, err := drawnPhoto(8000, 6000)
	if err != nil {
		return nil, err
	}
	photos := append(slices.Clip(set.files), large.files...)
	texts, err := readTexts(o.labels, 60)
	if err != nil {
		return nil, err
	}
	strict, err := buildKernels(ctx, false)
	if err != nil {
		return nil, err
	}
	relaxed, err := buildKernels(ctx, true)
	if err != nil {
		return nil, err
	}

	tab, stop, err := startBrowser(ctx, r)
	if err != nil {
		return nil, err
	}
	defer stop()

	var hosts []named
	defer func() {
		for _, h := range hosts {
			h.close()
		}
	}()
	addWazero := func(name, module string) error {
		w, err := newWazero(ctx, o.files, module, strict, photos)
		if err != nil {
			return fmt.Errorf("%s, wazero: %w", module, err)
		}
		hosts = append(hosts, named{name, w})
		return nil
	}
	url := ""
	addChromium := func(name, module string, kernels []byte) error {
		if tab == nil {
			return nil
		}
		c, err := newChromium(tab, o.files, module, kernels, photos)
		if err != nil {
			return fmt.Errorf("%s, Chromium: %w", module, err)
		}
		hosts = append(hosts, named{name, c})
		url = cmp.Or(url, c.server.URL)
		return nil
	}
	if err := addChromium("relaxed", o.relaxed, relaxed); err != nil {
		return nil, err
	}
	if err := addChromium("strict", o.module, strict); err != nil {
		return nil, err
	}
	if err := addWazero("wazero", o.module); err != nil {
		return nil, err
	}
	if o.against != "" {
		if err := addChromium("other", o.against, strict); err != nil {
			return nil, err
		}
		if err := addWazero("wazero, other", o.against); err != nil {
			return nil, err
		}
	}
	for _, h := range hosts {
		r.Hosts = append(r.Hosts, h.name)
	}

	for _, part := range o.only {
		fmt.Fprintf(os.Stderr, "bench: %s\n", part)
		switch part {
		case "kernels":
			r.Kernels, err = measureKernels(ctx, hosts, o.runs)
		case "photos":
			r.Photos = &PhotoTable{Photos: set.name}
			if r.Photos.Rows, err = measurePhotos(ctx, hosts, set, texts, o.runs); err != nil {
				break
			}
			r.Large = &PhotoTable{Photos: large.name}
			r.Large.Rows, err = measureLarge(ctx, hosts, len(set.files), o.runs)
		case "memory":
			r.Memory, err = measureMemory(ctx, hosts, len(set.files))
		case "start":
			r.Start, err = measureStart(ctx, tab, o.files, url, photos[0], o.runs)
		case "sizes":
			r.Sizes, err = measureSizes(o.files)
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// startBrowser starts Chromium and notes its version. Where there is none it
// says so and returns no tab.
func startBrowser(ctx context.Context, r *Report) (tab context.Context, stop func(), err error) {
	path, err := browser.Find()
	if errors.Is(err, browser.ErrNone) {
		fmt.Fprintf(os.Stderr, "bench: %v: measuring without\n", err)
		r.Machine.Chromium = "no Chromium"
		return nil, func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if tab, stop, err = browser.Start(ctx, path); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Machine.Chromium, err = chromiumVersion(tab); err != nil {
		stop()
		return nil, nil, err
	}
	return tab, stop, nil
}

// buildKernels compiles the module that measures the kernels, those of
// ecor-relaxed.wasm or of ecor.wasm.
func buildKernels(ctx context.Context, relaxed bool) ([]byte, error) {
	dir, err := os.MkdirTemp("", "ecor-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "kernels.wasm")
	tags := "-tags="
	if relaxed {
		tags = "-tags=relaxed"
	}
	build := exec.CommandContext(ctx, "go", "build", tags, "-buildmode=c-shared", "-trimpath", "-o", out, "./tools/bench/kernels")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building the kernels' module: %w", err)
	}
	module, err := os.ReadFile(out)
	if err != nil || !relaxed {
		return module, err
	}
	module, _, err = relax.Repair(module)
	return module, err
}
