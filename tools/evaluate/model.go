package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/report"
	"github.com/ecor-clip/ecor/tools/evaluate/internal/score"
	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// checkLabels has the engine check labels: an error names a limit, the warnings
// name prompts that are cut at the context length.
type checkLabels func(ctx context.Context, set wire.LabelSet) (warnings []string, err error)

// openModel loads the weights, as many times as there are workers, and fills in
// what run says about them. The caller closes the model.
func openModel(ctx context.Context, o *options, run *report.Run) (m *score.Model, check checkLabels, closeModel func() error, err error) {
	var info wire.ModelInfo
	m = &score.Model{Workers: o.workers}
	if o.native {
		n, err := newNative(o.weights, o.workers)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", o.weights, err)
		}
		m.Engine, info, run.Engine, run.Weights.SHA256 = n, n.info, "native", n.sha256
		check, closeModel = n.check, func() error { return nil }
	} else {
		for _, path := range []string{o.module, o.weights} {
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				return nil, nil, nil, fmt.Errorf("%s does not exist: run ./build.sh build, or name another file with a flag", path)
			}
		}
		h, err := host.Open(ctx, host.Config{
			Module: host.File(o.module), Weights: host.File(o.weights), Instances: o.workers, CacheDir: cacheDir(),
		})
		if err != nil {
			return nil, nil, nil, err
		}
		m.Engine, info, run.Engine, run.Weights.SHA256 = h, h.Info(), "wazero", h.WeightsSHA256()
		check = func(ctx context.Context, set wire.LabelSet) ([]string, error) {
			info, err := h.CheckLabels(ctx, host.NewLabels(set))
			return info.Warnings, err
		}
		closeModel = func() error { return h.Close(context.WithoutCancel(ctx)) }
	}
	m.Dim, m.Scale, m.Templates = int(info.ProjectionDim), info.LogitScale, explain.Templates(info.Templates)
	run.Kernel, run.Templates = info.Kernel, info.Templates
	run.Weights.File, run.Weights.Name = filepath.Base(o.weights), info.Name
	run.Weights.Scheme, run.Weights.SourceSHA256 = info.Scheme, info.SourceSHA256
	return m, check, closeModel, nil
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
