package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// A Source provides the bytes of a module or of weights. It is opened again
// for every further instance.
type Source interface {
	// Open returns a reader at the first byte, and the number of bytes.
	Open() (r io.ReadCloser, size int64, err error)
}

// File returns the file at path as a Source.
func File(path string) Source { return file(path) }

// Bytes returns b as a Source. b must not be changed afterwards.
func Bytes(b []byte) Source { return memory(b) }

type file string

func (path file) Open() (io.ReadCloser, int64, error) {
	f, err := os.Open(string(path))
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", string(path))
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

type memory []byte

func (b memory) Open() (io.ReadCloser, int64, error) {
	return io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
}

// maxModule bounds what is read as a module.
const maxModule = 64 << 20

func readModule(s Source) ([]byte, error) {
	r, size, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > maxModule {
		return nil, fmt.Errorf("the module has %d bytes; the limit is %d", size, maxModule)
	}
	b := make([]byte, size)
	_, err = io.ReadFull(r, b)
	return b, err
}
