package bpe

import (
	"unicode"
	"unicode/utf8"
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
