// Package progress shows how far long work is and when it will be done: on one
// line of a terminal, else as lines from time to time.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Task is a piece of work under way. Several goroutines may report to it.
type Task struct {
	mu           sync.Mutex
	w            io.Writer
	terminal     bool
	label        string
	done, total  int
	begun, shown time.Time
	interval     time.Duration
}

// Start begins work of total units; label names the work and its units.
func Start(w io.Writer, label string, total int) *Task {
	now := time.Now()
	t := &Task{w: w, label: label, total: total, begun: now, shown: now, interval: 10 * time.Second}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.terminal, t.interval = true, 200*time.Millisecond
	}
	return t
}

// Expect tells that there are n more units than were known.
func (t *Task) Expect(n int) {
	t.mu.Lock()
	t.total += n
	t.mu.Unlock()
}

// Add tells that n more units are done.
func (t *Task) Add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += n
	now := time.Now()
	if now.Sub(t.shown) < t.interval || t.done >= t.total {
		return
	}
	t.shown = now
	line := fmt.Sprintf("%s: %d of %d, %s left", t.label, t.done, t.total, Left(now.Sub(t.begun), t.done, t.total))
	if t.terminal {
		fmt.Fprintf(t.w, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(t.w, line)
	}
}

// Left estimates the time that remains after done of total units.
func Left(spent time.Duration, done, total int) time.Duration {
	if done == 0 {
		return 0
	}
	return time.Duration(float64(spent) * float64(total-done) / float64(done)).Round(time.Second)
}

// End clears a terminal's line.
func (t *Task) End() {
	if t.terminal {
		fmt.Fprint(t.w, "\r\x1b[K")
	}
}
