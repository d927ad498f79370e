// Package photos lists and reads the encoded photos of sets: tar shards, plain
// folders of categories, and a folder with an index.
package photos

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/tools/evaluate/internal/tsv"
	"github.com/ecor-clip/ecor/wasm/host/photo"
)

// Photo is a photo of a set.
type Photo struct {
	Name     string // unique in its set
	Category string
}

// A Set is a list of photos.
type Set interface {
	// List returns the photos, always in the same order.
	List() ([]Photo, error)
	// Read calls use with the bytes of the listed photos whose numbers, in
	// increasing order, are given, or with the reason why a photo cannot be
	// read, until use returns false.
	Read(numbers []int, use func(number int, data []byte, err error) bool) error
}

// Spread returns min(n, total) numbers below total, evenly spread; n = 0 means
// all of them.
func Spread(n, total int) []int {
	if n <= 0 || n > total {
		n = total
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i * total / n
	}
	return out
}

// Shards is a folder with images-NNN.tar.gz, whose members are
// <split>/<category>/<id>.webp.
type Shards struct {
	Dir, Split string
}

// HasShards reports whether dir holds shards.
func HasShards(dir string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, shardPattern))
	return len(files) > 0
}

const shardPattern = "images-*.tar.gz"

// List implements Set. The order is that of the archives.
func (s Shards) List() ([]Photo, error) {
	var out []Photo
	err := s.walk(func(p Photo, _ io.Reader) bool {
		out = append(out, p)
		return true
	})
	return out, err
}

// Read implements Set.
func (s Shards) Read(numbers []int, use func(int, []byte, error) bool) error {
	number := -1
	return s.walk(func(p Photo, r io.Reader) bool {
		number++
		if len(numbers) == 0 {
			return false
		}
		if number < numbers[0] {
			return true
		}
		numbers = numbers[1:]
		data, err := readAll(r)
		return use(number, data, err) && len(numbers) > 0
	})
}

// walk calls visit with every photo of the split until it returns false.
func (s Shards) walk(visit func(Photo, io.Reader) bool) error {
	files, err := filepath.Glob(filepath.Join(s.Dir, shardPattern))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s: there is no %s", s.Dir, shardPattern)
	}
	for _, file := range files {
		more, err := s.walkShard(file, visit)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

func (s Shards) walkShard(file string, visit func(Photo, io.Reader) bool) (more bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return false, err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		part := strings.SplitN(h.Name, "/", 3)
		if h.Typeflag != tar.TypeReg || len(part) < 3 || part[0] != s.Split {
			continue
		}
		if !visit(Photo{h.Name, part[1]}, t) {
			return false, nil
		}
	}
}

// readAll bounds what a member of an archive can make us hold.
func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, photo.MaxBytes+1))
	if err == nil && len(data) > photo.MaxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", photo.ErrTooLarge, photo.MaxBytes)
	}
	return data, err
}

// Files is a list of photo files below Dir.
type Files struct {
	Dir    string
	Photos []Photo  // Name is the path below Dir
	empty  []string // categories without photos
}

// Folder returns the photos of a folder of categories: those at any depth
// below Dir/category belong to the category. Names that begin with a dot are
// left out.
func Folder(dir string) (*Files, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	f := &Files{Dir: dir}
	var errs []error
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		paths, err := photo.Expand([]string{filepath.Join(dir, e.Name())})
		errs = append(errs, err)
		if len(paths) == 0 {
			f.empty = append(f.empty, e.Name())
		}
		for _, path := range paths {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return nil, err
			}
			f.Photos = append(f.Photos, Photo{filepath.ToSlash(name), e.Name()})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(f.Photos) == 0 {
		return nil, fmt.Errorf("%s: there is no folder of photos in it: want %s", dir, filepath.Join(dir, "CATEGORY", "PHOTO.jpg"))
	}
	return f, nil
}

// Indexed returns the photos of a folder whose index.tsv has the columns file
// and category.
func Indexed(dir string) (*Files, error) {
	path := filepath.Join(dir, "index.tsv")
	rows, err := tsv.Read(path, "file", "category")
	if err != nil {
		return nil, err
	}
	f := &Files{Dir: dir}
	for _, r := range rows {
		if !filepath.IsLocal(r[0]) {
			return nil, fmt.Errorf("%s: the file %q is not in its folder", path, r[0])
		}
		f.Photos = append(f.Photos, Photo{r[0], r[1]})
	}
	return f, nil
}

// Categories returns the categories in the order of their names, those without
// photos, too.
func (f *Files) Categories() []string {
	out := slices.Clone(f.empty)
	for _, p := range f.Photos {
		out = append(out, p.Category)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// List implements Set.
func (f *Files) List() ([]Photo, error) { return f.Photos, nil }

// Read implements Set.
func (f *Files) Read(numbers []int, use func(int, []byte, error) bool) error {
	for _, n := range numbers {
		data, err := readFile(filepath.Join(f.Dir, filepath.FromSlash(f.Photos[n].Name)))
		if !use(n, data, err) {
			return nil
		}
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}
