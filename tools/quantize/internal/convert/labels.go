package convert

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/ecor-clip/ecor/core/clip"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
	"github.com/ecor-clip/ecor/wasm/host/labelpack"
)

// embeddingsFormat is the metadata value "format" of a file of label embeddings.
const embeddingsFormat = "ecor-label-embeddings-1"

// labels is a label pack with the bytes of its file.
type labels struct {
	*labelpack.Pack
	file  string // name without directory
	bytes []byte
}

// readLabels reads the packs at paths, whose copies must not overwrite each other.
func readLabels(paths []string) ([]*labels, error) {
	packs := make([]*labels, len(paths))
	taken := make(map[string]string) // file name -> path
	for i, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		pack, err := labelpack.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		file := filepath.Base(path)
		if other, ok := taken[file]; ok {
			return nil, fmt.Errorf("label packs %s and %s have the same file name", other, path)
		}
		taken[file] = path
		packs[i] = &labels{pack, file, b}
	}
	return packs, nil
}

// write copies the pack and writes the embeddings of its categories and rationales beside it.
func (l *labels) write(ctx context.Context, m *clip.Model, weightsSHA256 string, out *output, progress *report.Progress, result *Result) error {
	file, err := out.create(l.file)
	if err != nil {
		return err
	}
	err = writeFile(file, result, func(w io.Writer) error {
		_, err := w.Write(l.bytes)
		return err
	})
	if err != nil {
		return err
	}
	set := l.LabelSet()
	categories := make([]string, len(set.Categories))
	for i, c := range set.Categories {
		categories[i] = c.Name
	}
	category, err := embed(ctx, m, l.file, "category", categories, or(set.Templates.Category, m.CategoryTemplates), explain.CategoryPrompt, progress, result)
	if err != nil {
		return err
	}
	rationale, err := embed(ctx, m, l.file, "rationale", set.DistinctRationales(), or(set.Templates.Rationale, m.RationaleTemplates), explain.RationalePrompt, progress, result)
	if err != nil {
		return err
	}
	file, err = out.create(strings.TrimSuffix(l.file, ".json") + ".embeddings.safetensors")
	if err != nil {
		return err
	}
	metadata := map[string]string{"format": embeddingsFormat, "weights_sha256": weightsSHA256, "labels_sha256": l.SHA256}
	return writeSafetensors(file, metadata, []safetensors.TensorData{category, rationale}, result)
}

func or(templates, defaults []string) []string {
	if len(templates) == 0 {
		return defaults
	}
	return templates
}

// embed returns the unit-length embeddings (labels, D) of labels: the renormalised mean over the templates, in the
// order of arithmetic of core.Classifier. file names the pack in progress messages.
func embed(ctx context.Context, m *clip.Model, file, kind string, labels, templates []string, prompt func(template, label string) string,
	progress *report.Progress, result *Result) (safetensors.TensorData, error) {
	texts := make([][]int32, 0, len(labels)*len(templates))
	for _, label := range labels {
		cut := false
		for _, template := range templates {
			ids, truncated, err := m.Tokenizer.Encode(nil, prompt(template, label), m.ContextLength)
			if err != nil {
				return safetensors.TensorData{}, fmt.Errorf("%s %q: %w", kind, label, err)
			}
			cut = cut || truncated
			texts = append(texts, ids)
		}
		if cut {
			result.Warnings = append(result.Warnings, fmt.Sprintf("%s %q is cut at %d tokens", kind, label, m.ContextLength))
		}
	}
	d := m.ProjectionDim
	sums := make([]float32, len(labels)*d)
	task := progress.Start("encoding "+kind+" prompts of "+file, int64(len(texts)))
	workers := min(runtime.GOMAXPROCS(0), len(labels))
	failed := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		first, end := w*len(labels)/workers, (w+1)*len(labels)/workers
		group.Go(func() {
			part := texts[first*len(templates) : end*len(templates)]
			failed[w] = encodeTexts(ctx, m.NewTextEncoder(), part, func(i int, embedding []float32) {
				label := first + i/len(templates)
				kernel.Add(sums[label*d:(label+1)*d], embedding)
				task.Add(1)
			})
		})
	}
	group.Wait()
	if err := cmp.Or(failed...); err != nil {
		return safetensors.TensorData{}, err
	}
	task.Done()
	if len(templates) > 1 {
		for i := range labels {
			kernel.Normalize(sums[i*d : (i+1)*d])
		}
	}
	b := make([]byte, 0, 4*len(sums))
	for i, v := range sums {
		if v-v != 0 {
			return safetensors.TensorData{}, fmt.Errorf("%s %q: the embedding holds %g", kind, labels[i/d], v)
		}
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return safetensors.TensorData{Name: kind, DType: safetensors.F32, Shape: []int{len(labels), d}, Data: b}, nil
}

// encodeTexts calls use with the embedding of each text, in order.
func encodeTexts(ctx context.Context, e *clip.TextEncoder, texts [][]int32, use func(i int, embedding []float32)) error {
	for next := 0; next < len(texts); {
		first := next
		e.Reset()
		for ; next < len(texts); next++ {
			added, err := e.Add(texts[next])
			if err != nil {
				return err
			}
			if !added {
				break
			}
		}
		e.Begin()
		for done := false; !done; done = e.Step() {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		for i := range e.Len() {
			use(first+i, e.Embedding(i))
		}
	}
	return nil
}
