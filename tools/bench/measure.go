package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ecor-clip/ecor/tools/bench/cases"
)

// named is a runner with the name of its column.
type named struct {
	name string
	runner
}

// Row is one measurement on every host.
type Row struct {
	Name  string             `json:"name"`
	Unit  string             `json:"unit"`
	Hosts map[string]Summary `json:"hosts"`
}

// samples collects the runs of rows.
type samples struct {
	order []string
	unit  map[string]string
	runs  map[string]map[string][]float64 // by row and host
}

func (s *samples) add(row, unit, host string, value float64) {
	if s.runs == nil {
		s.unit, s.runs = make(map[string]string), make(map[string]map[string][]float64)
	}
	if s.runs[row] == nil {
		s.order = append(s.order, row)
		s.unit[row], s.runs[row] = unit, make(map[string][]float64)
	}
	s.runs[row][host] = append(s.runs[row][host], value)
}

func (s *samples) rows() []Row {
	var rows []Row
	for _, name := range s.order {
		row := Row{Name: name, Unit: s.unit[name], Hosts: make(map[string]Summary)}
		for host, runs := range s.runs[name] {
			row.Hosts[host] = summarize(runs)
		}
		rows = append(rows, row)
	}
	return rows
}

// KernelRow is one kernel call on every host, in seconds.
type KernelRow struct {
	Tower    string             `json:"tower"`
	Name     string             `json:"name"`
	Ops      int                `json:"ops"`
	Product  bool               `json:"product"` // ops are multiply-adds, not elements
	PerPhoto int                `json:"perPhoto"`
	Hosts    map[string]Summary `json:"hosts"`
}

// sampleTime is how long one run of a kernel takes at least.
const sampleTime = 20 * time.Millisecond

// Runs that are thrown away before those that count.
const (
	warmKernels = 5
	warmPhotos  = 2
)

// measureKernels runs every case on every host in turn.
func measureKernels(ctx context.Context, hosts []named, runs int) ([]KernelRow, error) {
	var rows []KernelRow
	for i, c := range cases.All {
		calls := make([]int, len(hosts))
		seconds := make(map[string][]float64)
		for run := range warmKernels + runs {
			for j, h := range hosts {
				t, err := h.kernel(ctx, i, max(1, calls[j]))
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", h.name, c.Name, err)
				}
				if run >= warmKernels {
					seconds[h.name] = append(seconds[h.name], t)
				} else if t > 0 {
					calls[j] = int(sampleTime.Seconds()/t) + 1
				} else {
					calls[j] = 100
				}
			}
		}
		row := KernelRow{c.Tower, c.Name, c.Ops, c.Product, c.PerPhoto, make(map[string]Summary)}
		for name, runs := range seconds {
			row.Hosts[name] = summarize(runs)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// measurePhotos classifies photos on every host in turn, each with nothing of
// stage 2 cached and then once more. texts are some of stage 2's, which are
// encoded one by one for comparison.
func measurePhotos(ctx context.Context, hosts []named, set photoSet, texts conditionalTexts, runs int) ([]Row, error) {
	var s samples
	for run := range warmPhotos + runs {
		index := run % len(set.files)
		for _, h := range hosts {
			if err := h.forget(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", h.name, err)
			}
			cold, err := h.classify(ctx, index)
			if err != nil {
				return nil, fmt.Errorf("%s, photo %d: %w", h.name, index, err)
			}
			cached, err := h.classify(ctx, index)
			if err != nil {
				return nil, fmt.Errorf("%s, photo %d: %w", h.name, index, err)
			}
			if run < warmPhotos {
				continue
			}
			s.add("decode", "ms", h.name, cold.Decode)
			s.add("resize", "ms", h.name, cold.Resize)
			s.add("image tower", "ms", h.name, cold.Image)
			s.add("stage 1", "ms", h.name, cold.Stage1)
			s.add("stage 2, cold", "ms", h.name, cold.Stage2)
			one, err := h.alone(ctx, texts.sample)
			if err != nil {
				return nil, fmt.Errorf("%s, texts one by one: %w", h.name, err)
			}
			s.add("stage 2's texts one by one (from a sample)", "ms", h.name, one/float64(len(texts.sample))*cold.Kept*float64(texts.categories))
			s.add("rationales kept for stage 2", "", h.name, cold.Kept)
			s.add("stage 2, cached", "ms", h.name, cached.Stage2)
			s.add("whole photo, cold", "ms", h.name, cold.Total)
			s.add("whole photo, cached", "ms", h.name, cached.Total)
		}
	}
	return s.rows(), nil
}

// measureLarge decodes and resizes one large photo on every host in turn.
func measureLarge(ctx context.Context, hosts []named, index, runs int) ([]Row, error) {
	var s samples
	for run := range warmPhotos + runs {
		for _, h := range hosts {
			t, err := h.classify(ctx, index)
			if err != nil {
				return nil, fmt.Errorf("%s, photo %d: %w", h.name, index, err)
			}
			if run < warmPhotos {
				continue
			}
			s.add("decode", "ms", h.name, t.Decode)
			s.add("resize", "ms", h.name, t.Resize)
			s.add("whole photo, cached", "ms", h.name, t.Total)
		}
	}
	return s.rows(), nil
}

// measureMemory classifies one more photo and returns the memory that everything
// before and this took.
func measureMemory(ctx context.Context, hosts []named, index int) ([]Row, error) {
	var s samples
	for _, h := range hosts {
		if _, err := h.classify(ctx, index); err != nil {
			return nil, fmt.Errorf("%s, photo %d: %w", h.name, index, err)
		}
		m, err := h.memory(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.name, err)
		}
		for name, bytes := range m {
			s.add(name, "MiB", h.name, bytes/(1<<20))
		}
	}
	return s.rows(), nil
}

// measureStart starts everything anew in each run. The browser's part is left
// out where browser is nil.
func measureStart(ctx context.Context, browser context.Context, f files, url string, photo []byte, runs int) ([]Row, error) {
	var s samples
	for range runs {
		dir, err := os.MkdirTemp("", "ecor-bench-")
		if err != nil {
			return nil, err
		}
		empty, filled, err := openTimes(ctx, f, dir)
		os.RemoveAll(dir)
		if err != nil {
			return nil, err
		}
		s.add("open with an empty cache: compile, load weights", "s", "wazero", empty)
		s.add("open with a filled cache: load weights", "s", "wazero", filled)
		if browser == nil {
			continue
		}
		first, second, err := visit(browser, url, photo)
		if err != nil {
			return nil, err
		}
		for _, v := range []struct {
			name string
			visitTimes
		}{{"first visit", first}, {"next visit", second}} {
			s.add(v.name+": navigation to model ready", "s", "relaxed", v.Model)
			s.add(v.name+": navigation to first name", "s", "relaxed", v.Name)
			s.add(v.name+": navigation to first whole answer", "s", "relaxed", v.Answer)
		}
	}
	return s.rows(), nil
}

// Size of a file.
type Size struct {
	Name string `json:"name"`
	Raw  int    `json:"raw"` // bytes
	Gzip int    `json:"gzip"`
}

func measureSizes(f files) ([]Size, error) {
	var sizes []Size
	for _, path := range []string{f.module, f.relaxed, f.weights, f.labels, strings.TrimSuffix(f.labels, ".json") + ".embeddings.safetensors"} {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return nil, err
		}
		w.Write(b)
		if err := w.Close(); err != nil {
			return nil, err
		}
		sizes = append(sizes, Size{filepath.Base(path), len(b), packed.Len()})
	}
	return sizes, nil
}
