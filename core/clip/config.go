// Package clip is CLIP's image tower and text tower (Radford et al., arXiv
// 2103.00020) over float32, int8 or 4-bit weights.
//
// A Model holds the weights, an ImageEncoder and a TextEncoder hold the
// activations of one run. Encoders work in steps of one layer, so that a
// caller can stop between them.
package clip

import (
	"strings"

	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/pixels"
)

// Format is the value of the metadata key "format" of a weights file.
const Format = "ecor-weights-1"

// Schemes: how a weights file stores linear layers, and how they are computed.
// Memory is that of a linear layer's weights once loaded.
const (
	Float32 = "float32" // float32 weights and activations; 4 bytes a weight
	W8      = "w8"      // int8 weights, made float32 when loaded; 4 bytes a weight
	W8A7    = "w8a7"    // int8 weights, 7-bit activations; 1 byte a weight
	W4A7    = "w4a7"    // 4-bit weights, made int8 when loaded, 7-bit activations; 1 byte a weight
)

// Activation is the nonlinearity of the MLPs.
type Activation uint8

// Activations.
const (
	QuickGELU Activation = iota // x·σ(1.702·x)
	GELU                        // x·Φ(x)
)

// TowerConfig is the shape of a transformer.
type TowerConfig struct {
	Width        int // length of a token's vector
	Intermediate int // length of the MLP's hidden vector
	Layers       int
	Heads        int
	Activation   Activation
	Epsilon      float32 // of every LayerNorm
}

// Config describes a weights file.
type Config struct {
	Name         string
	License      string
	Scheme       string // one of Float32, W8, W8A7, W4A7
	SourceSHA256 string

	// Of the scheme W4A7, 0 in others.
	GroupSize     int // inputs that share a multiplier
	EmbeddingBits int // of the token embedding: 4 or 8

	Vision    TowerConfig
	ImageSize int // pixels on each side of the image tower's input
	PatchSize int // pixels on each side of a patch

	Text          TowerConfig
	VocabSize     int
	ContextLength int // tokens of the longest text, start and end included
	BOS, EOS      int // ids of the start and end tokens

	ProjectionDim int
	Image         pixels.Spec

	CategoryTemplates    []string // {c}
	RationaleTemplates   []string // {r}
	ConditionalTemplates []string // {c} and {r}
}

// Patches returns the number of patches of an image.
func (c *Config) Patches() int {
	n := c.ImageSize / c.PatchSize
	return n * n
}

// Bounds of a configuration. They keep every product of two sizes far below
// the range of int on 32-bit WebAssembly memory.
const (
	maxWidth    = 4096
	maxLayers   = 64
	maxImage    = 1024
	maxVocab    = 1 << 18
	maxContext  = 1024
	maxTemplate = 32
	maxGroup    = 1024
)

type metadata struct {
	values map[string]string
	err    error
}

func (m *metadata) str(key string) string {
	v, ok := m.values[key]
	if !ok && m.err == nil {
		m.err = errs.New("weights: metadata has no ", errs.Quote(key))
	}
	return v
}

func (m *metadata) num(key string, lo, hi int) int {
	s := m.str(key)
	if m.err != nil {
		return lo
	}
	v, ok := parseNumber(s)
	if !ok || v != float64(int(v)) {
		m.err = errs.New("weights: metadata ", key, " = ", errs.Quote(s), " is not a whole number")
		return lo
	}
	if v < float64(lo) || v > float64(hi) {
		m.err = errs.OverLimit("weights: metadata ", key, " = ", v, " is outside ", lo, "..", hi)
		return lo
	}
	return int(v)
}

// parseNumber reads a decimal number of at most 15 digits with an exponent of
// at most ±22, which float64 arithmetic converts exactly rounded. (strconv's
// parser would take 2 % of the module's size limit.)
func parseNumber(s string) (v float64, ok bool) {
	negative := strings.HasPrefix(s, "-")
	if negative {
		s = s[1:]
	}
	mantissa, digits, exponent, point := 0, 0, 0, false
	i := 0
	for ; i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' && !point); i++ {
		if s[i] == '.' {
			point = true
			continue
		}
		mantissa = 10*mantissa + int(s[i]-'0')
		if mantissa > 0 {
			digits++
		}
		if point {
			exponent--
		}
		if digits > 15 || exponent < -22 {
			return 0, false
		}
	}
	if i == 0 || s[:i] == "." {
		return 0, false
	}
	if i < len(s) {
		if s[i] != 'e' && s[i] != 'E' {
			return 0, false
		}
		s = s[i+1:]
		sign := 1
		if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
			if s[0] == '-' {
				sign = -1
			}
			s = s[1:]
		}
		if len(s) == 0 || len(s) > 2 {
			return 0, false
		}
		n := 0
		for _, c := range []byte(s) {
			if c < '0' || c > '9' {
				return 0, false
			}
			n = 10*n + int(c-'0')
		}
		exponent += sign * n
	}
	if exponent < -22 || exponent > 22 {
		return 0, false
	}
	power := 1.0
	for range max(exponent, -exponent) {
		power *= 10
	}
	v = float64(mantissa)
	if exponent < 0 {
		v /= power
	} else {
		v *= power
	}
	if negative {
		v = -v
	}
	return v, true
}

func (m *metadata) floats(key string, n int) []float32 {
	out := make([]float32, n)
	s := m.str(key)
	if m.err != nil {
		return out
	}
	fields := strings.Fields(s)
	if len(fields) != n {
		m.err = errs.New("weights: metadata ", key, " = ", errs.Quote(s), " has ", len(fields), " numbers, want ", n)
		return out
	}
	for i, f := range fields {
		v, ok := parseNumber(f)
		if !ok {
			m.err = errs.New("weights: metadata ", key, " = ", errs.Quote(s), ": ", errs.Quote(f), " is not a number")
			return out
		}
		out[i] = float32(v)
	}
	return out
}

func (m *metadata) templates(key string, placeholders ...string) []string {
	list := strings.Split(m.str(key), "\n")
	if m.err != nil {
		return nil
	}
	if len(list) > maxTemplate {
		m.err = errs.OverLimit("weights: metadata ", key, " has ", len(list), " templates, at most ", maxTemplate)
	}
	for _, t := range list {
		for _, p := range placeholders {
			if m.err == nil && !strings.Contains(t, p) {
				m.err = errs.New("weights: metadata ", key, ": ", errs.Quote(t), " has no ", p)
			}
		}
	}
	return list
}

func (m *metadata) tower(prefix string) TowerConfig {
	t := TowerConfig{
		Width:        m.num(prefix+".hidden_size", 1, maxWidth),
		Intermediate: m.num(prefix+".intermediate_size", 1, 4*maxWidth),
		Layers:       m.num(prefix+".layers", 1, maxLayers),
		Heads:        m.num(prefix+".heads", 1, maxWidth),
		Epsilon:      m.floats(prefix+".layer_norm_eps", 1)[0],
	}
	switch a := m.str(prefix + ".activation"); {
	case m.err != nil:
	case a == "quick_gelu":
		t.Activation = QuickGELU
	case a == "gelu":
		t.Activation = GELU
	default:
		m.err = errs.New("weights: metadata ", prefix, ".activation = ", errs.Quote(a), ": want quick_gelu or gelu")
	}
	if m.err == nil && t.Width%t.Heads != 0 {
		m.err = errs.New("weights: ", prefix, ".hidden_size ", t.Width, " is not a multiple of ", prefix, ".heads ", t.Heads)
	}
	if m.err == nil && t.Epsilon <= 0 {
		m.err = errs.New("weights: ", prefix, ".layer_norm_eps ", t.Epsilon, " is not positive")
	}
	return t
}

// parseConfig reads a weights file's metadata.
func parseConfig(values map[string]string) (*Config, error) {
	m := &metadata{values: values}
	if f := m.str("format"); m.err == nil && f != Format {
		return nil, errs.New("weights: format ", errs.Quote(f), ", want ", errs.Quote(Format))
	}
	c := &Config{
		Name:         m.str("name"),
		License:      m.str("license"),
		Scheme:       m.str("scheme"),
		SourceSHA256: m.str("source_sha256"),

		Vision:    m.tower("vision"),
		ImageSize: m.num("vision.image_size", 1, maxImage),
		PatchSize: m.num("vision.patch_size", 1, maxImage),

		Text:          m.tower("text"),
		VocabSize:     m.num("text.vocab_size", 2, maxVocab),
		ContextLength: m.num("text.context_length", 2, maxContext),
		BOS:           m.num("text.bos", 0, maxVocab),
		EOS:           m.num("text.eos", 0, maxVocab),

		ProjectionDim: m.num("projection_dim", 1, maxWidth),

		CategoryTemplates:    m.templates("template.category", "{c}"),
		RationaleTemplates:   m.templates("template.rationale", "{r}"),
		ConditionalTemplates: m.templates("template.conditional", "{c}", "{r}"),
	}
	c.Image.Resize = m.num("image.resize", 1, maxImage)
	c.Image.Crop = m.num("image.crop", 1, maxImage)
	copy(c.Image.Mean[:], m.floats("image.mean", 3))
	copy(c.Image.Std[:], m.floats("image.std", 3))
	switch c.Scheme {
	case Float32, W8, W8A7:
	case W4A7:
		c.GroupSize = m.num("group_size", 1, maxGroup)
		c.EmbeddingBits = m.num("embedding_bits", 4, 8)
	default:
		if m.err == nil {
			m.err = errs.New("weights: unknown scheme ", errs.Quote(c.Scheme), ": want float32, w8, w8a7 or w4a7")
		}
	}
	if m.err != nil {
		return nil, m.err
	}
	switch {
	case c.Scheme == W4A7 && c.EmbeddingBits != 4 && c.EmbeddingBits != 8:
		return nil, errs.New("weights: embedding_bits ", c.EmbeddingBits, ": want 4 or 8")
	case c.ImageSize%c.PatchSize != 0:
		return nil, errs.New("weights: image size ", c.ImageSize, " is not a multiple of patch size ", c.PatchSize)
	case c.Image.Crop != c.ImageSize:
		return nil, errs.New("weights: image.crop ", c.Image.Crop, " differs from image size ", c.ImageSize)
	case c.Image.Std[0] <= 0 || c.Image.Std[1] <= 0 || c.Image.Std[2] <= 0:
		return nil, errs.New("weights: image.std has a value that is not positive")
	case c.BOS >= c.VocabSize || c.EOS >= c.VocabSize:
		return nil, errs.New("weights: start token ", c.BOS, " or end token ", c.EOS, " is outside the vocabulary of ", c.VocabSize)
	}
	return c, nil
}
