package convert

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

// weightsFile is a safetensors file that is written tensor by tensor, in any order.
type weightsFile struct {
	*outputFile
	head    int64 // bytes before the data
	tensors map[string]safetensors.Tensor
}

// newWeightsFile writes the header of a file with the given tensors.
func newWeightsFile(f *outputFile, metadata map[string]string, tensors []safetensors.Tensor) (*weightsFile, error) {
	head, err := safetensors.Layout(metadata, tensors)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	w := &weightsFile{f, int64(len(head)), make(map[string]safetensors.Tensor, len(tensors))}
	for _, t := range tensors {
		w.tensors[t.Name] = t
	}
	return w, f.writeAt(head, 0)
}

// put writes a tensor.
func (w *weightsFile) put(name string, data []byte) error {
	t, ok := w.tensors[name]
	if !ok {
		return fmt.Errorf("%s: tensor %q is written twice or has no place", w.name, name)
	}
	delete(w.tensors, name)
	if uint64(len(data)) != t.End-t.Begin {
		return fmt.Errorf("%s: tensor %q has %d bytes of data and room for %d", w.name, name, len(data), t.End-t.Begin)
	}
	return w.writeAt(data, w.head+int64(t.Begin))
}

// finish checks that nothing is missing and adds the file to the result.
func (w *weightsFile) finish(ctx context.Context, progress io.Writer, result *Result) error {
	for name := range w.tensors {
		return fmt.Errorf("%s: tensor %q was not written", w.name, name)
	}
	return w.describe(ctx, progress, result)
}

// describe adds the file, with its hash and sizes, to the result. The bytes that are read go to progress too.
func (f *outputFile) describe(ctx context.Context, progress io.Writer, result *Result) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	hash := sha256.New()
	var packed counter
	zip := gzip.NewWriter(&packed)
	r := &contextReader{ctx, io.NewSectionReader(f, 0, info.Size())}
	if _, err := io.CopyBuffer(io.MultiWriter(hash, zip, progress), r, make([]byte, 1<<20)); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	result.Files = append(result.Files, report.File{
		Name: f.name, SHA256: hex.EncodeToString(hash.Sum(nil)), Bytes: info.Size(), Gzip: int64(packed),
	})
	return nil
}

// contextReader ends with the context's error once it is cancelled.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
