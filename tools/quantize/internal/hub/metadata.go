package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// File is a file of a repository as the hub describes it. It has a hash at least.
type File struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256,omitempty"`   // the hub's, or of what was fetched where it has none
	GitSHA1 string `json:"git_sha1,omitempty"` // the hub's of small files: SHA-1 of "blob SIZE\0" and the content
}

var (
	sha1Form   = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// check reports a description by which a file could not be checked or would not stay in its directory.
func (f File) check() error {
	switch {
	case f.Path == "" || f.Path[0] == '.' || strings.ContainsAny(f.Path, "/\\:\x00"):
		return fmt.Errorf("%q is no plain file name", f.Path)
	case f.Size < 0:
		return fmt.Errorf("%s: size is %d", f.Path, f.Size)
	case f.SHA256 == "" && f.GitSHA1 == "",
		f.SHA256 != "" && !sha256Form.MatchString(f.SHA256),
		f.GitSHA1 != "" && !sha1Form.MatchString(f.GitSHA1):
		return fmt.Errorf("%s: no SHA-256 and no Git hash", f.Path)
	}
	return nil
}

// Limits of what the hub answers.
const (
	maxAnswer = 16 << 20
	maxPages  = 100
)

// commit resolves a revision.
func (c *Client) commit(ctx context.Context, n Name) (string, error) {
	var info struct {
		SHA string `json:"sha"`
	}
	if _, err := c.json(ctx, c.url("/api/models/"+n.Repo+"/revision/"+url.PathEscape(n.Revision)), &info); err != nil {
		return "", describe(n, err)
	}
	if !sha1Form.MatchString(info.SHA) {
		return "", fmt.Errorf("%s: the hub states commit %q: want 40 hex digits", n, info.SHA)
	}
	return info.SHA, nil
}

// describe says what an answer means for a repository.
func describe(n Name, err error) error {
	var s *statusError
	if errors.As(err, &s) {
		switch {
		case s.code == "GatedRepo", s.status == http.StatusForbidden:
			return fmt.Errorf("%s: its owner asks for a login, which is not supported: download it by hand (%w)", n, err)
		case s.code == "RevisionNotFound":
			return fmt.Errorf("%s: the repository has no such revision (%w)", n, err)
		case s.status == http.StatusUnauthorized, s.status == http.StatusNotFound:
			return fmt.Errorf("%s: there is no such public repository or revision (%w)", n, err)
		}
	}
	return fmt.Errorf("%s: %w", n, err)
}

// files lists the files at the top of a repository, by name.
func (c *Client) files(ctx context.Context, n Name, commit string) (map[string]File, error) {
	files := map[string]File{}
	next := c.url("/api/models/" + n.Repo + "/tree/" + commit)
	for page := 0; next != ""; page++ {
		if page == maxPages {
			return nil, fmt.Errorf("%s: more than %d pages of files", n, maxPages)
		}
		var entries []struct {
			Type string `json:"type"`
			Path string `json:"path"`
			Size int64  `json:"size"`
			OID  string `json:"oid"` // Git's hash
			LFS  *struct {
				OID  string `json:"oid"` // SHA-256
				Size int64  `json:"size"`
			} `json:"lfs"`
		}
		header, err := c.json(ctx, next, &entries)
		if err != nil {
			return nil, describe(n, err)
		}
		for _, e := range entries {
			if e.Type != "file" || strings.Contains(e.Path, "/") {
				continue
			}
			f := File{Path: e.Path, Size: e.Size, GitSHA1: e.OID}
			if e.LFS != nil { // Git's hash and size are those of a pointer
				f = File{Path: e.Path, Size: e.LFS.Size, SHA256: e.LFS.OID}
			}
			files[e.Path] = f
		}
		if next, err = c.nextPage(header); err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
	}
	return files, nil
}

var linkForm = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?next"?`)

// nextPage reads the Link header (RFC 8288). The next page has to be on the hub too.
func (c *Client) nextPage(h http.Header) (string, error) {
	m := linkForm.FindStringSubmatch(h.Get("Link"))
	if m == nil {
		return "", nil
	}
	u, err := c.endpoint.Parse(m[1])
	if err != nil {
		return "", fmt.Errorf("the list's next page: %w", err)
	}
	if u.Host != c.endpoint.Host || u.Scheme != c.endpoint.Scheme {
		return "", fmt.Errorf("the list's next page is at %s, not on the hub", u.Host)
	}
	return u.String(), nil
}

// json reads an answer into v and returns its header.
func (c *Client) json(ctx context.Context, address string, v any) (header http.Header, err error) {
	err = c.retry(ctx, func() (bool, error) {
		r, err := c.get(ctx, address, nil)
		if err != nil {
			return false, err
		}
		defer r.Body.Close()
		b, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
		if err != nil {
			return false, err
		}
		if len(b) > maxAnswer {
			return false, final{fmt.Errorf("the hub's answer is longer than %d bytes", maxAnswer)}
		}
		header = r.Header
		if err := json.Unmarshal(b, v); err != nil {
			return false, final{fmt.Errorf("the hub's answer is not understood: %w", err)}
		}
		return true, nil
	})
	return header, err
}

// small reads a file of at most maxAnswer bytes into memory and checks it.
func (c *Client) small(ctx context.Context, n Name, commit string, f File) (content []byte, err error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", n, err)
	}
	if f.Size > maxAnswer {
		return nil, fmt.Errorf("%s: %s has %d bytes: want at most %d", n, f.Path, f.Size, maxAnswer)
	}
	err = c.retry(ctx, func() (bool, error) {
		r, err := c.get(ctx, c.fileURL(n, commit, f), nil)
		if err != nil {
			return false, err
		}
		defer r.Body.Close()
		content, err = io.ReadAll(io.LimitReader(r.Body, f.Size+1))
		if err != nil {
			return false, err
		}
		if err := f.verify(content); err != nil {
			return false, final{err}
		}
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", n, f.Path, err)
	}
	return content, nil
}

func (c *Client) fileURL(n Name, commit string, f File) string {
	return c.url("/" + n.Repo + "/resolve/" + commit + "/" + url.PathEscape(f.Path))
}
