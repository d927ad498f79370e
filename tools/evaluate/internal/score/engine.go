// Package score embeds photos and prompts with the engine and scores every
// photo of a task with every method.
//
// Embeddings come from an Engine; cosines and tables are computed here, with
// core/kernel and core/explain, so that a text is encoded once for all photos.
package score

import (
	"context"
	"image"
	"sync"
	"sync/atomic"

	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
)

// Engine makes unit-length embeddings. Its methods may be called by many
// goroutines.
type Engine interface {
	EmbedImage(ctx context.Context, img image.Image) ([]float32, error)
	// EmbedTexts returns the embeddings of at most MaxTexts texts, one after the
	// other.
	EmbedTexts(ctx context.Context, texts []string) ([]float32, error)
}

// MaxTexts is how many texts are sent to an Engine at a time.
const MaxTexts = 1024

// Model is an engine and what is known about its weights.
type Model struct {
	Engine
	Workers   int // calls at the same time
	Dim       int
	Scale     float32 // of the cosines, after exp
	Templates explain.Templates
}

// prompts returns the embeddings (n, Dim) of labels in the given templates: the
// renormalised mean over them. text is called with label and template; labels
// that follow each other should begin alike. done is told how many labels are
// finished.
func (m *Model) prompts(ctx context.Context, n int, templates []string, text func(label int, template string) string, done func(int)) ([]float32, error) {
	out := make([]float32, n*m.Dim)
	group := max(1, MaxTexts/len(templates))
	err := parallel(ctx, m.Workers, (n+group-1)/group, func(ctx context.Context, part int) error {
		first, end := part*group, min((part+1)*group, n)
		texts := make([]string, 0, (end-first)*len(templates))
		for label := first; label < end; label++ {
			for _, t := range templates {
				texts = append(texts, text(label, t))
			}
		}
		rows, err := m.EmbedTexts(ctx, texts)
		if err != nil {
			return err
		}
		for label := first; label < end; label++ {
			dst := out[label*m.Dim : (label+1)*m.Dim]
			for range templates {
				kernel.Add(dst, rows[:m.Dim])
				rows = rows[m.Dim:]
			}
			if len(templates) > 1 {
				kernel.Normalize(dst)
			}
		}
		done(end - first)
		return nil
	})
	return out, err
}

// parallel calls work for 0..n-1 on several goroutines, in order of their
// start, until one fails or ctx is done.
func parallel(ctx context.Context, workers, n int, work func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(workers, n) {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := work(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
