// Package report shows a person how a conversion goes and what came of it.
package report

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress shows the progress of long pieces of work: as a bar where its writer is a terminal, else as plain lines.
type Progress struct {
	w        io.Writer
	terminal bool
}

// NewProgress returns a Progress that writes to w.
func NewProgress(w io.Writer) *Progress {
	f, ok := w.(*os.File)
	return &Progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// Start begins a piece of work that consists of total units.
func (p *Progress) Start(label string, total int64) *Task {
	t := &Task{w: p.w, label: label, total: total, begun: time.Now()}
	t.shown = t.begun
	if p.terminal {
		t.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetDescription(label),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	return t
}

// lineInterval is the least time between two plain lines of a task.
const lineInterval = 5 * time.Second

// Task is a piece of work under way. Several goroutines may report to it.
type Task struct {
	mu           sync.Mutex
	w            io.Writer
	bar          *progressbar.ProgressBar // nil where lines are written
	label        string
	done, total  int64
	begun, shown time.Time
}

// Add tells that n more units are done.
func (t *Task) Add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += int64(n)
	if t.bar != nil {
		t.bar.Add(n)
		return
	}
	if now := time.Now(); now.Sub(t.shown) >= lineInterval {
		t.shown = now
		fmt.Fprintf(t.w, "%s: %d %%\n", t.label, 100*t.done/max(t.total, 1))
	}
}

// Write implements io.Writer: every byte is a unit.
func (t *Task) Write(b []byte) (int, error) {
	t.Add(len(b))
	return len(b), nil
}

// Done ends the task with a line that says how long it took.
func (t *Task) Done() {
	if t.bar != nil {
		t.bar.Finish()
	}
	fmt.Fprintf(t.w, "%s: done in %.1f s\n", t.label, time.Since(t.begun).Seconds())
}
