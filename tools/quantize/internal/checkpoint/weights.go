package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/core/safetensors"
)

// shard is one safetensors file of a checkpoint.
type shard struct {
	name   string // in the directory
	file   *os.File
	size   int64
	header *safetensors.Header
}

// weights are the safetensors files of a checkpoint.
type weights struct {
	name   string   // of the only file, or of the index
	shards []*shard // by name
	holder map[string]*shard
}

func (w *weights) size() (n int64) {
	for _, s := range w.shards {
		n += s.size
	}
	return n
}

func (w *weights) Close() error {
	var failed []error
	for _, s := range w.shards {
		failed = append(failed, s.file.Close())
	}
	return errors.Join(failed...)
}

// tensor returns the stored tensor with the given name, and its file.
func (w *weights) tensor(name string) (*safetensors.Tensor, *shard, bool) {
	s, ok := w.holder[name]
	if !ok {
		return nil, nil, false
	}
	t, ok := s.header.Tensor(name)
	return t, s, ok
}

// names returns the names of all stored tensors, sorted.
func (w *weights) names() []string { return slices.Sorted(maps.Keys(w.holder)) }

const indexSuffix = ".index.json"

// openWeights opens the weights that a directory has in a layout, one file or an index with shards.
func openWeights(dir string, l layout) (*weights, error) {
	names, err := fileNames(dir)
	if err != nil {
		return nil, err
	}
	name := weightsFile(names, l)
	if name == "" {
		return nil, missingWeights(names, l)
	}
	return openNamed(dir, name)
}

func openNamed(dir, name string) (_ *weights, err error) {
	w := &weights{name: name, holder: map[string]*shard{}}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	var index map[string]string
	names := []string{name}
	if strings.HasSuffix(name, indexSuffix) {
		if index, err = readIndex(dir, name); err != nil {
			return nil, err
		}
		names = slices.Compact(slices.Sorted(maps.Values(index)))
	}
	for _, name := range names {
		s, err := openShard(dir, name)
		if err != nil {
			return nil, err
		}
		w.shards = append(w.shards, s)
		for i := range s.header.Tensors {
			t := s.header.Tensors[i].Name
			if other, ok := w.holder[t]; ok {
				return nil, fmt.Errorf("tensor %q is in %s and in %s", t, other.name, name)
			}
			w.holder[t] = s
		}
	}
	if index == nil {
		return w, nil
	}
	return w, w.checkIndex(index)
}

// readIndex returns the shard of each tensor.
func readIndex(dir, name string) (map[string]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	shards, err := ParseIndex(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return shards, nil
}

// ParseIndex reads the index of a checkpoint in several files: the file name of each tensor. Names are plain, without
// a directory.
func ParseIndex(b []byte) (map[string]string, error) {
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, err
	}
	if len(index.Map) == 0 {
		return nil, errors.New("weight_map is missing or empty")
	}
	for _, t := range slices.Sorted(maps.Keys(index.Map)) {
		file := index.Map[t]
		if file != filepath.Base(file) || strings.ContainsAny(file, `/\`) || !strings.HasSuffix(file, ".safetensors") {
			return nil, fmt.Errorf("weight_map places %q in %q: want a .safetensors file beside the index", t, file)
		}
	}
	return index.Map, nil
}

// checkIndex compares the index with what the shards hold.
func (w *weights) checkIndex(index map[string]string) error {
	for _, t := range slices.Sorted(maps.Keys(index)) {
		s, ok := w.holder[t]
		if !ok {
			return fmt.Errorf("%s: tensor %q is missing from %s", w.name, t, index[t])
		}
		if s.name != index[t] {
			return fmt.Errorf("%s: tensor %q is in %s, not in %s", w.name, t, s.name, index[t])
		}
	}
	for _, t := range w.names() {
		if _, ok := index[t]; !ok {
			return fmt.Errorf("%s: tensor %q of %s is not listed", w.name, t, w.holder[t].name)
		}
	}
	return nil
}

func openShard(dir, name string) (_ *shard, err error) {
	s := &shard{name: name}
	if s.file, err = os.Open(filepath.Join(dir, name)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.file.Close()
		}
	}()
	info, err := s.file.Stat()
	if err != nil {
		return nil, err
	}
	s.size = info.Size()
	if err := refuseFormat(s.file, name, s.size); err != nil {
		return nil, err
	}
	if s.header, err = readHeader(s.file, s.size); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func readHeader(r io.ReaderAt, size int64) (*safetensors.Header, error) {
	var prefix [8]byte
	if size < int64(len(prefix)) {
		return nil, fmt.Errorf("file of %d bytes is no safetensors file", size)
	}
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if limit := uint64(min(size-8, safetensors.MaxHeader)); n > limit {
		return nil, fmt.Errorf("header of %d bytes in a file of %d: want at most %d", n, size, limit)
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, 8); err != nil {
		return nil, err
	}
	return safetensors.ParseHeader(b, uint64(size)-8-n)
}
