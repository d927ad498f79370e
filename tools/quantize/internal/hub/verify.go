package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// errMismatch is wrapped by the refusal of content that is not what the hub describes.
var errMismatch = errors.New("not what the hub describes")

// check is a kind of hash, ready for the content, and the value that it has to have.
type check struct {
	hash.Hash
	kind, want string
}

// checks returns those for the hashes that are known.
func (f File) checks() (checks []check) {
	if f.SHA256 != "" {
		checks = append(checks, check{sha256.New(), "SHA-256", f.SHA256})
	}
	if f.GitSHA1 != "" {
		h := sha1.New()
		fmt.Fprintf(h, "blob %d\x00", f.Size)
		checks = append(checks, check{h, "Git hash", f.GitSHA1})
	}
	return checks
}

// verify checks content.
func (f File) verify(content []byte) error { return f.verifyReader(bytes.NewReader(content)) }

// verifyFile checks a file on disk.
func (f File) verifyFile(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return f.verifyReader(&cancelled{ctx, file})
}

func (f File) verifyReader(r io.Reader) error {
	checks := f.checks()
	var hashes []io.Writer
	for _, c := range checks {
		hashes = append(hashes, c)
	}
	n, err := io.Copy(io.MultiWriter(hashes...), r)
	if err != nil {
		return err
	}
	if n != f.Size {
		return fmt.Errorf("%w: %d bytes, want %d", errMismatch, n, f.Size)
	}
	for _, c := range checks {
		if got := hex.EncodeToString(c.Sum(nil)); got != c.want {
			return fmt.Errorf("%w: %s is %s, want %s", errMismatch, c.kind, got, c.want)
		}
	}
	return nil
}

// fileSHA256 returns the hash of a file on disk.
func fileSHA256(ctx context.Context, path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, &cancelled{ctx, file}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
