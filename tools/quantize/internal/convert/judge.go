package convert

import (
	"context"
	"fmt"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

// photoBatch is the number of photos that are in memory at a time.
const photoBatch = 32

// judge compares what the engine makes of the weights with what the checkpoint says.
type judge struct {
	in        *inputs
	exact     model
	quantized model
	scale     float32 // of logits
	progress  *report.Progress
}

// pair holds something computed in both ways.
type pair struct{ exact, quantized []float32 }

// both embeds labels with both models.
func (j *judge) both(ctx context.Context, k *kind) (p pair, err error) {
	if p.exact, _, err = k.embed(ctx, j.in, j.exact); err != nil {
		return p, err
	}
	p.quantized, _, err = k.embed(ctx, j.in, j.quantized)
	return p, err
}

// photos calls use with both embeddings of each photo that can be read, in order, and returns their number.
func (j *judge) photos(ctx context.Context, label string, paths []string, use func(i int, exact, quantized []float32)) (read int, err error) {
	task := j.progress.Start(label, int64(len(paths)))
	for first := 0; first < len(paths); first += photoBatch {
		part, err := j.in.read(ctx, paths[first:min(first+photoBatch, len(paths))], task)
		if err != nil {
			return 0, err
		}
		var index []int
		var planes [][]float32
		for i, p := range part {
			if p != nil {
				index, planes = append(index, first+i), append(planes, p)
			}
		}
		if planes == nil {
			continue
		}
		a, err := j.exact.images(ctx, planes)
		if err != nil {
			return 0, err
		}
		b, err := j.quantized.images(ctx, planes)
		if err != nil {
			return 0, err
		}
		d := len(a) / len(planes)
		for k, i := range index {
			exact, quantized := a[k*d:(k+1)*d], b[k*d:(k+1)*d]
			if err := finite(paths[i], exact, quantized); err != nil {
				return 0, err
			}
			use(i, exact, quantized)
		}
		read += len(index)
	}
	task.Done()
	return read, nil
}

// finite reports embeddings that are no numbers: nothing can be said about what was lost.
func finite(what string, exact, quantized []float32) error {
	for _, e := range []struct {
		whose  string
		values []float32
	}{{"checkpoint's tensors", exact}, {"quantized weights", quantized}} {
		for _, v := range e.values {
			if v-v != 0 {
				return fmt.Errorf("%s: the embedding that the %s give it holds %g: want finite values", what, e.whose, v)
			}
		}
	}
	return nil
}

// logits returns those of an embedding for the rows of a table.
func (j *judge) logits(embedding, table []float32) []float32 {
	d := len(embedding)
	out := make([]float32, len(table)/d)
	for i := range out {
		out[i] = j.scale * kernel.Dot(embedding, table[i*d:(i+1)*d])
	}
	return out
}

func cosine(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// run judges by everything there is.
func (j *judge) run(ctx context.Context, o *Options, packs []*labels) (*report.Fidelity, error) {
	f := &report.Fidelity{}
	if err := j.prompts(ctx, f); err != nil {
		return nil, err
	}
	if err := j.agreement(ctx, o, packs, f); err != nil {
		return nil, err
	}
	return f, j.accuracy(ctx, o, f)
}

func (j *judge) prompts(ctx context.Context, f *report.Fidelity) error {
	n := len(j.in.prompts)
	if n == 0 {
		return nil
	}
	a, err := j.exact.texts(ctx, j.in.prompts)
	if err != nil {
		return err
	}
	b, err := j.quantized.texts(ctx, j.in.prompts)
	if err != nil {
		return err
	}
	d := len(a) / n
	cosines := make([]float64, n)
	for i := range cosines {
		exact, quantized := a[i*d:(i+1)*d], b[i*d:(i+1)*d]
		if err := finite(fmt.Sprintf("text of the tokens %v", j.in.prompts[i]), exact, quantized); err != nil {
			return err
		}
		cosines[i] = cosine(exact, quantized)
	}
	f.Texts = report.NewCosines(cosines)
	return nil
}

func (j *judge) agreement(ctx context.Context, o *Options, packs []*labels, f *report.Fidelity) error {
	if len(j.in.photos) == 0 {
		return nil
	}
	tables := make([]pair, len(packs))
	for i, p := range packs {
		var err error
		k := kind{"category", p.names(), p.templates(o).Category, explain.CategoryPrompt}
		if tables[i], err = j.both(ctx, &k); err != nil {
			return err
		}
		f.Agreement = append(f.Agreement, report.Agreement{Labels: p.file})
	}
	var cosines []float64
	read, err := j.photos(ctx, "comparing photos", j.in.photos, func(_ int, exact, quantized []float32) {
		cosines = append(cosines, cosine(exact, quantized))
		for k, t := range tables {
			f.Agreement[k].Add(j.logits(exact, t.exact), j.logits(quantized, t.quantized))
		}
	})
	if err != nil {
		return err
	}
	if err := j.in.enough(o.Photos, "compare", read, len(j.in.photos), max(1, 2-len(j.in.planes))); err != nil {
		return err
	}
	f.Images = report.NewCosines(cosines)
	return nil
}

func (j *judge) accuracy(ctx context.Context, o *Options, f *report.Fidelity) error {
	for _, set := range j.in.sets {
		table, err := j.both(ctx, &kind{"category", set.categories, o.Templates.Category, explain.CategoryPrompt})
		if err != nil {
			return err
		}
		a := report.Accuracy{Folder: set.dir, Categories: len(set.categories)}
		a.Photos, err = j.photos(ctx, "measuring accuracy on "+set.dir, set.photos, func(i int, exact, quantized []float32) {
			if report.Top1(j.logits(exact, table.exact)) == set.category[i] {
				a.Exact++
			}
			if report.Top1(j.logits(quantized, table.quantized)) == set.category[i] {
				a.Right++
			}
		})
		if err != nil {
			return err
		}
		if err := j.in.enough(set.dir, "compare", a.Photos, len(set.photos), 2); err != nil {
			return err
		}
		f.Accuracy = append(f.Accuracy, a)
	}
	return nil
}
