package convert

import (
	"cmp"
	"context"
	"io"
	"runtime"
	"sync"

	"github.com/ecor-clip/ecor/core/clip"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/tower"
)

// A model embeds photos, given as normalised planes, and texts, given as token ids: it returns unit-length rows of the
// projection dimension.
type model interface {
	images(ctx context.Context, planes [][]float32) ([]float32, error)
	texts(ctx context.Context, ids [][]int32) ([]float32, error)
}

// loadModel reads a written weights file into the engine, which checks all of it.
func loadModel(ctx context.Context, f *outputFile) (*clip.Model, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	loader, err := clip.NewLoader(uint64(info.Size()))
	if err != nil {
		return nil, err
	}
	r := &contextReader{ctx, io.NewSectionReader(f, 0, info.Size())}
	buf := make([]byte, 1<<20)
	for {
		n, err := r.Read(buf)
		if err == io.EOF {
			return loader.Close()
		}
		if err != nil {
			return nil, err
		}
		if err := loader.Write(buf[:n]); err != nil {
			return nil, err
		}
	}
}

// engine is a model as the module runs it.
type engine struct{ m *clip.Model }

func (e engine) images(ctx context.Context, planes [][]float32) ([]float32, error) {
	d := e.m.ProjectionDim
	out := make([]float32, len(planes)*d)
	return out, parts(len(planes), func(first, end int) error {
		encoder := e.m.NewImageEncoder()
		for i := first; i < end; i++ {
			if err := encoder.Begin(planes[i]); err != nil {
				return err
			}
			for done := false; !done; done = encoder.Step() {
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			copy(out[i*d:], encoder.Embedding())
		}
		return nil
	})
}

func (e engine) texts(ctx context.Context, ids [][]int32) ([]float32, error) {
	d := e.m.ProjectionDim
	out := make([]float32, len(ids)*d)
	return out, parts(len(ids), func(first, end int) error {
		return encodeTexts(ctx, e.m.NewTextEncoder(), ids[first:end], func(i int, embedding []float32) {
			copy(out[(first+i)*d:], embedding)
		})
	})
}

// parts cuts 0..n into a part for each processor; results do not depend on how.
func parts(n int, f func(first, end int) error) error {
	workers := min(runtime.GOMAXPROCS(0), n)
	failed := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() { failed[w] = f(w*n/workers, (w+1)*n/workers) })
	}
	group.Wait()
	return cmp.Or(failed...)
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

// exact is the checkpoint itself, in float32.
type exact struct{ t *tower.Tower }

func newExact(c *checkpoint.Checkpoint) exact {
	load := loader(c)
	return exact{&tower.Tower{Config: &c.Config, Load: load, Visit: tower.Exact(load)}}
}

func (e exact) images(ctx context.Context, planes [][]float32) ([]float32, error) {
	return e.t.Images(ctx, planes)
}

// textBatch is the number of texts that are run together.
const textBatch = 256

func (e exact) texts(ctx context.Context, ids [][]int32) ([]float32, error) {
	var out []float32
	for first := 0; first < len(ids); first += textBatch {
		part, err := e.t.Texts(ctx, ids[first:min(first+textBatch, len(ids))])
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}
