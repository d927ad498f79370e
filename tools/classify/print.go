package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ecor-clip/ecor/wasm/wire"
)

// A printer writes answers in one format.
type printer interface {
	answer(path string, a *wire.Answer) error
	// failure reports that a photo could not be classified, on stderr where the
	// format has no place for it.
	failure(stderr io.Writer, path string, err error) error
	flush() error
}

// printFailure writes one line. err need not name the path.
func printFailure(w io.Writer, path string, err error) error {
	message := err.Error()
	if !strings.Contains(message, path) {
		message = path + ": " + message
	}
	_, err = fmt.Fprintf(w, "classify: %s\n", oneLine(message))
	return err
}

// oneLine escapes what would leave the line or steer a terminal.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

type textPrinter struct{ w io.Writer }

func newTextPrinter(w io.Writer) printer { return &textPrinter{w} }

func (p *textPrinter) answer(path string, a *wire.Answer) error {
	var b strings.Builder
	fmt.Fprintln(&b, oneLine(path))
	for _, c := range a.Categories {
		fmt.Fprintf(&b, "  %s %s", c.Category, percent(c.Probability))
		for i, r := range c.Rationales {
			fmt.Fprintf(&b, "%s%s (%.2g)", []string{"  because there is ", ", "}[min(i, 1)], r.Rationale, r.Joint)
		}
		fmt.Fprintln(&b)
	}
	fmt.Fprintf(&b, "  method %v, uncovered %s", a.Method, percent(a.Uncovered))
	switch a.Method {
	case wire.MethodInverted, wire.MethodJoint:
		fmt.Fprintf(&b, ", scored over the %d kept rationales", a.Kept)
	case wire.MethodECOR:
		fmt.Fprintf(&b, ", %d rationales kept", a.Kept)
	}
	fmt.Fprintf(&b, "\n\n")
	_, err := io.WriteString(p.w, b.String())
	return err
}

// percent keeps two digits that say something of small values.
func percent(v float32) string {
	digits := 0
	for limit := float32(0.1); v > 0 && v < limit && digits < 4; limit /= 10 {
		digits++
	}
	return strconv.FormatFloat(100*float64(v), 'f', digits, 64) + " %"
}

func (p *textPrinter) failure(stderr io.Writer, path string, err error) error {
	return printFailure(stderr, path, err)
}

func (p *textPrinter) flush() error { return nil }

// jsonAnswer is one line of -json.
type jsonAnswer struct {
	File       string         `json:"file"`
	Categories []jsonCategory `json:"categories"`
	Uncovered  float32        `json:"uncovered"`
	Method     string         `json:"method"`
}

type jsonCategory struct {
	Category    string          `json:"category"`
	Probability float32         `json:"probability"`
	Rationales  []jsonRationale `json:"rationales"`
}

type jsonRationale struct {
	Rationale string  `json:"rationale"`
	Joint     float32 `json:"joint"`
}

type jsonFailure struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

type jsonPrinter struct{ e *json.Encoder }

func newJSONPrinter(w io.Writer) printer {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return &jsonPrinter{e}
}

func (p *jsonPrinter) answer(path string, a *wire.Answer) error {
	out := jsonAnswer{File: path, Categories: []jsonCategory{}, Uncovered: a.Uncovered, Method: a.Method.String()}
	for _, c := range a.Categories {
		k := jsonCategory{Category: c.Category, Probability: c.Probability, Rationales: []jsonRationale{}}
		for _, r := range c.Rationales {
			k.Rationales = append(k.Rationales, jsonRationale(r))
		}
		out.Categories = append(out.Categories, k)
	}
	return p.e.Encode(out)
}

func (p *jsonPrinter) failure(_ io.Writer, path string, err error) error {
	return p.e.Encode(jsonFailure{File: path, Error: err.Error()})
}

func (p *jsonPrinter) flush() error { return nil }
