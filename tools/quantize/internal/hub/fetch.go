package hub

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

// Result says what a directory holds after a fetch.
type Result struct {
	*Lock
	Fetched int // files that were not there before
}

// Fetch downloads the files of a checkpoint to a directory that holds nothing else. Where the directory has a lock file,
// they are those of the lock, which holds a SHA-256 for each in the end. After an error, a further call continues. A checkpoint that tools/quantize could not
// read is refused before anything is written, as far as its file list and its configuration tell.
func (c *Client) Fetch(ctx context.Context, n Name, dir string, progress *report.Progress) (*Result, error) {
	lock, err := readLock(dir, n)
	if err != nil {
		return nil, err
	}
	if lock == nil {
		if lock, err = c.newLock(ctx, n); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if err := lock.write(dir); err != nil {
			return nil, err
		}
	}
	r := &Result{Lock: lock}
	learnt := false
	for i, f := range lock.Files {
		fetched, err := c.download(ctx, c.fileURL(n, lock.Commit, f), dir, f, progress)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
		if fetched {
			r.Fetched++
		}
		if f.SHA256 == "" {
			if lock.Files[i].SHA256, err = fileSHA256(ctx, filepath.Join(dir, f.Path)); err != nil {
				return nil, err
			}
			learnt = true
		}
	}
	if learnt {
		if err := lock.write(dir); err != nil {
			return nil, err
		}
	}
	syncDir(dir)
	return r, nil
}

// newLock asks the hub for what a checkpoint consists of.
func (c *Client) newLock(ctx context.Context, n Name) (*Lock, error) {
	commit, err := c.commit(ctx, n)
	if err != nil {
		return nil, err
	}
	files, err := c.files(ctx, n, commit)
	if err != nil {
		return nil, err
	}
	read := func(name string) ([]byte, error) {
		f, ok := files[name]
		if !ok {
			return nil, nil
		}
		return c.small(ctx, n, commit, f)
	}
	names, err := checkpoint.Needs(slices.Sorted(maps.Keys(files)), read)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n, withAdvice(err, files))
	}
	lock := &Lock{Format: lockFormat, Hub: c.endpoint.String(), Repo: n.Repo, Revision: n.Revision, Commit: commit}
	for _, name := range names {
		f, ok := files[name]
		if !ok {
			return nil, fmt.Errorf("%s: %s is missing", n, name)
		}
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
		lock.Files = append(lock.Files, f)
	}
	return lock, nil
}

// withAdvice adds where safetensors may be found to an error about a repository without any.
func withAdvice(err error, files map[string]File) error {
	for name := range files {
		if strings.HasSuffix(name, ".safetensors") {
			return err
		}
	}
	return fmt.Errorf("%w; the repository's open pull requests may have safetensors (OWNER/NAME@refs/pr/NUMBER)", err)
}
