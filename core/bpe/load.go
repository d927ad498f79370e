package bpe

import (
	"bytes"
	"math"
	"slices"
	"sort"
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
	t.first = make([]uint32, t.Len()+1)
	for rank := range n {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		left, right, ok := bytes.Cut(line, []byte(" "))
		l, okLeft := ids[string(left)]
		r, okRight := ids[string(right)]
		if !ok || !okLeft || !okRight {
			return errs.New("bpe: merge ", rank, ", ", errs.Quote(string(line)), ", is not two tokens with a space between them")
		}
		id, ok := ids[string(left)+string(right)]
		if !ok {
			return errs.New("bpe: merge ", rank, ", ", errs.Quote(string(line)), ": the joined token is not in the vocabulary")
		}
		lefts[rank], rights[rank], joined[rank] = l, r, id
		t.first[l+1]++
	}
	for l := range t.Len() {
		t.first[l+1] += t.first[l]
	}
	t.merges = make([]merge, n)
	next := slices.Clone(t.first)
	for rank, l := range lefts {
		t.merges[next[l]] = merge{right: rights[rank], rank: int32(rank), id: joined[rank]}
		next[l]++
	}
	for l := range t.Len() {
		group := t.merges[t.first[l]:t.first[l+1]]
		sort.Sort(byRight(group))
		for i := 1; i < len(group); i++ {
			if a, b := group[i-1], group[i]; a.right == b.right {
				return errs.New("bpe: merges ", min(a.rank, b.rank), " and ", max(a.rank, b.rank), " join the same tokens, ",
					errs.Quote(t.token(l)), " and ", errs.Quote(t.token(int(a.right))))
			}
		}
	}
	return nil
}

type byRight []merge

func (s byRight) Len() int           { return len(s) }
func (s byRight) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s byRight) Less(i, j int) bool { return s[i].right < s[j].right }

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
