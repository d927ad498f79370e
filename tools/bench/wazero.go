package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/host/labelpack"
	"github.com/ecor-clip/ecor/wasm/host/photo"
	"github.com/ecor-clip/ecor/wasm/wire"
)

type wazeroRunner struct {
	host          *host.Host
	labels, other *host.Labels // other differs in the conditional template only
	photos        [][]byte

	kernels wazero.Runtime
	measure api.Function
}

func newWazero(ctx context.Context, f files, module string, kernels []byte, photos [][]byte) (_ *wazeroRunner, err error) {
	w := &wazeroRunner{photos: photos}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.host, err = host.Open(ctx, host.Config{Module: host.File(module), Weights: host.File(f.weights)}); err != nil {
		return nil, err
	}
	if w.labels, err = w.host.ReadLabels(f.labels); err != nil {
		return nil, err
	}
	if note := w.labels.Note(); note != "" {
		return nil, errors.New(note)
	}
	pack, err := labelpack.Read(f.labels)
	if err != nil {
		return nil, err
	}
	set := pack.LabelSet()
	set.Templates.Conditional = []string{"{r} {c}"}
	w.other = host.NewLabels(set)

	w.kernels = wazero.NewRuntime(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, w.kernels); err != nil {
		return nil, err
	}
	instance, err := w.kernels.InstantiateWithConfig(ctx, kernels,
		wazero.NewModuleConfig().WithStartFunctions("_initialize").WithSysWalltime().WithSysNanotime())
	if err != nil {
		return nil, err
	}
	w.measure = instance.ExportedFunction("measure")
	return w, nil
}

func (w *wazeroRunner) kernel(ctx context.Context, index, calls int) (float64, error) {
	result, err := w.measure.Call(ctx, api.EncodeI32(int32(index)), api.EncodeI32(int32(calls)))
	if err != nil {
		return 0, err
	}
	return api.DecodeF64(result[0]), nil
}

func (w *wazeroRunner) forget(ctx context.Context) error {
	for _, l := range []*host.Labels{w.other, w.labels} {
		if _, err := w.host.CheckLabels(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// A stopwatch is a context that knows when it was last asked whether it is
// done, which is how a Host begins every step.
type stopwatch struct {
	context.Context
	asked time.Time
}

func (s *stopwatch) Err() error {
	s.asked = time.Now()
	return s.Context.Err()
}

func (w *wazeroRunner) classify(ctx context.Context, index int) (times, error) {
	var t times
	begun := time.Now()
	m, err := photo.Decode(bytes.NewReader(w.photos[index]))
	if err != nil {
		return t, err
	}
	t.Decode = milliseconds(time.Since(begun))

	steps := &stopwatch{Context: ctx}
	sent, last, at := time.Now(), time.Time{}, &t.Image
	progress := func(p wire.Progress) {
		if last.IsZero() {
			last = steps.asked
			t.Resize = milliseconds(last.Sub(sent))
		}
		switch p.Phase {
		case wire.PhaseStage1:
			at = &t.Stage1
		case wire.PhaseStage2:
			at = &t.Stage2
		}
		now := time.Now()
		*at += milliseconds(now.Sub(last))
		last = now
	}
	answer, err := w.host.Classify(host.WithProgress(steps, progress), m, w.labels, wire.ClassifyOptions{})
	if err != nil {
		return t, err
	}
	t.Total = milliseconds(time.Since(begun))
	t.Kept = float64(answer.Kept)
	return t, nil
}

func (w *wazeroRunner) alone(ctx context.Context, texts []string) (float64, error) {
	begun := time.Now()
	for _, text := range texts {
		if _, err := w.host.EmbedText(ctx, text); err != nil {
			return 0, err
		}
	}
	return milliseconds(time.Since(begun)), nil
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

func (w *wazeroRunner) memory(context.Context) (map[string]float64, error) {
	return map[string]float64{"module": float64(w.host.MemoryBytes())}, nil
}

func (w *wazeroRunner) close() {
	ctx := context.Background()
	if w.host != nil {
		w.host.Close(ctx)
	}
	if w.kernels != nil {
		w.kernels.Close(ctx)
	}
}

// openTimes opens the module with an empty cache for compiled code, then with
// the cache that this left, and returns the seconds that each took.
func openTimes(ctx context.Context, f files, dir string) (empty, filled float64, err error) {
	c := host.Config{Module: host.File(f.module), Weights: host.File(f.weights), CacheDir: filepath.Join(dir, "compiled")}
	for _, seconds := range []*float64{&empty, &filled} {
		begun := time.Now()
		h, err := host.Open(ctx, c)
		if err != nil {
			return 0, 0, err
		}
		*seconds = time.Since(begun).Seconds()
		if err := h.Close(ctx); err != nil {
			return 0, 0, err
		}
	}
	return empty, filled, nil
}
