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

// hash returns the kind of hash that the hub states, ready for the content, its name and its value.
func (f File) hash() (h hash.Hash, kind, want string) {
	if f.SHA256 != "" {
		return sha256.New(), "SHA-256", f.SHA256
	}
	h = sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.Size)
	return h, "Git hash", f.GitSHA1
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
	h, kind, want := f.hash()
	n, err := io.Copy(h, r)
	if err != nil {
		return err
	}
	if n != f.Size {
		return fmt.Errorf("%w: %d bytes, want %d", errMismatch, n, f.Size)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%w: %s is %s, want %s", errMismatch, kind, got, want)
	}
	return nil
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
