package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// output collects the files of one conversion. They get their names all together, once every one is complete.
type output struct {
	dir     string
	created []string // directories that did not exist before, the outermost first
	files   []*outputFile
	keep    func(path string) bool // reports a file that must not be replaced
}

type outputFile struct {
	*os.File
	name string // without directory
	path string // once committed
}

// newOutput makes the directory. keep reports files that must not be replaced.
func newOutput(dir string, keep func(path string) bool) (*output, error) {
	o := &output{dir: dir, keep: keep}
	for path := filepath.Clean(dir); ; path = filepath.Dir(path) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		o.created = append([]string{path}, o.created...)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		o.discard()
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
	if err := o.check(path); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	for _, f := range o.files {
		if f.path == path {
			return nil, fmt.Errorf("two files would be written to %s", path)
		}
	}
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(filepath.Clean(dir), "."+name+".*.tmp")
	if err != nil {
		var reason *fs.PathError
		if errors.As(err, &reason) {
			err = reason.Err
		}
		return nil, fmt.Errorf("%s cannot be written: %w", path, err)
	}
	out := &outputFile{File: f, name: name, path: path}
	o.files = append(o.files, out)
	return out, f.Chmod(0o644)
}

// check reports a path where no file may be put.
func (o *output) check(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory, where a file is to be written", path)
	case err == nil && o.keep(path):
		return fmt.Errorf("%s is a file of the checkpoint and is not overwritten: choose another directory or name", path)
	}
	return nil
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

// commit gives every file its name, or none where one of them cannot have it.
func (o *output) commit() error {
	for _, f := range o.files {
		if err := o.check(f.path); err != nil {
			return err
		}
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
	o.created = nil
	return nil
}

// discard removes what was not committed.
func (o *output) discard() {
	for _, f := range o.files {
		f.Close()
		os.Remove(f.Name())
	}
	for _, dir := range slices.Backward(o.created) {
		os.Remove(dir)
	}
}
