package main

import (
	"encoding/csv"
	"io"
	"regexp"
	"strconv"

	"github.com/ecor-clip/ecor/wasm/wire"
)

// csvPrinter writes the table that docs/exports.md describes; the page's
// answers.csv has the same bytes.
type csvPrinter struct {
	w      *csv.Writer
	header bool // written
}

func newCSVPrinter(w io.Writer) printer {
	p := &csvPrinter{w: csv.NewWriter(w)}
	p.w.UseCRLF = true // RFC 4180
	return p
}

var csvHeader = []string{"file", "method", "uncovered", "rank", "category", "probability", "rationale", "joint"}

func (p *csvPrinter) answer(path string, a *wire.Answer) error {
	for i, c := range a.Categories {
		row := []string{harmless(path), a.Method.String(), number(a.Uncovered), strconv.Itoa(i + 1), harmless(c.Category), number(c.Probability)}
		if len(c.Rationales) == 0 {
			p.write(append(row, "", ""))
		}
		for _, r := range c.Rationales {
			p.write(append(row[:6:6], harmless(r.Rationale), number(r.Joint)))
		}
	}
	return p.flush()
}

func (p *csvPrinter) write(row []string) {
	if !p.header {
		p.header = true
		p.w.Write(csvHeader) // Flush reports the error
	}
	p.w.Write(row)
}

func (p *csvPrinter) failure(stderr io.Writer, path string, err error) error {
	return printFailure(stderr, path, err)
}

func (p *csvPrinter) flush() error {
	if !p.header {
		p.header = true
		p.w.Write(csvHeader)
	}
	p.w.Flush()
	return p.w.Error()
}

func number(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

// formula finds where a spreadsheet could read a formula in a text: at its
// beginning, and after what separates cells in other countries or programs.
var formula = regexp.MustCompile(`((?:^|[;\t\r\n])[ "]*)([=+\-@＝＋－＠])`)

// harmless puts an apostrophe before what a spreadsheet could take for a
// formula, so that a hostile file name stays a text.
func harmless(s string) string { return formula.ReplaceAllString(s, "$1'$2") }
