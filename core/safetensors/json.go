package safetensors

import (
	"math"
	"unicode/utf8"

	"github.com/ecor-clip/ecor/core/errs"
)

// A scanner reads the only JSON that a header may hold: an object of objects
// of strings, or of a tensor's three fields. It remembers the first error and
// then consumes nothing more.
type scanner struct {
	b   []byte
	pos int
	err error
}

func (s *scanner) fail(parts ...any) {
	if s.err == nil {
		s.err = errs.New("safetensors: header byte ", s.pos, ": ", errs.Text(parts...))
	}
}

// peek returns the next byte after white space, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.b); s.pos++ {
		switch c := s.b[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// accept consumes c where it comes next.
func (s *scanner) accept(c byte) bool {
	if s.err != nil || s.peek() != c || s.pos == len(s.b) {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.accept(c) {
		if s.pos == len(s.b) {
			s.fail("ends where ", string(rune(c)), " is wanted")
		} else {
			s.fail("want ", string(rune(c)), ", got ", errs.Quote(string(s.b[s.pos:s.pos+1])))
		}
	}
}

// object reads an object; value is called with each key to read its value.
func (s *scanner) object(value func(key string)) {
	s.list('{', '}', func() {
		key := s.str()
		s.expect(':')
		if s.err == nil {
			value(key)
		}
	})
}

// list reads items separated by commas between two brackets.
func (s *scanner) list(open, closing byte, item func()) {
	s.expect(open)
	if s.accept(closing) {
		return
	}
	for s.err == nil {
		item()
		if s.accept(closing) {
			return
		}
		s.expect(',')
	}
}

// padding reads the rest of the header, which may only be spaces.
func (s *scanner) padding() {
	for ; s.err == nil && s.pos < len(s.b); s.pos++ {
		if s.b[s.pos] != ' ' {
			s.fail("want only spaces after the object, got ", errs.Quote(string(s.b[s.pos:s.pos+1])))
		}
	}
}

func (s *scanner) metadata(have map[string]string) map[string]string {
	if have != nil {
		s.fail(metadataKey, " appears twice")
		return nil
	}
	m := map[string]string{}
	s.object(func(key string) {
		if _, dup := m[key]; dup {
			s.fail("metadata key ", errs.Quote(key), " appears twice")
			return
		}
		m[key] = s.str()
	})
	return m
}

func (s *scanner) tensor(name string) Tensor {
	t := Tensor{Name: name}
	var dtype, shape, offsets bool
	fail := func(parts ...any) { s.fail("tensor ", errs.Quote(name), ": ", errs.Text(parts...)) }
	once := func(seen *bool, key string) {
		if *seen {
			fail(key, " appears twice")
		}
		*seen = true
	}
	s.object(func(key string) {
		switch key {
		case "dtype":
			once(&dtype, key)
			text := s.str()
			var ok bool
			if t.DType, ok = parseDType(text); !ok {
				fail("dtype ", errs.Quote(text), " is not supported")
			}
		case "shape":
			once(&shape, key)
			s.list('[', ']', func() {
				dim := s.number()
				switch {
				case dim > math.MaxInt:
					fail("dimension ", dim, " is larger than ", math.MaxInt)
				case len(t.Shape) == MaxDims:
					fail("more than ", MaxDims, " dimensions")
				default:
					t.Shape = append(t.Shape, int(dim))
				}
			})
		case "data_offsets":
			once(&offsets, key)
			s.expect('[')
			t.Begin = s.number()
			s.expect(',')
			t.End = s.number()
			s.expect(']')
		default:
			fail("unknown field ", errs.Quote(key))
		}
	})
	if s.err != nil {
		return t
	}
	if !dtype || !shape || !offsets {
		fail("dtype, shape or data_offsets is missing")
		return t
	}
	size, ok := byteSize(t.DType, t.Shape)
	switch {
	case !ok:
		fail("shape ", shapeText(t.Shape), " of ", t.DType.String(), " needs more than 2⁶⁴ bytes")
	case t.Begin > t.End:
		fail("data_offsets [", t.Begin, ", ", t.End, "] run backwards")
	case t.End-t.Begin != size:
		fail("data_offsets [", t.Begin, ", ", t.End, "] hold ", t.End-t.Begin, " bytes, shape ",
			shapeText(t.Shape), " of ", t.DType.String(), " needs ", size)
	}
	return t
}

// number reads a whole number that fits in a uint64.
func (s *scanner) number() uint64 {
	c := s.peek()
	if s.err != nil {
		return 0
	}
	if c < '0' || c > '9' {
		s.fail("want a whole number")
		return 0
	}
	start := s.pos
	var n uint64
	for ; s.pos < len(s.b) && s.b[s.pos] >= '0' && s.b[s.pos] <= '9'; s.pos++ {
		digit := uint64(s.b[s.pos] - '0')
		if n > (math.MaxUint64-digit)/10 {
			s.fail("number is larger than 2⁶⁴-1")
			return 0
		}
		n = n*10 + digit
	}
	if c == '0' && s.pos > start+1 {
		s.fail("number begins with 0")
	}
	if s.pos < len(s.b) {
		switch s.b[s.pos] {
		case '.', 'e', 'E':
			s.fail("number is not written as a whole number")
		}
	}
	return n
}

// str reads a string. Its bytes must be valid UTF-8, its escapes whole code
// points.
func (s *scanner) str() string {
	s.expect('"')
	if s.err != nil {
		return ""
	}
	start := s.pos
	var unescaped []byte // the string up to start, once there is an escape
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; {
		case c == '"':
			text := s.b[start:s.pos]
			if unescaped != nil {
				text = append(unescaped, text...)
			}
			if !utf8.Valid(text) {
				s.fail("string ", errs.Quote(string(text)), " is not valid UTF-8")
				return ""
			}
			s.pos++
			return string(text)
		case c == '\\':
			unescaped = append(unescaped, s.b[start:s.pos]...)
			unescaped = utf8.AppendRune(unescaped, s.escape())
			if s.err != nil {
				return ""
			}
			start = s.pos
		case c < 0x20:
			s.fail("control character ", int(c), " in a string")
			return ""
		default:
			s.pos += 1 + plain(s.b[s.pos+1:])
		}
	}
	s.fail("string has no end")
	return ""
}

// plain returns how many bytes of b come before a quote, an escape or a control character.
//
//go:noinline
func plain(b []byte) int {
	for i, c := range b {
		if c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return len(b)
}

// escape reads an escape sequence, surrogate pairs included.
func (s *scanner) escape() rune {
	s.pos++ // the backslash
	if s.pos == len(s.b) {
		s.fail("string has no end")
		return 0
	}
	c := s.b[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		high := s.hex4()
		if high < 0xd800 || high > 0xdfff {
			return high
		}
		if high < 0xdc00 && s.pos+1 < len(s.b) && s.b[s.pos] == '\\' && s.b[s.pos+1] == 'u' {
			s.pos += 2
			if low := s.hex4(); low >= 0xdc00 && low <= 0xdfff {
				return 0x10000 + (high-0xd800)<<10 + (low - 0xdc00)
			}
		}
		s.fail("half of a surrogate pair in a string")
		return 0
	}
	s.fail("unknown escape ", errs.Quote(string([]byte{'\\', c})))
	return 0
}

func (s *scanner) hex4() rune {
	var r rune
	for range 4 {
		if s.pos == len(s.b) {
			s.fail("string has no end")
			return 0
		}
		c := s.b[s.pos]
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			s.fail("want four hexadecimal digits after \\u")
			return 0
		}
		s.pos++
	}
	return r
}
