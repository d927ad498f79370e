package convert

import (
	"context"
	"io"

	"github.com/ecor-clip/ecor/core/clip"
)

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
	r := io.NewSectionReader(f, 0, info.Size())
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
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
