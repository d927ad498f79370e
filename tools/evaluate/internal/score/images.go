package score

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"sync"

	"github.com/ecor-clip/ecor/tools/evaluate/internal/photos"
	"github.com/ecor-clip/ecor/wasm/host/photo"
)

// Images embeds the numbered photos of a set. Embedding i, (len(numbers), dim),
// is that of photo numbers[i]; failed[i] says why the photo cannot be read. An
// engine that fails, or that gives no numbers, ends it with an error. At any
// time only as many photos as there are workers, and one more, are held.
func (m *Model) Images(ctx context.Context, set photos.Set, numbers []int, done func(int)) (embeddings []float32, failed []error, err error) {
	type item struct {
		at   int
		data []byte
	}
	embeddings = make([]float32, len(numbers)*m.Dim)
	failed = make([]error, len(numbers))
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	items := make(chan item)
	var group sync.WaitGroup
	for range m.Workers {
		group.Go(func() {
			for it := range items {
				img, err := photo.Decode(bytes.NewReader(it.data))
				if err != nil {
					failed[it.at] = err
				} else if err := m.embed(ctx, img, embeddings[it.at*m.Dim:][:m.Dim]); err != nil {
					fail(err)
				}
				done(1)
			}
		})
	}
	at := 0
	err = set.Read(numbers, func(_ int, data []byte, err error) bool {
		if err != nil {
			failed[at] = err
			done(1)
		} else {
			items <- item{at, data}
		}
		at++
		return ctx.Err() == nil
	})
	close(items)
	group.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return embeddings, failed, err
}

func (m *Model) embed(ctx context.Context, img image.Image, to []float32) error {
	v, err := m.EmbedImage(ctx, img)
	if err != nil {
		return err
	}
	for i, x := range v {
		if x-x != 0 {
			return fmt.Errorf("the engine's embedding of a photo has %v at %d", x, i)
		}
	}
	copy(to, v)
	return nil
}
