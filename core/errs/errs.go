// Package errs builds error texts without fmt, which would double the size of
// the WebAssembly module.
package errs

import (
	"errors"
	"strconv"
)

// Kind says what sort of mistake an error reports.
type Kind uint8

// Kinds of errors.
const (
	BadInput Kind = iota // the data or the request is wrong
	Limit                // a documented limit is exceeded
	State                // the call came at the wrong time
)

type kindError struct {
	kind Kind
	text string
}

func (e *kindError) Error() string { return e.text }

// New returns an error of kind BadInput whose text is the concatenation of
// parts. Strings, integers, float32, float64, bool and errors are understood;
// anything else is written as "?".
func New(parts ...any) error { return &kindError{BadInput, Text(parts...)} }

// OverLimit returns an error of kind Limit.
func OverLimit(parts ...any) error { return &kindError{Limit, Text(parts...)} }

// WrongState returns an error of kind State.
func WrongState(parts ...any) error { return &kindError{State, Text(parts...)} }

// KindOf returns the kind of err; errors from elsewhere are BadInput.
func KindOf(err error) Kind {
	var k *kindError
	if errors.As(err, &k) {
		return k.kind
	}
	return BadInput
}

// Text concatenates parts as New does.
func Text(parts ...any) string {
	var b []byte
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			b = append(b, v...)
		case int:
			b = strconv.AppendInt(b, int64(v), 10)
		case int32:
			b = strconv.AppendInt(b, int64(v), 10)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case uint32:
			b = strconv.AppendUint(b, uint64(v), 10)
		case uint64:
			b = strconv.AppendUint(b, v, 10)
		case float32:
			b = strconv.AppendFloat(b, float64(v), 'g', -1, 32)
		case float64:
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		case bool:
			b = strconv.AppendBool(b, v)
		case error:
			b = append(b, v.Error()...)
		default:
			b = append(b, '?')
		}
	}
	return string(b)
}

// Quote returns s quoted for an error text, cut after 40 bytes.
func Quote(s string) string {
	if len(s) > 40 {
		return strconv.Quote(s[:40]) + "…"
	}
	return strconv.Quote(s)
}
