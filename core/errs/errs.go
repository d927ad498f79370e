// Package errs builds error texts without fmt, which would double the size of
// the WebAssembly module.
package errs

import (
	"errors"
	"strconv"
)

// New returns an error whose text is the concatenation of parts. Strings,
// integers, float32, float64, bool and errors are understood; anything else is
// written as "?".
func New(parts ...any) error { return errors.New(Text(parts...)) }

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
