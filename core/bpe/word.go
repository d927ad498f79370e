package bpe

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

type class uint8

const (
	space class = iota
	letter
	digit
	other
)

func classOf(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			return letter
		case r >= '0' && r <= '9':
			return digit
		case r == ' ' || r >= '\t' && r <= '\r':
			return space
		}
		return other
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return digit
	case unicode.IsSpace(r):
		return space
	}
	return other
}

var contractions = [...]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// nextWord returns the length of the first word of normalised text, or of the
// first white space character, for which word is false.
func nextWord(text []byte) (n int, word bool) {
	if n := contraction(text); n > 0 {
		return n, true
	}
	r, n := utf8.DecodeRune(text)
	kind := classOf(r)
	if kind == space || kind == digit {
		return n, kind == digit
	}
	for n < len(text) {
		r, size := utf8.DecodeRune(text[n:])
		if classOf(r) != kind {
			break
		}
		n += size
	}
	return n, true
}

// lowered returns the length of the special token that normalised text begins
// with, 0 where there is none. It was written with capitals, so it is not one
// token; but it ends the run of symbols before and after its letters.
func lowered(text []byte) int {
	for _, special := range [...]string{StartOfText, EndOfText} {
		if bytes.HasPrefix(text, []byte(special)) {
			return len(special)
		}
	}
	return 0
}

// contraction returns the length of the contraction that text begins with, 0
// where there is none.
func contraction(text []byte) int {
	if text[0] != '\'' {
		return 0
	}
	for _, c := range contractions {
		if bytes.HasPrefix(text, []byte(c)) {
			return len(c)
		}
	}
	return 0
}

// symbol is a part of a word, linked to its neighbours by index.
type symbol struct {
	id         int32 // -1 once it is merged into the symbol before it
	prev, next int32 // -1 at the ends
}

// wordState is the work space of one word.
type wordState struct {
	symbols []symbol
	queue   []uint64 // heap of rank<<32 | index of the left symbol
}

// appendWord appends the tokens of one word.
func (t *Tokenizer) appendWord(dst []int32, word []byte) []int32 {
	place := t.cache.place(word)
	if place == nil {
		return t.mergeWord(dst, word)
	}
	if !place.holds(word) {
		start := len(dst)
		dst = t.mergeWord(dst, word)
		place.keep(word, dst[start:])
		return dst
	}
	return append(dst, place.ids[:place.count]...)
}

// mergeWord merges a word's bytes and appends the tokens that are left. It takes
// O(n log n) steps for n bytes.
func (t *Tokenizer) mergeWord(dst []int32, word []byte) []int32 {
	w := &t.word
	w.symbols = w.symbols[:0]
	w.queue = w.queue[:0]
	for i, c := range word {
		w.symbols = append(w.symbols, symbol{t.inner[c], int32(i - 1), int32(i + 1)})
	}
	end := &w.symbols[len(word)-1]
	end.id = t.last[word[len(word)-1]]
	end.next = -1
	for i := range w.symbols {
		t.propose(int32(i))
	}
	for len(w.queue) > 0 {
		top := w.pop()
		left := int32(uint32(top))
		m, ok := t.pair(left)
		if !ok || uint64(m.rank) != top>>32 {
			continue // one of the two was merged meanwhile
		}
		s := &w.symbols[left]
		gone := &w.symbols[s.next]
		s.id, s.next = m.id, gone.next
		gone.id = -1
		if s.next >= 0 {
			w.symbols[s.next].prev = left
		}
		if s.prev >= 0 {
			t.propose(s.prev)
		}
		t.propose(left)
	}
	for i := int32(0); i >= 0; i = w.symbols[i].next {
		dst = append(dst, w.symbols[i].id)
	}
	return dst
}

// propose queues the merge of a symbol with the next one, where there is one.
func (t *Tokenizer) propose(left int32) {
	if m, ok := t.pair(left); ok {
		t.word.push(uint64(m.rank)<<32 | uint64(uint32(left)))
	}
}

// pair returns the merge of a symbol with the next one.
func (t *Tokenizer) pair(left int32) (merge, bool) {
	s := t.word.symbols[left]
	if s.id < 0 || s.next < 0 {
		return merge{}, false
	}
	right := t.word.symbols[s.next].id
	group := t.merges[t.first[s.id]:t.first[s.id+1]]
	lo, hi := 0, len(group)
	for lo < hi {
		mid := (lo + hi) / 2
		if group[mid].right < right {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(group) || group[lo].right != right {
		return merge{}, false
	}
	return group[lo], true
}

func (w *wordState) push(v uint64) {
	w.queue = append(w.queue, v)
	q := w.queue
	for i := len(q) - 1; i > 0; {
		parent := (i - 1) / 2
		if q[parent] <= v {
			break
		}
		q[i], q[parent] = q[parent], v
		i = parent
	}
}

func (w *wordState) pop() uint64 {
	q := w.queue
	top := q[0]
	n := len(q) - 1
	q[0] = q[n]
	w.queue = q[:n]
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < n && q[child+1] < q[child] {
			child++
		}
		if child >= n || q[i] <= q[child] {
			return top
		}
		q[i], q[child] = q[child], q[i]
		i = child
	}
}
