package main

import (
	"context"
	"fmt"
	"image"
	"io"

	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// An engine classifies photos into one label set. Its methods may be called by
// many goroutines.
type engine interface {
	classify(ctx context.Context, img image.Image) (*wire.Answer, error)
	close(ctx context.Context) error
}

// openEngine starts what the options name; notes go to stderr.
func openEngine(ctx context.Context, o *options, stderr io.Writer) (engine, error) {
	if o.native {
		return openNative(o, stderr)
	}
	h, err := host.Open(ctx, host.Config{
		Module:      host.File(o.module),
		Weights:     host.File(o.weights),
		Instances:   o.instances,
		MemoryLimit: o.memory,
		CacheDir:    cacheDir(),
	})
	if err != nil {
		return nil, err
	}
	labels, err := readLabels(ctx, h, o.labels, stderr)
	if err != nil {
		h.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return &module{h, labels, o.classify}, nil
}

// module is the WebAssembly module under wazero.
type module struct {
	host    *host.Host
	labels  *host.Labels
	options wire.ClassifyOptions
}

func (m *module) classify(ctx context.Context, img image.Image) (*wire.Answer, error) {
	return m.host.Classify(ctx, img, m.labels, m.options)
}

func (m *module) close(ctx context.Context) error { return m.host.Close(ctx) }

func readLabels(ctx context.Context, h *host.Host, path string, stderr io.Writer) (*host.Labels, error) {
	labels, err := h.ReadLabels(path)
	if err != nil {
		return nil, err
	}
	if note := labels.Note(); note != "" {
		fmt.Fprintf(stderr, "classify: note: %s\n", note)
	}
	info, err := h.CheckLabels(ctx, labels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	warn(stderr, path, info.Warnings)
	return labels, nil
}

func warn(stderr io.Writer, path string, warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(stderr, "classify: %s: %s\n", path, w)
	}
}
