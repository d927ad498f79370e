package bpe

import (
	"sort"
	"strings"
)

//go:generate go run ./gen

// Hangul's arithmetic, from the Unicode standard's chapter 3.12.
const (
	hangulBase = 0xAC00
	leadBase   = 0x1100
	vowelBase  = 0x1161
	tailBase   = 0x11A7
	leads      = 19
	vowels     = 21
	tails      = 28
)

// Text of characters below the first combining mark is normalised as it is.
const firstMark = 0x300

// character is a code point with its canonical combining class.
type character struct {
	r     rune
	class uint8
}

// composed returns text in Normalization Form C, as the Unicode standard has
// it in its chapter 3.11, for characters up to Unicode 9; later ones stay as
// they are, as in the reference.
func composed(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= firstMark }) {
		return text
	}
	chars := make([]character, 0, len(text))
	for _, r := range text {
		chars = appendDecomposed(chars, r)
	}
	order(chars)
	return string(compose(chars))
}

// search returns the row at which compare gives 0 in a sorted table of 16-bit
// rows or in the one that holds the wider rows.
func search(narrow [][3]uint16, wide [][3]rune, compare func(row [3]rune) int) (row [3]rune, ok bool) {
	i, ok := sort.Find(len(narrow), func(i int) int { return -compare(widen(narrow[i])) })
	if ok {
		return widen(narrow[i]), true
	}
	i, ok = sort.Find(len(wide), func(i int) int { return -compare(wide[i]) })
	if ok {
		return wide[i], true
	}
	return row, false
}

func widen(row [3]uint16) [3]rune { return [3]rune{rune(row[0]), rune(row[1]), rune(row[2])} }

// appendDecomposed appends the full canonical decomposition of r.
func appendDecomposed(dst []character, r rune) []character {
	if r < 0xC0 {
		return append(dst, character{r, 0})
	}
	if s := r - hangulBase; s >= 0 && s < leads*vowels*tails {
		dst = append(dst, character{leadBase + s/(vowels*tails), 0}, character{vowelBase + s/tails%vowels, 0})
		if t := s % tails; t != 0 {
			dst = append(dst, character{tailBase + t, 0})
		}
		return dst
	}
	row, ok := search(decompositions[:], decompositionsAstral[:], func(row [3]rune) int { return int(row[0] - r) })
	if !ok {
		return append(dst, character{r, combiningClass(r)})
	}
	dst = appendDecomposed(dst, row[1])
	if row[2] != 0 {
		dst = appendDecomposed(dst, row[2])
	}
	return dst
}

func combiningClass(r rune) uint8 {
	row, _ := search(combining[:], combiningAstral[:], func(row [3]rune) int {
		switch {
		case row[1] < r:
			return -1
		case row[0] > r:
			return 1
		}
		return 0
	})
	return uint8(row[2])
}

// order sorts every run of combining marks by class and keeps the order of
// equals.
func order(chars []character) {
	for len(chars) > 0 {
		n := 0
		for n < len(chars) && chars[n].class != 0 {
			n++
		}
		if n > 1 {
			sort.Stable(byClass(chars[:n]))
		}
		chars = chars[max(n, 1):]
	}
}

type byClass []character

func (s byClass) Len() int           { return len(s) }
func (s byClass) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s byClass) Less(i, j int) bool { return s[i].class < s[j].class }

// compose joins characters with the starter before them where a composite
// exists and nothing between the two blocks them.
func compose(chars []character) []rune {
	out := make([]rune, 0, len(chars))
	starter := -1     // index in out
	class := uint8(0) // of the last character in out
	for _, c := range chars {
		if starter >= 0 && (starter == len(out)-1 || class < c.class) {
			if r := composite(out[starter], c.r); r != 0 {
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

// composite returns what two characters compose to, or 0.
func composite(a, b rune) rune {
	if l, v := a-leadBase, b-vowelBase; l >= 0 && l < leads && v >= 0 && v < vowels {
		return hangulBase + (l*vowels+v)*tails
	}
	if s, t := a-hangulBase, b-tailBase; s >= 0 && s < leads*vowels*tails && s%tails == 0 && t > 0 && t < tails {
		return a + t
	}
	row, _ := search(composites[:], compositesAstral[:], func(row [3]rune) int {
		if row[0] != a {
			return int(row[0] - a)
		}
		return int(row[1] - b)
	})
	return row[2]
}
