package checkpoint

import (
	"fmt"
	"slices"

	"github.com/ecor-clip/ecor/core/safetensors"
)

// place says where a layout keeps a tensor of the model.
type place struct {
	name        string // of the stored tensor
	part, parts int    // which of how many equal parts of it, by rows; 0 of 1 for the whole
	transposed  bool   // stored as (in, out)
}

// whole is the place of a tensor that is stored as it is.
func whole(name string) place { return place{name: name, parts: 1} }

// source is where a tensor of the model lies in a file.
type source struct {
	shard      *shard
	tensor     *safetensors.Tensor
	skip       int   // elements of the stored tensor before the first
	shape      []int // of the model's tensor
	transposed bool
}

// findTensors finds every tensor of the model in the files, and no others.
func findTensors(w *weights, l layout, tensors []Tensor) (map[string]source, error) {
	names := w.names()
	for _, name := range names {
		if reason := l.refuse(name); reason != "" {
			return nil, fmt.Errorf("%s: tensor %q %s", w.holder[name].name, name, reason)
		}
	}
	prefix := l.textPrefix(w)
	sources := make(map[string]source, len(tensors))
	used := make(map[string]bool, len(names))
	for _, want := range tensors {
		p := l.place(want.Name, prefix)
		t, s, ok := w.tensor(p.name)
		if !ok {
			return nil, fmt.Errorf("%s: tensor %q is missing", w.name, p.name)
		}
		if shape := p.shape(want.Shape); !slices.Equal(t.Shape, shape) && !(len(shape) == 0 && slices.Equal(t.Shape, []int{1})) {
			return nil, fmt.Errorf("%s: tensor %q has shape %v: want %v", s.name, p.name, t.Shape, shape)
		}
		switch t.DType {
		case safetensors.F32, safetensors.F16, safetensors.BF16:
		default:
			return nil, fmt.Errorf("%s: tensor %q is %v: want F32, F16 or BF16", s.name, p.name, t.DType)
		}
		used[p.name] = true
		sources[want.Name] = source{
			shard: s, tensor: t, skip: p.part * elements(want.Shape), shape: want.Shape, transposed: p.transposed,
		}
	}
	for _, name := range names {
		if !used[name] && !l.ignored(name) {
			return nil, fmt.Errorf("%s: tensor %q is not part of the model that %s describes", w.holder[name].name, name, l.configFile())
		}
	}
	return sources, nil
}

// shape returns the shape of the stored tensor from that of the model's.
func (p place) shape(model []int) []int {
	shape := slices.Clone(model)
	if p.transposed {
		slices.Reverse(shape)
	}
	if p.parts > 1 {
		shape[0] *= p.parts
	}
	return shape
}

// chunk is how many bytes are read at a time; a multiple of every element's size.
const chunk = 1 << 20

// read returns the tensor's values, rows one after another. All are finite.
func (s *source) read() ([]float32, error) {
	t := s.tensor
	n := elements(s.shape)
	values := make([]float32, 0, n)
	size := t.DType.Size()
	at := int64(s.shard.header.Size+t.Begin) + int64(s.skip*size)
	b := make([]byte, min(chunk, n*size))
	for len(values) < n {
		b = b[:min(chunk, (n-len(values))*size)]
		if _, err := s.shard.file.ReadAt(b, at); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", s.shard.name, t.Name, err)
		}
		at += int64(len(b))
		first := len(values)
		var err error
		if values, err = safetensors.AppendFloat32(values, t.DType, b); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", s.shard.name, t.Name, err)
		}
		for i, v := range values[first:] {
			if v-v != 0 {
				return nil, fmt.Errorf("%s: %q holds %g at element %d: want finite values", s.shard.name, t.Name, v, s.skip+first+i)
			}
		}
	}
	if s.transposed {
		return transpose(values, s.shape[0], s.shape[1]), nil
	}
	return values, nil
}

// transpose returns (rows, cols) from (cols, rows).
func transpose(values []float32, rows, cols int) []float32 {
	out := make([]float32, len(values))
	for j := range cols {
		for i, v := range values[j*rows : (j+1)*rows] {
			out[i*cols+j] = v
		}
	}
	return out
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
