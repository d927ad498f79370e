package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// LockFile is the name of the file beside a download that says where it came from and what it must be.
const LockFile = "fetch.lock.json"

const lockFormat = "ecor-fetch-1"

// Lock is the content of a lock file.
type Lock struct {
	Format   string `json:"format"`
	Hub      string `json:"hub"`
	Repo     string `json:"repo"`
	Revision string `json:"revision"` // as it was asked for
	Commit   string `json:"commit"`   // what that was at the first download
	Files    []File `json:"files"`
}

// readLock returns nil where there is none. A lock for something else is an error.
func readLock(dir string, n Name) (*Lock, error) {
	path := filepath.Join(dir, LockFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l := &Lock{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if l.Format != lockFormat {
		return nil, fmt.Errorf("%s: format is %q: want %q", path, l.Format, lockFormat)
	}
	if got := (Name{l.Repo, l.Revision}); got != n && (Name{l.Repo, l.Commit}) != n {
		return nil, fmt.Errorf("%s holds %s: fetch %s into another directory", dir, got, n)
	}
	if !sha1Form.MatchString(l.Commit) || len(l.Files) == 0 {
		return nil, fmt.Errorf("%s: commit or files are missing", path)
	}
	for _, f := range l.Files {
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return l, nil
}

func (l *Lock) write(dir string) error {
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, LockFile)
	part := path + ".part"
	if err := writeSynced(part, append(b, '\n')); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, path)
}

func writeSynced(path string, b []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
