package labelpack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ecor-clip/ecor/wasm/wire"
)

// A decoder walks the JSON token by token: the order of categories counts, and
// repeated keys must not vanish as they do in a map.
type decoder struct {
	text []byte
	json *json.Decoder
}

func newDecoder(text []byte) *decoder {
	return &decoder{text: text, json: json.NewDecoder(bytes.NewReader(text))}
}

func (d *decoder) pack(p *Pack) error {
	var format string
	fields := map[string]*string{
		"format": &format, "name": &p.Name, "language": &p.Language, "author": &p.Author, "license": &p.License,
	}
	seen := map[string]bool{}
	err := d.object("the label pack", func(key string) (err error) {
		if seen[key] {
			return fmt.Errorf("key %s is given twice", quote(key))
		}
		seen[key] = true
		switch key {
		case "templates":
			return d.templates(&p.Templates)
		case "categories":
			p.Categories, err = d.categories()
			return err
		}
		field, ok := fields[key]
		if !ok {
			return fmt.Errorf("unknown key %s: want format, name, language, author, license, templates or categories", quote(key))
		}
		*field, err = d.string(quote(key))
		return err
	})
	if err != nil {
		return err
	}
	if _, err := d.json.Token(); err != io.EOF {
		return errors.New("text after the end of the JSON object")
	}
	if format != Format {
		return fmt.Errorf("format is %s, want %q", quote(format), Format)
	}
	if len(p.Categories) == 0 {
		return errors.New("no categories")
	}
	return nil
}

func (d *decoder) templates(t *wire.Templates) error {
	kinds := map[string]struct {
		list *[]string
		c, r bool
	}{
		"category":    {&t.Category, true, false},
		"rationale":   {&t.Rationale, false, true},
		"conditional": {&t.Conditional, true, true},
	}
	return d.object("templates", func(key string) error {
		kind, ok := kinds[key]
		if !ok {
			return fmt.Errorf("unknown kind of template %s: want category, rationale or conditional", quote(key))
		}
		if *kind.list != nil {
			return fmt.Errorf("key %s of templates is given twice", quote(key))
		}
		what := key + " template"
		list, err := d.strings(what, MaxTemplates)
		if err != nil {
			return err
		}
		for _, s := range list {
			if err := checkTemplate(what, s, kind.c, kind.r); err != nil {
				return err
			}
		}
		*kind.list = list
		return nil
	})
}

func checkTemplate(what, s string, c, r bool) error {
	for _, slot := range []struct {
		name string
		want bool
	}{{"{c}", c}, {"{r}", r}} {
		switch n := strings.Count(s, slot.name); {
		case slot.want && n == 0:
			return fmt.Errorf("%s %s must contain %s", what, quote(s), slot.name)
		case slot.want && n > 1:
			return fmt.Errorf("%s %s contains %s %d times; the limit is 1", what, quote(s), slot.name, n)
		case !slot.want && n > 0:
			return fmt.Errorf("%s %s must not contain %s", what, quote(s), slot.name)
		}
	}
	return nil
}

func (d *decoder) categories() ([]wire.Category, error) {
	var out []wire.Category
	seen := map[string]string{}
	err := d.object("categories", func(key string) error {
		name, err := label("category", key)
		if err != nil {
			return err
		}
		if first, ok := seen[fold(name)]; ok {
			return fmt.Errorf("category %s is given twice: it equals %s", quote(name), quote(first))
		}
		seen[fold(name)] = name
		if len(out) == MaxCategories {
			return fmt.Errorf("category %s is one too many: the limit is %d categories", quote(name), MaxCategories)
		}
		rationales, err := d.strings("category "+quote(name)+": rationale", MaxRationales)
		if err != nil {
			return err
		}
		out = append(out, wire.Category{Name: name, Rationales: rationales})
		return nil
	})
	return out, err
}

// object reads an object and calls member after each key; member reads the value.
func (d *decoder) object(what string, member func(key string) error) error {
	if t, err := d.json.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return fmt.Errorf("%s must be an object, not %s", what, kindOf(t))
	}
	for d.json.More() {
		t, err := d.json.Token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return fmt.Errorf("a key of %s must be a string, not %s", what, kindOf(t))
		}
		if err := member(key); err != nil {
			return err
		}
	}
	_, err := d.json.Token()
	return err
}

// strings reads one string or a list of 1 to limit different ones.
func (d *decoder) strings(what string, limit int) ([]string, error) {
	t, err := d.json.Token()
	if err != nil {
		return nil, err
	}
	if s, ok := t.(string); ok {
		s, err := label(what, s)
		return []string{s}, err
	}
	if t != json.Delim('[') {
		return nil, fmt.Errorf("%s must be a string or a list of strings, not %s", what, kindOf(t))
	}
	var out []string
	seen := map[string]bool{}
	for d.json.More() {
		s, err := d.string(what)
		if err != nil {
			return nil, err
		}
		if s, err = label(what, s); err != nil {
			return nil, err
		}
		if seen[fold(s)] {
			return nil, fmt.Errorf("%s %s is given twice", what, quote(s))
		}
		seen[fold(s)] = true
		if len(out) == limit {
			return nil, fmt.Errorf("%s %s is one too many: the limit is %d", what, quote(s), limit)
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s list is empty; at least one is needed", what)
	}
	_, err = d.json.Token()
	return out, err
}

// string reads one string of at most MaxLabel bytes.
func (d *decoder) string(what string) (string, error) {
	t, err := d.json.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%s must be a string, not %s", what, kindOf(t))
	}
	if len(s) > MaxLabel {
		return "", tooLong(what, s)
	}
	return s, nil
}

// locate turns the decoder's syntax errors into ones with line and column.
func (d *decoder) locate(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		line, column := position(d.text, int(syntax.Offset)-1)
		return fmt.Errorf("line %d, column %d: %w", line, column, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON text ends early")
	}
	return err
}

// label returns s without white space around it, or says why it cannot be one.
func label(what, s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", fmt.Errorf("%s is empty", what)
	case len(s) > MaxLabel:
		return "", tooLong(what, s)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("%s %s contains a control character", what, quote(s))
	case strings.ContainsRune(s, utf8.RuneError):
		return "", fmt.Errorf("%s %s contains a broken character (U+FFFD)", what, quote(s))
	}
	return s, nil
}

func tooLong(what, s string) error {
	return fmt.Errorf("%s %s has %d bytes; the limit is %d", what, quote(s), len(s), MaxLabel)
}

// fold makes names equal that differ in case or white space only.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

func kindOf(t json.Token) string {
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return "an object"
		}
		return "a list"
	case string:
		return "a string"
	case nil:
		return "null"
	default:
		return fmt.Sprint(v)
	}
}

// quote quotes s, cut after 40 characters.
func quote(s string) string {
	if utf8.RuneCountInString(s) > 40 {
		return fmt.Sprintf("%.40q…", s)
	}
	return fmt.Sprintf("%q", s)
}

func checkUTF8(b []byte) error {
	for at := 0; at < len(b); {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			line, column := position(b, at)
			return fmt.Errorf("line %d, column %d: byte 0x%02x is not valid UTF-8", line, column, b[at])
		}
		at += n
	}
	return nil
}

// position returns the line and the column in bytes, both from 1.
func position(b []byte, at int) (line, column int) {
	head := b[:min(max(at, 0), len(b))]
	return bytes.Count(head, []byte("\n")) + 1, len(head) - bytes.LastIndexByte(head, '\n')
}
