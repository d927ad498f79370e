package checkpoint

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	hf "github.com/sugarme/tokenizer"
	"github.com/sugarme/tokenizer/model/bpe"
	"github.com/sugarme/tokenizer/pretrained"
)

// Tokenizer is CLIP's byte-pair vocabulary. Tokens are written in the byte alphabet of GPT-2 and end with "</w>"
// where a word ends.
type Tokenizer struct {
	Vocab  []string    // by id
	Merges [][2]string // by rank
}

const (
	tokenizerFile = "tokenizer.json"
	vocabFile     = "vocab.json"
	mergesFile    = "merges.txt"

	wordEnd  = "</w>"
	startTok = "<|startoftext|>"
	endTok   = "<|endoftext|>"
)

// readTokenizer reads tokenizer.json, or vocab.json and merges.txt where there is none.
func readTokenizer(dir string) (*Tokenizer, error) {
	b, err := os.ReadFile(filepath.Join(dir, tokenizerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return readVocabAndMerges(dir)
	}
	if err != nil {
		return nil, err
	}
	t, err := parseTokenizer(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerFile, err)
	}
	return t, nil
}

func parseTokenizer(b []byte) (t *Tokenizer, err error) {
	var config hf.Config
	if err := json.Unmarshal(b, &config); err != nil {
		return nil, err
	}
	if kind, _ := config.Model["type"].(string); kind != "BPE" {
		return nil, fmt.Errorf("model.type is %q: want \"BPE\"", kind)
	}
	if suffix, _ := config.Model["end_of_word_suffix"].(string); suffix != wordEnd {
		return nil, fmt.Errorf("model.end_of_word_suffix is %q: want %q", suffix, wordEnd)
	}
	if prefix, _ := config.Model["continuing_subword_prefix"].(string); prefix != "" {
		return nil, fmt.Errorf("model.continuing_subword_prefix is %q: want none", prefix)
	}
	model, err := createModel(&config)
	if err != nil {
		return nil, err
	}
	ids := map[string]int(*model.Vocab)
	for _, a := range config.AddedTokens {
		if id, ok := ids[a.Content]; ok && id != int(a.Id) {
			return nil, fmt.Errorf("added token %q has id %d, in the vocabulary it has %d", a.Content, a.Id, id)
		}
		ids[a.Content] = int(a.Id)
	}
	vocab, err := byID(ids)
	if err != nil {
		return nil, err
	}
	listed, _ := config.Model["merges"].([]any)
	if len(*model.Merges) != len(listed) {
		return nil, fmt.Errorf("%d of %d merges are repeated or name tokens that are not in the vocabulary", len(listed)-len(*model.Merges), len(listed))
	}
	return &Tokenizer{Vocab: vocab, Merges: byRank(vocab, *model.Merges)}, nil
}

// createModel reports malformed fields, on which the library panics, as errors.
func createModel(config *hf.Config) (model *bpe.BPE, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed: %v", r)
		}
	}()
	m, err := pretrained.CreateModel(config)
	if err != nil {
		return nil, err
	}
	return m.(*bpe.BPE), nil
}

func byRank(vocab []string, merges bpe.Merges) [][2]string {
	pairs := make([]bpe.Pair, 0, len(merges))
	for p := range merges {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b bpe.Pair) int { return cmp.Compare(merges[a].Rank, merges[b].Rank) })
	out := make([][2]string, len(pairs))
	for i, p := range pairs {
		out[i] = [2]string{vocab[p.C1], vocab[p.C2]}
	}
	return out
}

// byID lists tokens by id; the ids are 0..len-1, each once.
func byID(ids map[string]int) ([]string, error) {
	vocab := make([]string, len(ids))
	seen := make([]bool, len(ids))
	for token, id := range ids {
		if id < 0 || id >= len(ids) {
			return nil, fmt.Errorf("token %q has id %d in a vocabulary of %d: ids must have no gaps", token, id, len(ids))
		}
		if seen[id] {
			return nil, fmt.Errorf("tokens %q and %q have the same id %d", min(token, vocab[id]), max(token, vocab[id]), id)
		}
		vocab[id], seen[id] = token, true
	}
	return vocab, nil
}

func readVocabAndMerges(dir string) (*Tokenizer, error) {
	b, err := os.ReadFile(filepath.Join(dir, vocabFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: found neither %s nor %s", dir, tokenizerFile, vocabFile)
	}
	if err != nil {
		return nil, err
	}
	var ids map[string]int
	if err := json.Unmarshal(b, &ids); err != nil {
		return nil, fmt.Errorf("%s: %w", vocabFile, err)
	}
	vocab, err := byID(ids)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", vocabFile, err)
	}
	if b, err = os.ReadFile(filepath.Join(dir, mergesFile)); err != nil {
		return nil, err
	}
	t := &Tokenizer{Vocab: vocab}
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || i == 0 && strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("%s: line %d is %q: want two tokens", mergesFile, i+1, line)
		}
		t.Merges = append(t.Merges, [2]string{left, right})
	}
	return t, nil
}

// check reports a vocabulary that is not in CLIP's form or does not fit the text tower, which config describes.
func (t *Tokenizer) check(c *Text, config string) error {
	if len(t.Vocab) != c.VocabSize {
		return fmt.Errorf("tokenizer: %d tokens, the token embedding of %s has %d (vocab_size)", len(t.Vocab), config, c.VocabSize)
	}
	ids := make(map[string]int, len(t.Vocab))
	for id, token := range t.Vocab {
		if token == "" || strings.ContainsAny(token, " \n") || !utf8.ValidString(token) {
			return fmt.Errorf("tokenizer: token %d is %q: not in CLIP's form", id, token)
		}
		ids[token] = id
	}
	for _, s := range byteSymbols() {
		for _, token := range []string{s, s + wordEnd} {
			if _, ok := ids[token]; !ok {
				return fmt.Errorf("tokenizer: no token %q: CLIP's vocabulary has all 256 byte symbols, alone and with %q", token, wordEnd)
			}
		}
	}
	seen := make(map[[2]string]bool, len(t.Merges))
	for rank, m := range t.Merges {
		for _, token := range []string{m[0], m[1], m[0] + m[1]} {
			if _, ok := ids[token]; !ok {
				return fmt.Errorf("tokenizer: merge %d (%q %q): %q is not in the vocabulary", rank, m[0], m[1], token)
			}
		}
		if seen[m] {
			return fmt.Errorf("tokenizer: merge %d (%q %q) appears twice", rank, m[0], m[1])
		}
		seen[m] = true
	}
	return t.checkSpecial(c, config, ids)
}

// legacyEOS is the end token's id in early configurations. It is not that token's; it stands for a rule: the text tower's
// output is taken at the token with the highest id.
const legacyEOS = 2

// checkSpecial sets the ids of the start and end tokens. What a configuration calls the start token has no effect in a
// CLIPModel: texts begin with the tokenizer's own.
func (t *Tokenizer) checkSpecial(c *Text, config string, ids map[string]int) error {
	bos, ok := ids[startTok]
	if !ok {
		return fmt.Errorf("tokenizer: no token %q", startTok)
	}
	eos, ok := ids[endTok]
	if !ok {
		return fmt.Errorf("tokenizer: no token %q", endTok)
	}
	switch {
	case c.EOS == legacyEOS && eos != legacyEOS:
		if eos != len(t.Vocab)-1 {
			return fmt.Errorf("tokenizer: %q is token %d of %d: want it last, as %s takes a text's end for the token with the highest id",
				endTok, eos, len(t.Vocab), config)
		}
	case c.EOS != eos:
		return fmt.Errorf("%s: text_config.eos_token_id is %d, the tokenizer's %q is %d", config, c.EOS, endTok, eos)
	}
	c.BOS, c.EOS = bos, eos
	return nil
}

// byteSymbols returns the printable characters that stand for the bytes 0..255 in GPT-2's and CLIP's vocabularies.
func byteSymbols() [256]string {
	var out [256]string
	next := rune(256)
	for b := range out {
		printable := b >= '!' && b <= '~' || b >= 0xa1 && b != 0xad
		if printable {
			out[b] = string(rune(b))
			continue
		}
		out[b] = string(next)
		next++
	}
	return out
}
