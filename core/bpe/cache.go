package bpe

// Limits of a word that is remembered, and the number of places.
const (
	cachedBytes = 15
	cachedIDs   = 4
	cachePlaces = 512 // a power of two
)

// wordCache remembers the tokens of words: prompts of one label set repeat theirs.
// A word has one place, from which it pushes out another.
type wordCache [cachePlaces]cachedWord

type cachedWord struct {
	length, count uint8 // of word and ids; 0 in an empty place
	word          [cachedBytes]byte
	ids           [cachedIDs]int32
}

// place returns the place of a word, nil where it is too long for one.
func (c *wordCache) place(word []byte) *cachedWord {
	if len(word) > cachedBytes {
		return nil
	}
	h := uint32(2166136261) // FNV-1a
	for _, b := range word {
		h = (h ^ uint32(b)) * 16777619
	}
	return &c[(h^h>>16)%cachePlaces]
}

// holds reports whether the place is that word's.
func (p *cachedWord) holds(word []byte) bool {
	return int(p.length) == len(word) && string(p.word[:p.length]) == string(word)
}

// keep gives the place to a word, where its ids are few enough.
func (p *cachedWord) keep(word []byte, ids []int32) {
	if len(ids) > cachedIDs {
		return
	}
	p.length, p.count = uint8(copy(p.word[:], word)), uint8(copy(p.ids[:], ids))
}
