// Package bpe is CLIP's byte-pair tokenizer. Its token ids equal those of
// Hugging Face's CLIPTokenizer of transformers 5, which is CLIPTokenizerFast.
//
// Text is split at special tokens; what lies between them is brought to
// Unicode Normalization Form C, lower-cased and split into words: runs of
// letters, single digits, English contractions and runs of anything else that
// is not white space. A word's UTF-8 bytes become symbols, the last one marked
// as the end of the word, and the two neighbours of lowest rank are merged
// until no pair is left that may be.
//
// The reference knows letters and digits up to Unicode 16, this package those of
// the Go toolchain's unicode package: the ids of text with newer ones differ.
package bpe

import (
	"strings"
	"unicode/utf8"

	"github.com/ecor-clip/ecor/core/errs"
)

// Special tokens, as they are written in the vocabulary and in text.
const (
	StartOfText = "<|startoftext|>"
	EndOfText   = "<|endoftext|>"
)

// endOfWord ends the tokens that end a word.
const endOfWord = "</w>"

// Tokenizer turns text into token ids. It reuses its buffers: one Tokenizer
// must not be used by several goroutines at once.
type Tokenizer struct {
	vocab    string   // the tokens by id, each followed by "\n"
	ends     []uint32 // (Len): where in vocab a token ends
	bos, eos int32

	inner [256]int32 // the token of a byte inside a word
	last  [256]int32 // the token of a word's last byte

	// The merges whose left token is l are merges[first[l]:first[l+1]], by right token.
	merges []merge
	first  []uint32 // (Len + 1)

	word  wordState
	cache wordCache
	text  []byte // normalised text between two special tokens
}

// merge joins a left token, given by its place in the table, and right.
type merge struct {
	right int32
	rank  int32
	id    int32 // of the joined token
}

// Len returns the number of tokens.
func (t *Tokenizer) Len() int { return len(t.ends) }

// BOS returns the id of the token that starts a text.
func (t *Tokenizer) BOS() int32 { return t.bos }

// EOS returns the id of the token that ends a text.
func (t *Tokenizer) EOS() int32 { return t.eos }

// Encode appends the start token, the tokens of text and the end token to dst,
// at most context ids in all. Where there are more, it keeps the first ones
// and the end token, and truncated is true. It is an error if text is not
// valid UTF-8 or context is less than 2.
func (t *Tokenizer) Encode(dst []int32, text string, context int) (ids []int32, truncated bool, err error) {
	if context < 2 {
		return dst, false, errs.New("bpe: context of ", context, " tokens: the start and end tokens need 2")
	}
	start := len(dst)
	ids, err = t.encode(append(dst, t.bos), text, context-2)
	if err != nil {
		return dst, false, err
	}
	if len(ids)-start > context-1 {
		ids = ids[:start+context-1]
		truncated = true
	}
	return append(ids, t.eos), truncated, nil
}

// EncodeBare appends all tokens of text to dst, without a start or end token.
// It is an error if text is not valid UTF-8.
func (t *Tokenizer) EncodeBare(dst []int32, text string) ([]int32, error) {
	return t.encode(dst, text, int(^uint(0)>>1))
}

// encode appends the tokens of text. It may stop after the word whose tokens
// exceed limit.
func (t *Tokenizer) encode(dst []int32, text string, limit int) ([]int32, error) {
	if !utf8.ValidString(text) {
		return dst, errs.New("bpe: text ", errs.Quote(text), " is not valid UTF-8")
	}
	start := len(dst)
	for text != "" && len(dst)-start <= limit {
		before, special, after := t.cutSpecial(text)
		t.text = appendNormal(t.text[:0], before)
		for rest := t.text; len(rest) > 0 && len(dst)-start <= limit; {
			if n := lowered(rest); n > 0 {
				dst = t.appendWord(dst, rest[:2])
				dst = t.appendWord(dst, rest[2:n-2])
				dst = t.appendWord(dst, rest[n-2:n])
				rest = rest[n:]
				continue
			}
			n, word := nextWord(rest)
			if word {
				dst = t.appendWord(dst, rest[:n])
			}
			rest = rest[n:]
		}
		if special >= 0 {
			dst = append(dst, special)
		}
		text = after
	}
	return dst, nil
}

// cutSpecial cuts text around its first special token, whose id it returns;
// special is -1 where there is none.
func (t *Tokenizer) cutSpecial(text string) (before string, special int32, after string) {
	for i := 0; ; i++ {
		n := strings.Index(text[i:], "<|")
		if n < 0 {
			return text, -1, ""
		}
		i += n
		if strings.HasPrefix(text[i:], StartOfText) {
			return text[:i], t.bos, text[i+len(StartOfText):]
		}
		if strings.HasPrefix(text[i:], EndOfText) {
			return text[:i], t.eos, text[i+len(EndOfText):]
		}
	}
}

// Decode returns the text of ids: the tokens' bytes, a space after each word,
// special tokens as they are written. Ids that are not in the vocabulary and
// bytes that are not valid UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int32) string {
	var b []byte
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.ends) {
			b = append(b, "\uFFFD"...)
			continue
		}
		token := t.token(int(id))
		if id == t.bos || id == t.eos {
			b = append(b, token...)
			b = append(b, ' ')
			continue
		}
		inner, ends := strings.CutSuffix(token, endOfWord)
		for _, r := range inner {
			if c, ok := symbolByte(r); ok {
				b = append(b, c)
			} else {
				b = utf8.AppendRune(b, r)
			}
		}
		if ends {
			b = append(b, ' ')
		}
	}
	return strings.ToValidUTF8(strings.TrimSuffix(string(b), " "), "\uFFFD")
}

func (t *Tokenizer) token(id int) string {
	begin := uint32(0)
	if id > 0 {
		begin = t.ends[id-1] + 1
	}
	return t.vocab[begin:t.ends[id]]
}
