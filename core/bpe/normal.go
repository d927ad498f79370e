package bpe

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// appendNormal appends text in Normalization Form C and lower case, character
// by character as Unicode's full mappings have it (without context, so a final
// sigma stays σ). It leaves white space as it is: no word holds any.
func appendNormal(dst []byte, text string) []byte {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return appendLower(dst, composed(text))
		}
	}
	for i := range len(text) {
		c := text[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func appendLower(dst []byte, text string) []byte {
	for _, r := range text {
		if r == 'İ' { // the one character with a longer lower case
			dst = append(dst, "i\u0307"...)
			continue
		}
		dst = utf8.AppendRune(dst, unicode.ToLower(r))
	}
	return dst
}

// character is a code point with its canonical combining class.
type character struct {
	r     rune
	class uint8
}

// composed returns text in Normalization Form C, as the Unicode standard has
// it in its chapter 3.11. The norm package's own conversion differs: it breaks
// runs of more than 30 combining marks with U+034F. It serves as the table of
// decompositions and compositions.
func composed(text string) string {
	if norm.NFC.IsNormalString(text) {
		return text
	}
	var chars []character
	for i, r := range text {
		p := norm.NFC.PropertiesString(text[i:])
		parts := p.Decomposition()
		if len(parts) == 0 {
			chars = append(chars, character{r, p.CCC()})
		}
		for len(parts) > 0 {
			r, n := utf8.DecodeRune(parts)
			chars = append(chars, character{r, norm.NFC.Properties(parts).CCC()})
			parts = parts[n:]
		}
	}
	order(chars)
	return string(compose(chars))
}

// order sorts every run of combining marks by class and keeps the order of
// equals.
func order(chars []character) {
	for len(chars) > 0 {
		n := slices.IndexFunc(chars, func(c character) bool { return c.class == 0 })
		if n < 0 {
			n = len(chars)
		}
		slices.SortStableFunc(chars[:n], func(a, b character) int { return int(a.class) - int(b.class) })
		chars = chars[min(n+1, len(chars)):]
	}
}

// compose joins characters with the starter before them where a composite
// exists and nothing between the two blocks them.
func compose(chars []character) []rune {
	out := make([]rune, 0, len(chars))
	starter := -1       // index in out
	class := uint8(0)   // of the last character in out
	var pair [16]byte   // UTF-8 of two characters
	var result [32]byte // and of what they compose to
	for _, c := range chars {
		if starter >= 0 && (starter == len(out)-1 || class < c.class) {
			two := utf8.AppendRune(utf8.AppendRune(pair[:0], out[starter]), c.r)
			one := norm.NFC.Append(result[:0], two...)
			if r, n := utf8.DecodeRune(one); n == len(one) {
				out[starter] = r
				continue
			}
		}
		if c.class == 0 {
			starter = len(out)
		}
		class = c.class
		out = append(out, c.r)
	}
	return out
}
