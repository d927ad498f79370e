package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// output collects the files of one conversion. They get their names all together, once every one is complete.
type output struct {
	dir     string
	created bool // the directory did not exist before
	files   []*outputFile
}

type outputFile struct {
	*os.File
	name string // without directory
	path string // once committed
}

func newOutput(dir string) (*output, error) {
	o := &output{dir: dir}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		o.created = true
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	return o, nil
}

// create begins a file in the directory, under a temporary name.
func (o *output) create(name string) (*outputFile, error) {
	return o.createAt(filepath.Join(o.dir, name))
}

// createAt begins a file anywhere, under a temporary name beside it.
func (o *output) createAt(path string) (*outputFile, error) {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(filepath.Clean(dir), "."+name+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	out := &outputFile{File: f, name: name, path: path}
	o.files = append(o.files, out)
	return out, f.Chmod(0o644)
}

// writeAt writes b at an offset. Errors name the file as it would have been called.
func (f *outputFile) writeAt(b []byte, offset int64) error {
	_, err := f.WriteAt(b, offset)
	return f.named(err)
}

// named puts the file's own name in place of the temporary one.
func (f *outputFile) named(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s %s: %w", path.Op, f.name, path.Err)
	}
	return err
}

// commit gives every file its name.
func (o *output) commit() error {
	for _, f := range o.files {
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return f.named(err)
		}
	}
	for len(o.files) > 0 {
		f := o.files[0]
		if err := os.Rename(f.Name(), f.path); err != nil {
			return err
		}
		o.files = o.files[1:]
	}
	o.created = false
	return nil
}

// discard removes what was not committed.
func (o *output) discard() {
	for _, f := range o.files {
		f.Close()
		os.Remove(f.Name())
	}
	if o.created {
		os.Remove(o.dir)
	}
}
