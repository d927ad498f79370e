package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/ecor-clip/ecor/wasm/host/photo"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// run is the command: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	}
	failed, err := classify(ctx, o, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "classify: interrupted")
		return exitInterrupted
	case err != nil:
		fmt.Fprintf(stderr, "classify: %v\n", err)
		return exitFailed
	case failed:
		return exitFailed
	}
	return exitOK
}

// classify prints an answer or an error for each photo. failed means that
// there was an error that did not stop the rest.
func classify(ctx context.Context, o *options, stdout, stderr io.Writer) (failed bool, err error) {
	files := []string{o.module, o.weights, o.labels}
	if o.native {
		files = files[1:]
	}
	for _, path := range files {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return false, fmt.Errorf("%s does not exist: run ./build.sh build, or name another file with a flag", path)
		}
	}
	photos := find(o.paths)
	if len(photos) == 0 {
		return false, fmt.Errorf("no photos in %s", strings.Join(o.paths, ", "))
	}
	e, err := openEngine(ctx, o, stderr)
	if err != nil {
		return failed, err
	}
	defer e.close(context.WithoutCancel(ctx))
	if m := o.classify.Method; m == wire.MethodInverted || m == wire.MethodJoint {
		fmt.Fprintf(stderr, "classify: note: method %v scores only the rationales that were kept (at most %d, -coverage %g), not all of them\n",
			m, o.classify.MaxRationales, o.classify.Coverage)
	}

	out := o.format(stdout)
	bar := newBar(stderr, len(photos))
	results := inOrder(photos, o.instances, func(r result) result {
		if r.err != nil {
			return r
		}
		img, err := photo.DecodeFile(r.path)
		if err != nil {
			r.err = err
			return r
		}
		r.answer, r.err = e.classify(ctx, img)
		return r
	})
	for r := range results {
		if ctx.Err() != nil {
			break
		}
		bar.clear()
		if r.err != nil {
			failed = true
			err = out.failure(stderr, r.path, r.err)
		} else {
			err = out.answer(r.path, r.answer)
		}
		if err != nil {
			return failed, err
		}
		bar.advance()
	}
	bar.clear()
	return failed, out.flush()
}

// find lists the photos at the paths, with an error for each path that cannot
// be read.
func find(paths []string) []result {
	var out []result
	for _, path := range paths {
		files, err := photo.Expand([]string{path})
		for _, file := range files {
			out = append(out, result{path: file})
		}
		if err != nil {
			out = append(out, result{path: path, err: err})
		}
	}
	return out
}

// cacheDir returns where compiled modules are kept, or "" where this machine
// has no such place.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "ecor")
}

// result is a photo and what became of it.
type result struct {
	path   string
	answer *wire.Answer
	err    error
}

// inOrder runs f on every item, n+1 at a time at most, and yields what it
// returns in the order of the items.
func inOrder(items []result, n int, f func(result) result) iter.Seq[result] {
	return func(yield func(result) bool) {
		stop := make(chan struct{})
		defer close(stop)
		pending := make(chan chan result, n)
		go func() {
			defer close(pending)
			for _, item := range items {
				c := make(chan result, 1)
				select {
				case pending <- c:
				case <-stop:
					return
				}
				go func() { c <- f(item) }()
			}
		}()
		for c := range pending {
			if !yield(<-c) {
				return
			}
		}
	}
}
