// Package labelpack reads label packs: JSON files that hold the categories to
// classify into, the rationales of each and, if wanted, prompt templates.
package labelpack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/ecor-clip/ecor/wasm/wire"
)

// Format is the value of a label pack's "format".
const Format = "ecor-labels-1"

// Limits of a label pack, none above the module's own: they are checked early
// so that the message can name the place in the file.
const (
	MaxCategories = 4096
	MaxRationales = 64  // of one category
	MaxLabel      = 400 // bytes of a category, rationale or template
	MaxTemplates  = 16  // of one kind
	maxFile       = 2 * wire.MaxRequest
)

// Pack is a checked label pack.
type Pack struct {
	Name     string
	Language string // as in BCP 47, such as "en"
	Author   string
	License  string
	// Templates that the pack brings; an empty list means the weights' own.
	Templates wire.Templates
	// Categories in the order of the file, at least one, each with at least
	// one rationale. White space around names is removed.
	Categories []wire.Category
	// SHA256 of the file's bytes, lower-case hex.
	SHA256 string
}

// LabelSet returns what the module is asked to classify into. The slices are
// shared with p.
func (p *Pack) LabelSet() wire.LabelSet {
	return wire.LabelSet{Templates: p.Templates, Categories: p.Categories}
}

// Read parses the label pack at path.
func Read(path string) (*Pack, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	p, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Parse reads a label pack of at most 8 MiB. Its errors name the offending
// item, its value and the limit.
func Parse(b []byte) (*Pack, error) {
	p, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("label pack: %w", err)
	}
	sum := sha256.Sum256(b)
	p.SHA256 = hex.EncodeToString(sum[:])
	return p, nil
}

func parse(b []byte) (*Pack, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("longer than %d bytes", maxFile)
	}
	if err := checkUTF8(b); err != nil {
		return nil, err
	}
	text := bytes.TrimPrefix(b, []byte("\ufeff"))
	d := newDecoder(text)
	var p Pack
	if err := d.pack(&p); err != nil {
		return nil, d.locate(err)
	}
	set := p.LabelSet()
	if n := len(set.Append(nil)); n > wire.MaxRequest {
		return nil, fmt.Errorf("its labels take %d bytes; the limit is %d", n, wire.MaxRequest)
	}
	return &p, nil
}
