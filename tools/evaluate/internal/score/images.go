package score

import (
	"bytes"
	"context"
	"sync"

	"github.com/ecor-clip/ecor/tools/evaluate/internal/photos"
	"github.com/ecor-clip/ecor/wasm/host/photo"
)

// Images embeds the numbered photos of a set. Embedding i, (len(numbers), dim),
// is that of photo numbers[i]; failed[i] says why there is none. At any time
// only as many photos as there are workers, and one more, are held.
func (m *Model) Images(ctx context.Context, set photos.Set, numbers []int, done func(int)) (embeddings []float32, failed []error, err error) {
	type item struct {
		at   int
		data []byte
	}
	embeddings = make([]float32, len(numbers)*m.Dim)
	failed = make([]error, len(numbers))
	items := make(chan item)
	var group sync.WaitGroup
	for range m.Workers {
		group.Go(func() {
			for it := range items {
				v, err := m.image(ctx, it.data)
				if err != nil {
					failed[it.at] = err
				} else {
					copy(embeddings[it.at*m.Dim:], v)
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
		err = ctx.Err()
	}
	return embeddings, failed, err
}

func (m *Model) image(ctx context.Context, data []byte) ([]float32, error) {
	img, err := photo.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return m.EmbedImage(ctx, img)
}
