package convert

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/quant"
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

// templates returns the templates that the pack's prompts are made with.
func (l *labels) templates(o *Options) Templates {
	t := l.LabelSet().Templates
	return Templates{
		Category:    or(t.Category, o.Templates.Category),
		Rationale:   or(t.Rationale, o.Templates.Rationale),
		Conditional: or(t.Conditional, o.Templates.Conditional),
	}
}

func or(templates, defaults []string) []string {
	if len(templates) == 0 {
		return defaults
	}
	return templates
}

// names returns the pack's categories.
func (l *labels) names() []string {
	names := make([]string, len(l.Categories))
	for i, c := range l.Categories {
		names[i] = c.Name
	}
	return names
}

// write copies the pack and writes the embeddings of its categories and rationales beside it.
func (l *labels) write(ctx context.Context, in *inputs, o *Options, m model, out *output, progress *report.Progress, result *Result) error {
	file, err := out.create(l.file)
	if err != nil {
		return err
	}
	if err := file.writeAt(l.bytes, 0); err != nil {
		return err
	}
	if err := file.describe(ctx, io.Discard, result); err != nil {
		return err
	}
	templates, set := l.templates(o), l.LabelSet()
	var tensors []safetensors.TensorData
	for _, k := range []kind{
		{"category", l.names(), templates.Category, explain.CategoryPrompt},
		{"rationale", set.DistinctRationales(), templates.Rationale, explain.RationalePrompt},
	} {
		task := progress.Start("encoding "+k.name+" prompts of "+l.file, 1)
		rows, warnings, err := k.embed(ctx, in, m)
		if err != nil {
			return err
		}
		task.Done()
		result.Warnings = append(result.Warnings, warnings...)
		n := len(k.labels)
		tensors = append(tensors, safetensors.TensorData{
			Name: k.name, DType: safetensors.F32, Shape: []int{n, len(rows) / n}, Data: quant.Float32Bytes(rows),
		})
	}
	file, err = out.create(strings.TrimSuffix(l.file, ".json") + ".embeddings.safetensors")
	if err != nil {
		return err
	}
	metadata := map[string]string{"format": embeddingsFormat, "weights_sha256": result.Files[0].SHA256, "labels_sha256": l.SHA256}
	var b bytes.Buffer
	if err := safetensors.Write(&b, metadata, tensors); err != nil {
		return fmt.Errorf("%s: %w", file.name, err)
	}
	if err := file.writeAt(b.Bytes(), 0); err != nil {
		return err
	}
	return file.describe(ctx, io.Discard, result)
}

// kind is one kind of labels and how prompts are made of them.
type kind struct {
	name      string
	labels    []string
	templates []string
	prompt    func(template, label string) string
}

// embed returns the unit-length embeddings (labels, D) of the labels: the renormalised mean over the templates, in the
// order of arithmetic of core.Classifier.
func (k *kind) embed(ctx context.Context, in *inputs, m model) (rows []float32, warnings []string, err error) {
	texts := make([][]int32, 0, len(k.labels)*len(k.templates))
	for _, label := range k.labels {
		cut := false
		for _, template := range k.templates {
			ids, truncated, err := in.tokenizer.Encode(nil, k.prompt(template, label), in.context)
			if err != nil {
				return nil, nil, fmt.Errorf("%s %q: %w", k.name, label, err)
			}
			cut = cut || truncated
			texts = append(texts, ids)
		}
		if cut {
			warnings = append(warnings, fmt.Sprintf("%s %q is cut at %d tokens", k.name, label, in.context))
		}
	}
	each, err := m.texts(ctx, texts)
	if err != nil {
		return nil, nil, err
	}
	d := len(each) / len(texts)
	rows = make([]float32, len(k.labels)*d)
	for i := range texts {
		label := i / len(k.templates)
		kernel.Add(rows[label*d:(label+1)*d], each[i*d:(i+1)*d])
	}
	if len(k.templates) > 1 {
		for i := range k.labels {
			kernel.Normalize(rows[i*d : (i+1)*d])
		}
	}
	for i, v := range rows {
		if v-v != 0 {
			return nil, nil, fmt.Errorf("%s %q: the embedding holds %g", k.name, k.labels[i/d], v)
		}
	}
	return rows, warnings, nil
}
