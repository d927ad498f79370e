package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows progress on a terminal, and nothing elsewhere.
type bar struct{ p *progressbar.ProgressBar } // nil without a terminal

func newBar(stderr io.Writer, photos int) *bar {
	f, ok := stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{progressbar.NewOptions(photos,
		progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("photos"), progressbar.OptionShowCount(),
		progressbar.OptionSetRenderBlankState(true), progressbar.OptionClearOnFinish())}
}

// clear makes room for a line of output.
func (b *bar) clear() {
	if b.p != nil {
		b.p.Clear()
	}
}

func (b *bar) advance() {
	if b.p != nil {
		b.p.Add(1)
	}
}
