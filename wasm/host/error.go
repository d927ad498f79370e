package host

import (
	"errors"
	"strings"

	"github.com/ecor-clip/ecor/wasm/wire"
)

// Error is the module's refusal of a request.
type Error struct {
	Status  wire.Status
	Message string // for people; names the thing, its value and the limit
}

func (e *Error) Error() string { return e.Message }

// ErrDead means that the module's instance ended in the middle of a call, most
// often because it reached the memory limit. The Host starts another one for
// the next call.
var ErrDead = errors.New("the module's instance ended")

// ErrClosed is returned by calls after Close.
var ErrClosed = errors.New("the host is closed")

// firstWords keeps the beginning of what a dying module writes to its standard
// error: the reason stands before the stack traces.
type firstWords struct{ b []byte }

const maxWords = 512

func (w *firstWords) Write(p []byte) (int, error) {
	w.b = append(w.b, p[:min(len(p), maxWords-len(w.b))]...)
	return len(p), nil
}

// reason returns the lines before the first empty one, joined.
func (w *firstWords) reason() string {
	head, _, _ := strings.Cut(string(w.b), "\n\n")
	return strings.Join(strings.Split(strings.TrimSpace(head), "\n"), "; ")
}
