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
	name string // in the directory, once committed
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

// create begins a file under a temporary name.
func (o *output) create(name string) (*outputFile, error) {
	f, err := os.CreateTemp(o.dir, "."+name+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	out := &outputFile{File: f, name: name}
	o.files = append(o.files, out)
	return out, f.Chmod(0o644)
}

// commit gives every file its name.
func (o *output) commit() error {
	for _, f := range o.files {
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	for len(o.files) > 0 {
		f := o.files[0]
		if err := os.Rename(f.Name(), filepath.Join(o.dir, f.name)); err != nil {
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
