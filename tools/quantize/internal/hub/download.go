package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

// download makes sure that a directory holds a file, whole and checked. It reports whether it had to be fetched.
func (c *Client) download(ctx context.Context, address, dir string, f File, progress *report.Progress) (bool, error) {
	path := filepath.Join(dir, f.Path)
	err := f.verifyFile(ctx, path)
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, errMismatch):
		return false, fmt.Errorf("%s exists and is %w: move it away to fetch it again", path, err)
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	p, err := openPart(dir, f)
	if err != nil {
		return false, err
	}
	resumed := p.size > 0
	err = c.complete(ctx, address, p, progress)
	if errors.Is(err, errMismatch) && resumed {
		// What the earlier run left may be to blame.
		if err = p.restart(); err == nil {
			err = c.complete(ctx, address, p, progress)
		}
	}
	switch {
	case err == nil:
		return true, p.finish()
	case errors.Is(err, errMismatch):
		return false, errors.Join(fmt.Errorf("%s: %w: nothing of it was kept", f.Path, err), p.remove())
	}
	return false, errors.Join(fmt.Errorf("%s: %w", f.Path, err), p.close())
}

// complete downloads what is missing of a file and checks the whole.
func (c *Client) complete(ctx context.Context, address string, p *part, progress *report.Progress) error {
	task := progress.Start(p.Path, p.File.Size)
	task.Add(int(p.size))
	reached := p.size // the most there ever was
	err := c.retry(ctx, func() (bool, error) {
		if p.size == p.File.Size {
			return true, nil
		}
		err := c.more(ctx, address, p, func() {
			task = progress.Start(p.Path+", from the beginning", p.File.Size)
		}, func(n int) { task.Add(n) })
		further := p.size > reached
		reached = max(reached, p.size)
		return further, err
	})
	if err != nil {
		return err
	}
	if err := p.verifyFile(ctx, p.path()); err != nil {
		return err
	}
	task.Done()
	return nil
}

// more continues a download with one request. restarted is called when it begins anew.
func (c *Client) more(ctx context.Context, address string, p *part, restarted func(), advanced func(int)) error {
	header := http.Header{}
	if p.size > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", p.size))
		if p.etag != "" {
			header.Set("If-Range", p.etag)
		}
	}
	restart := func() error {
		if err := p.restart(); err != nil {
			return final{err}
		}
		restarted()
		return nil
	}
	r, err := c.get(ctx, address, header)
	if err != nil {
		var status *statusError
		if errors.As(err, &status) && status.status == http.StatusRequestedRangeNotSatisfiable && p.size > 0 {
			return errors.Join(err, restart())
		}
		return err
	}
	defer r.Body.Close()
	tag := r.Header.Get("ETag")
	switch {
	case r.StatusCode == http.StatusPartialContent:
		if err := continues(r.Header.Get("Content-Range"), p.size, p.File.Size); err != nil {
			return errors.Join(err, restart())
		}
		if p.etag != "" && tag != "" && tag != p.etag {
			return errors.Join(fmt.Errorf("the file's tag changed from %s to %s", p.etag, tag), restart())
		}
	case r.ContentLength >= 0 && r.ContentLength != p.File.Size:
		return final{fmt.Errorf("%w: the server sends %d bytes, want %d", errMismatch, r.ContentLength, p.File.Size)}
	case p.size > 0: // the server knows no ranges, or the file has changed
		if err := restart(); err != nil {
			return err
		}
	}
	if err := p.setETag(tag); err != nil {
		return final{err}
	}
	return p.fill(r.Body, advanced)
}

// fill appends a body, which has to bring the rest of the file.
func (p *part) fill(body io.Reader, advanced func(int)) error {
	buffer := make([]byte, 256<<10)
	for {
		n, err := body.Read(buffer)
		if _, writeErr := p.Write(buffer[:n]); writeErr != nil {
			return writeErr
		}
		advanced(n)
		switch {
		case p.size == p.File.Size && (err == nil || err == io.EOF):
			if err == nil && more(body) {
				return final{fmt.Errorf("%w: more than %d bytes", errMismatch, p.File.Size)}
			}
			return nil
		case err == io.EOF:
			return fmt.Errorf("the connection ended after %d of %d bytes", p.size, p.File.Size)
		case err != nil:
			return fmt.Errorf("after %d of %d bytes: %w", p.size, p.File.Size, err)
		}
	}
}

// more reports whether a body goes on.
func more(body io.Reader) bool {
	n, _ := io.ReadFull(body, make([]byte, 1))
	return n > 0
}

// continues checks the Content-Range of an answer to a request for everything from at on.
func continues(contentRange string, at, size int64) error {
	var first, last int64
	span, total, ok := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	if ok {
		var a, b string
		a, b, ok = strings.Cut(span, "-")
		var errA, errB error
		first, errA = strconv.ParseInt(a, 10, 64)
		last, errB = strconv.ParseInt(b, 10, 64)
		ok = ok && errA == nil && errB == nil
	}
	if !ok || first != at || last >= size || total != "*" && total != strconv.FormatInt(size, 10) {
		return fmt.Errorf("the server answers with range %q: want bytes %d-%d/%d", contentRange, at, size-1, size)
	}
	return nil
}

// syncDir makes renames in a directory last, where the system can do that.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync() // not every file system has it
		d.Close()
	}
}
