package bpe

import (
	"bytes"
	"math"
	"strings"

	"github.com/ecor-clip/ecor/core/errs"
)

// New returns a tokenizer. vocab holds the tokens in the order of their ids,
// each followed by "\n"; merges holds "left right\n" in the order of rank.
//
// The vocabulary must hold the special tokens and every byte's symbol both
// bare and with "</w>", and no token twice; every merge must join two tokens
// to a third, and no two merges may join the same two.
func New(vocab, merges []byte) (*Tokenizer, error) {
	if len(vocab) == 0 || vocab[len(vocab)-1] != '\n' {
		return nil, errs.New("bpe: vocabulary of ", len(vocab), " bytes does not end with a newline")
	}
	if len(merges) > 0 && merges[len(merges)-1] != '\n' {
		return nil, errs.New("bpe: merges of ", len(merges), " bytes do not end with a newline")
	}
	if len(vocab) > math.MaxInt32 || len(merges) > math.MaxInt32 {
		return nil, errs.New("bpe: vocabulary of ", len(vocab), " bytes, merges of ", len(merges), " bytes: limit is ", math.MaxInt32)
	}
	t := &Tokenizer{vocab: string(vocab)}
	ids, err := t.readVocab()
	if err != nil {
		return nil, err
	}
	if err := t.findSymbols(ids); err != nil {
		return nil, err
	}
	return t, t.readMerges(merges, ids)
}

// readVocab fills t.ends and returns the tokens' ids.
func (t *Tokenizer) readVocab() (map[string]int32, error) {
	n := strings.Count(t.vocab, "\n")
	t.ends = make([]uint32, 0, n)
	ids := make(map[string]int32, n)
	begin := 0
	for id := range n {
		end := begin + strings.IndexByte(t.vocab[begin:], '\n')
		token := t.vocab[begin:end]
		if token == "" {
			return nil, errs.New("bpe: token ", id, " is empty")
		}
		if first, dup := ids[token]; dup {
			return nil, errs.New("bpe: token ", errs.Quote(token), " has two ids, ", first, " and ", id)
		}
		ids[token] = int32(id)
		t.ends = append(t.ends, uint32(end))
		begin = end + 1
	}
	return ids, nil
}

// findSymbols fills in the tokens that every vocabulary has.
func (t *Tokenizer) findSymbols(ids map[string]int32) error {
	var err error
	find := func(token string) int32 {
		id, ok := ids[token]
		if !ok && err == nil {
			err = errs.New("bpe: token ", errs.Quote(token), " is not in the vocabulary")
		}
		return id
	}
	t.bos, t.eos = find(StartOfText), find(EndOfText)
	for c := range 256 {
		symbol := string(byteSymbol(byte(c)))
		t.inner[c], t.last[c] = find(symbol), find(symbol+endOfWord)
	}
	return err
}

// readMerges fills t.merges and t.first.
func (t *Tokenizer) readMerges(text []byte, ids map[string]int32) error {
	n := bytes.Count(text, []byte("\n"))
	lefts := make([]int32, n) // by rank, as are the next two
	rights := make([]int32, n)
	joined := make([]int32, n)
	var token []byte
	for rank := range n {
		end := bytes.IndexByte(text, '\n')
		line := text[:end]
		text = text[end+1:]
		left, right, ok := bytes.Cut(line, []byte(" "))
		l, okLeft := ids[string(left)]
		r, okRight := ids[string(right)]
		if !ok || !okLeft || !okRight {
			return errs.New("bpe: merge ", rank, ", ", errs.Quote(string(line)), ", is not two tokens with a space between them")
		}
		token = append(append(token[:0], left...), right...)
		id, ok := ids[string(token)]
		if !ok {
			return errs.New("bpe: merge ", rank, ", ", errs.Quote(string(line)), ": the joined token is not in the vocabulary")
		}
		lefts[rank], rights[rank], joined[rank] = l, r, id
	}

	// Placed in the order of their right tokens, the merges of each left token
	// lie in that order too.
	next := starts(rights, t.Len())
	byRight := make([]int32, n)
	for rank, r := range rights {
		byRight[next[r]] = int32(rank)
		next[r]++
	}
	t.first = starts(lefts, t.Len())
	t.merges = make([]merge, n)
	copy(next, t.first)
	for _, rank := range byRight {
		l := lefts[rank]
		i := next[l]
		t.merges[i] = merge{right: rights[rank], rank: rank, id: joined[rank]}
		next[l]++
		if i > t.first[l] && t.merges[i-1].right == rights[rank] {
			return errs.New("bpe: merges ", t.merges[i-1].rank, " and ", rank, " join the same tokens, ",
				errs.Quote(t.token(int(l))), " and ", errs.Quote(t.token(int(rights[rank]))))
		}
	}
	return nil
}

// starts returns where each key begins when keys, numbers below n, are sorted,
// and at n their count.
func starts(keys []int32, n int) []uint32 {
	first := make([]uint32, n+1)
	for _, k := range keys {
		first[k+1]++
	}
	for k := range n {
		first[k+1] += first[k]
	}
	return first
}

// byteSymbol returns the character that stands for a byte in the vocabulary:
// itself where it is visible in Latin-1, else one of the characters from
// U+0100 on, in order of the byte.
func byteSymbol(c byte) rune {
	switch {
	case c <= ' ':
		return 0x100 + rune(c)
	case c >= 0x7f && c <= 0xa0:
		return 0x121 + rune(c-0x7f)
	case c == 0xad:
		return 0x143
	}
	return rune(c)
}

// symbolByte is the inverse of byteSymbol.
func symbolByte(r rune) (c byte, ok bool) {
	switch {
	case r >= 0x100 && r <= 0x120:
		c = byte(r - 0x100)
	case r >= 0x121 && r <= 0x142:
		c = byte(r - 0x121 + 0x7f)
	case r == 0x143:
		c = 0xad
	case r <= 0xff:
		c = byte(r)
	default:
		return 0, false
	}
	return c, byteSymbol(c) == r
}
