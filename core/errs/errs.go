// Package errs builds error texts without fmt, which would double the size of
// the WebAssembly module.
package errs

import (
	"strconv"
	"unicode/utf8"
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

// KindOf returns the kind of err; errors from elsewhere are BadInput. It does
// not look into wrapped errors.
func KindOf(err error) Kind {
	if k, ok := err.(*kindError); ok {
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
			b = appendFloat(b, float64(v))
		case float64:
			b = appendFloat(b, v)
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

// appendFloat appends v with about six digits. (strconv's exact conversions
// would take 2 % of the module's size limit.)
func appendFloat(b []byte, v float64) []byte {
	switch {
	case v != v:
		return append(b, "NaN"...)
	case v < 0:
		b = append(b, '-')
		v = -v
	}
	if v-v != 0 {
		return append(b, "Inf"...)
	}
	exponent := 0
	for v >= 1e6 {
		v /= 10
		exponent++
	}
	for v > 0 && v < 1e-3 {
		v *= 10
		exponent--
	}
	millionths := int64(v*1e6 + 0.5)
	b = strconv.AppendInt(b, millionths/1e6, 10)
	if rest := millionths % 1e6; rest != 0 {
		digits := strconv.AppendInt(nil, rest+1e6, 10)
		for digits[len(digits)-1] == '0' {
			digits = digits[:len(digits)-1]
		}
		digits[0] = '.'
		b = append(b, digits...)
	}
	if exponent != 0 {
		b = strconv.AppendInt(append(b, 'e'), int64(exponent), 10)
	}
	return b
}

// Quote returns s in quotation marks for an error text, cut after 40 bytes.
// Bytes outside printable ASCII that are not part of a character are written
// as \xNN, so that a message is always valid UTF-8 on one line.
func Quote(s string) string {
	const hex = "0123456789abcdef"
	cut := len(s) > 40
	if cut {
		s = s[:40]
	}
	b := []byte{'"'}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r < ' ' || r == 0x7f || r == utf8.RuneError && n == 1 {
			b = append(b, '\\', 'x', hex[s[0]>>4], hex[s[0]&15])
		} else {
			if r == '"' || r == '\\' {
				b = append(b, '\\')
			}
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	b = append(b, '"')
	if cut {
		b = append(b, "…"...)
	}
	return string(b)
}
