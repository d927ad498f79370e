// Package hub downloads public checkpoints from the Hugging Face Hub, or from a server with the same interface.
//
// What is downloaded is checked against the size and the hash that the hub states for it: SHA-256 for large files, the
// hash of a Git blob for small ones. The first download records them in a lock file, with a SHA-256 of its own for the
// small ones; later ones keep to it.
package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Endpoint is the address of the Hugging Face Hub.
const Endpoint = "https://huggingface.co"

// Client talks to a hub. It sends no credentials, and uses the proxy that the environment names
// (http.ProxyFromEnvironment).
type Client struct {
	endpoint *url.URL
	http     *http.Client
	patience
}

// patience says when to try again and when to give up.
type patience struct {
	attempts int           // in a row, none of which got a byte beyond what earlier ones had
	wait     time.Duration // after the first failure; doubled after every further one
	longest  time.Duration // between two attempts
	stall    time.Duration // without a byte
}

var defaultPatience = patience{attempts: 6, wait: time.Second, longest: 30 * time.Second, stall: 30 * time.Second}

const maxRedirects = 10

// NewClient returns a client of the hub at an address, which has to be HTTPS except on this machine.
func NewClient(endpoint string) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(endpoint, "/"))
	if err != nil {
		return nil, fmt.Errorf("the hub's address: %w", err)
	}
	switch {
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the hub's address is %q: want https://HOST", endpoint)
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		return nil, fmt.Errorf("the hub's address is %q: want https, or http on this machine", endpoint)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // sizes and ranges are those of the files
	c := &Client{endpoint: u, patience: defaultPatience}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.checkRedirect}
	return c, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// errRedirect is wrapped by the refusal of a redirect.
var errRedirect = errors.New("refused redirect")

// checkRedirect follows redirects to HTTPS only, or to the configured host. Large files lie on other hosts than the hub.
func (c *Client) checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d in a row", errRedirect, maxRedirects)
	}
	if r.URL.Scheme == "https" || r.URL.Scheme == c.endpoint.Scheme && r.URL.Host == c.endpoint.Host {
		return nil
	}
	return fmt.Errorf("%w to %s://%s: want https", errRedirect, r.URL.Scheme, r.URL.Host)
}

// url returns an address of the hub; the path is escaped already.
func (c *Client) url(path string) string { return c.endpoint.String() + path }

// statusError is an answer other than a success.
type statusError struct {
	status  int
	code    string // the hub's name of the error, where it gives one
	message string
	after   time.Duration // the wait that the server asks for
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("the hub answers %d %s", e.status, http.StatusText(e.status))
	if e.message != "" {
		text += ": " + e.message
	}
	return text
}

var errStalled = errors.New("no data arrived")

// get sends a request and returns a success's response. Reading the body fails once nothing has arrived for the stall time.
func (c *Client) get(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := time.AfterFunc(c.stall, func() { cancel(fmt.Errorf("%w for %v", errStalled, c.stall)) })
	end := func() {
		watch.Stop()
		cancel(nil)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		end()
		return nil, final{err}
	}
	for key, values := range header {
		r.Header[key] = values
	}
	r.Header.Set("User-Agent", "ecor-quantize")
	response, err := c.http.Do(r)
	if err != nil {
		defer end()
		return nil, explain(ctx, err)
	}
	response.Body = &watched{ctx: ctx, ReadCloser: response.Body, watch: watch, stall: c.stall, end: end}
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusPartialContent {
		return response, nil
	}
	defer response.Body.Close()
	return nil, &statusError{
		status: response.StatusCode, code: response.Header.Get("X-Error-Code"), message: response.Header.Get("X-Error-Message"),
		after: retryAfter(response.Header.Get("Retry-After")),
	}
}

// watched is a body that is given up once it stalls.
type watched struct {
	io.ReadCloser
	ctx   context.Context
	watch *time.Timer
	stall time.Duration
	end   func()
}

func (w *watched) Read(p []byte) (int, error) {
	w.watch.Reset(w.stall)
	n, err := w.ReadCloser.Read(p)
	w.watch.Stop()
	if err != nil && err != io.EOF {
		err = explain(w.ctx, err)
	}
	return n, err
}

func (w *watched) Close() error {
	defer w.end()
	return w.ReadCloser.Close()
}

// explain returns why ctx ended where that is what made a request fail. Of addresses it keeps the host: the rest may
// be long and is of no use to a reader.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	host := failed.URL
	if u, parseErr := url.Parse(failed.URL); parseErr == nil {
		host = u.Host
	}
	return fmt.Errorf("%s: %w", host, failed.Err)
}

// retryAfter reads a header of seconds; dates, which the hub does not send, count as none.
func retryAfter(s string) time.Duration {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// final is an error that no further attempt mends.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// isFinal reports whether trying again is of no use.
func isFinal(err error) bool {
	var f final
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &f) || errors.As(err, &certificate) || errors.Is(err, errRedirect) {
		return true
	}
	var status *statusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusRequestedRangeNotSatisfiable:
		return false
	}
	return status.status < 500
}

// retry calls try until it succeeds, fails for good, or has not got further several times in a row.
func (p patience) retry(ctx context.Context, try func() (further bool, err error)) error {
	wait := p.wait
	for failures := 0; ; {
		further, err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if isFinal(err) {
			return err
		}
		if further {
			failures, wait = 0, p.wait
		}
		failures++
		if failures == p.attempts {
			return fmt.Errorf("%w (given up after %d attempts)", err, failures)
		}
		pause := wait
		var status *statusError
		if errors.As(err, &status) && status.after > pause {
			if pause = status.after; pause > 10*p.longest {
				return fmt.Errorf("%w: it asks to wait %v", err, pause)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		wait = min(2*wait, p.longest)
	}
}
