package hub

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// part is a file that is being downloaded. It bears the beginning of its hash in its name, so what is left of one
// version is never continued with another, and its final name only once it is complete and checked.
type part struct {
	File
	dir  string
	file *os.File
	size int64  // bytes so far
	etag string // of what the server sent; empty where it gave none that is of use
}

func (p *part) path() string {
	hash := p.SHA256 + p.GitSHA1
	return filepath.Join(p.dir, p.Path+"."+hash[:12]+".part")
}

func (p *part) etagPath() string { return p.path() + ".etag" }

// openPart continues an earlier download or begins one.
func openPart(dir string, f File) (*part, error) {
	p := &part{File: f, dir: dir}
	var err error
	if p.file, err = os.OpenFile(p.path(), os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, err
	}
	if p.size, err = p.file.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, p.file.Close())
	}
	if b, err := os.ReadFile(p.etagPath()); err == nil {
		p.etag = string(b)
	}
	if p.size > p.File.Size {
		if err := p.restart(); err != nil {
			return nil, errors.Join(err, p.file.Close())
		}
	}
	return p, nil
}

// restart forgets what was downloaded.
func (p *part) restart() error {
	p.size = 0
	if err := p.setETag(""); err != nil {
		return err
	}
	if err := p.file.Truncate(0); err != nil {
		return err
	}
	_, err := p.file.Seek(0, io.SeekStart)
	return err
}

// setETag notes a strong entity tag for the next run; a weak one does not identify bytes.
func (p *part) setETag(tag string) error {
	if strings.HasPrefix(tag, "W/") {
		tag = ""
	}
	if p.etag = tag; tag != "" {
		return os.WriteFile(p.etagPath(), []byte(tag), 0o644)
	}
	if err := os.Remove(p.etagPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (p *part) Write(b []byte) (int, error) {
	if int64(len(b)) > p.File.Size-p.size {
		return 0, final{fmt.Errorf("%w: more than %d bytes", errMismatch, p.File.Size)}
	}
	n, err := p.file.Write(b)
	p.size += int64(n)
	if err != nil {
		return n, final{err}
	}
	return n, nil
}

// finish gives the checked file its name.
func (p *part) finish() error {
	if err := errors.Join(p.file.Sync(), p.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(p.path(), filepath.Join(p.dir, p.Path)); err != nil {
		return err
	}
	return p.setETag("")
}

// close keeps what was downloaded for the next run.
func (p *part) close() error {
	if p.size == 0 {
		return p.remove()
	}
	return p.file.Close()
}

// remove leaves nothing.
func (p *part) remove() error { return errors.Join(p.file.Close(), os.Remove(p.path()), p.setETag("")) }
