package clip

import (
	"math"
	"unsafe"

	"github.com/ecor-clip/ecor/core/bpe"
	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/core/safetensors"
)

// MaxWeightBytes bounds the memory that the weights of a file take once they
// are loaded, in bytes.
const MaxWeightBytes = 2 << 30

// maxLogScale bounds the logarithm of the logit scale. CLIP trains with at
// most log 100 ≈ 4.6.
const maxLogScale = 10

// Model holds the weights of both towers. It is read-only after loading.
type Model struct {
	Config
	Parameters uint64  // weights of both towers, scales not counted
	LogitScale float32 // factor of cosines, after exp
	Tokenizer  *bpe.Tokenizer

	patch           linear    // (vision width, 3·patch·patch), no bias
	classEmbedding  []float32 // (vision width)
	visionPosition  []float32 // (patches+1, vision width)
	preNorm         norm
	visionLayers    []layer
	postNorm        norm
	imageProjection linear // (projection, vision width), no bias

	token          embedding
	textPosition   []float32 // (context, text width)
	textLayers     []layer
	finalNorm      norm
	textProjection linear // (projection, text width), no bias
}

// embedding is a table of vectors, float32 or int8 with one scale a row.
type embedding struct {
	width int
	f32   []float32 // (rows, width)
	q     []int8    // (rows, width)
	scale []float32 // (rows)
}

// row writes vector i to dst (width).
func (e *embedding) row(dst []float32, i int) {
	if e.f32 != nil {
		copy(dst, e.f32[i*e.width:(i+1)*e.width])
		return
	}
	s := e.scale[i]
	for j, q := range e.q[i*e.width : (i+1)*e.width] {
		dst[j] = float32(s * float32(q))
	}
}

// A slot is where one tensor of the file goes.
type slot struct {
	shape []int
	dtype safetensors.DType
	load  loader
	done  func() error // called after the last byte, or nil
	grows uint64       // bytes in memory for each byte of the file
	got   bool
}

// A loader makes room for a tensor and returns the function that stores
// consecutive pieces of its bytes; off counts bytes from the tensor's start.
type loader func() func(off uint64, p []byte)

// Loader builds a Model from a weights file that arrives in pieces. Tensors go
// straight to where they stay, and what can be made of them is made while
// others are on their way.
type Loader struct {
	model   *Model
	slots   map[string]*slot
	store   func(off uint64, p []byte)
	current *safetensors.Tensor
	rows    map[*linear]int // that have arrived
	scratch kernel.Scratch

	vocab, merges []byte
	logitScale    []float32
	codes         []*codes // 4-bit matrices, to be multiplied out
	decoder       *safetensors.Decoder
}

// NewLoader starts the loading of a file of the given size in bytes.
func NewLoader(size uint64) (*Loader, error) {
	l := &Loader{}
	d, err := safetensors.NewDecoder(size, l)
	if err != nil {
		return nil, err
	}
	l.decoder = d
	return l, nil
}

// Write takes the next bytes of the file.
func (l *Loader) Write(p []byte) error { return l.decoder.Write(p) }

// Close returns the model after the last byte.
func (l *Loader) Close() (*Model, error) {
	if err := l.decoder.Close(); err != nil {
		return nil, err
	}
	m := l.model
	if m.Tokenizer == nil {
		if err := l.makeTokenizer(); err != nil {
			return nil, err
		}
	}
	if v := l.logitScale[0]; !(v >= -maxLogScale && v <= maxLogScale) {
		return nil, errs.New("weights: logit_scale ", v, " is outside −", maxLogScale, "..", maxLogScale)
	}
	m.LogitScale = kernel.Exp(l.logitScale[0])
	for _, c := range l.codes {
		if err := c.multiply(); err != nil {
			return nil, err
		}
	}
	l.codes = nil
	m.finish(&l.scratch)
	return m, nil
}

// makeTokenizer makes the tokenizer of its tensors.
func (l *Loader) makeTokenizer() error {
	m := l.model
	tok, err := bpe.New(l.vocab, l.merges)
	if err != nil {
		return err
	}
	if tok.Len() != m.VocabSize {
		return errs.New("weights: the tokenizer has ", tok.Len(), " tokens, text.vocab_size is ", m.VocabSize)
	}
	if int(tok.BOS()) != m.BOS || int(tok.EOS()) != m.EOS {
		return errs.New("weights: text.bos ", m.BOS, " and text.eos ", m.EOS,
			" differ from the tokenizer's ", tok.BOS(), " and ", tok.EOS())
	}
	m.Tokenizer = tok
	return nil
}

// Header implements safetensors.Handler: it checks every tensor's name, type
// and shape before it makes room for any.
func (l *Loader) Header(h *safetensors.Header) error {
	c, err := parseConfig(h.Metadata)
	if err != nil {
		return err
	}
	l.model = newModel(c)
	l.slots = make(map[string]*slot)
	l.rows = make(map[*linear]int)
	l.describe()
	var bytes uint64
	for i := range h.Tensors {
		t := &h.Tensors[i]
		s, ok := l.slots[t.Name]
		if !ok {
			return errs.New("weights: unexpected tensor ", errs.Quote(t.Name))
		}
		if t.DType != s.dtype {
			return errs.New("weights: tensor ", t.Name, " has type ", t.DType.String(), ", scheme ", c.Scheme, " has ", s.dtype.String(), " there")
		}
		if !sameShape(t.Shape, s.shape) {
			return errs.New("weights: tensor ", t.Name, " has shape ", shapeText(t.Shape), ", want ", shapeText(s.shape))
		}
		s.got = true
		bytes += (t.End - t.Begin) * s.grows
	}
	for name, s := range l.slots {
		if !s.got {
			return errs.New("weights: tensor ", name, " is missing")
		}
	}
	if bytes > MaxWeightBytes {
		return errs.OverLimit("weights: with scheme ", c.Scheme, " they take ", bytes, " bytes of memory, at most ", uint64(MaxWeightBytes))
	}
	return nil
}

// Data implements safetensors.Handler.
func (l *Loader) Data(t *safetensors.Tensor, off uint64, p []byte) error {
	if l.current != t {
		l.current = t
		l.store = l.slots[t.Name].load()
	}
	l.store(off, p)
	if done := l.slots[t.Name].done; done != nil && off+uint64(len(p)) == t.End-t.Begin {
		return done()
	}
	return nil
}

func sameShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		// −1 stands for any length
		if a[i] != b[i] && b[i] != -1 {
			return false
		}
	}
	return true
}

func shapeText(s []int) string {
	b := "["
	for i, n := range s {
		if i > 0 {
			b += ", "
		}
		if n == -1 {
			b += "any"
		} else {
			b += errs.Text(n)
		}
	}
	return b + "]"
}

func newModel(c *Config) *Model {
	m := &Model{Config: *c}
	m.patch = linear{in: 3 * c.PatchSize * c.PatchSize, out: c.Vision.Width}
	m.visionLayers = newLayers(&c.Vision)
	m.imageProjection = linear{in: c.Vision.Width, out: c.ProjectionDim}
	m.token.width = c.Text.Width
	m.textLayers = newLayers(&c.Text)
	m.textProjection = linear{in: c.Text.Width, out: c.ProjectionDim}
	return m
}

func newLayers(t *TowerConfig) []layer {
	layers := make([]layer, t.Layers)
	for i := range layers {
		layers[i] = layer{
			qkv: linear{in: t.Width, out: 3 * t.Width},
			out: linear{in: t.Width, out: t.Width},
			fc1: linear{in: t.Width, out: t.Intermediate},
			fc2: linear{in: t.Intermediate, out: t.Width},
		}
	}
	return layers
}

// describe lists every tensor that the configuration asks for.
func (l *Loader) describe() {
	m := l.model
	c := &m.Config
	l.matrix("vision_model.embeddings.patch_embedding", &m.patch, 0, m.patch.out, false)
	l.floats("vision_model.embeddings.class_embedding", &m.classEmbedding, c.Vision.Width)
	l.floats("vision_model.embeddings.position_embedding.weight", &m.visionPosition, c.Patches()+1, c.Vision.Width)
	l.norm("vision_model.pre_layrnorm", &m.preNorm, &c.Vision)
	l.layers("vision_model", m.visionLayers, &c.Vision)
	l.norm("vision_model.post_layernorm", &m.postNorm, &c.Vision)
	l.matrix("visual_projection", &m.imageProjection, 0, c.ProjectionDim, false)

	l.table("text_model.embeddings.token_embedding", &m.token, c.VocabSize)
	l.floats("text_model.embeddings.position_embedding.weight", &m.textPosition, c.ContextLength, c.Text.Width)
	l.layers("text_model", m.textLayers, &c.Text)
	l.norm("text_model.final_layer_norm", &m.finalNorm, &c.Text)
	l.matrix("text_projection", &m.textProjection, 0, c.ProjectionDim, false)

	l.floats("logit_scale", &l.logitScale)
	l.bytes("tokenizer.vocab", &l.vocab)
	l.bytes("tokenizer.merges", &l.merges)
	parts := 0
	done := func() error {
		if parts++; parts < 2 {
			return nil
		}
		return l.makeTokenizer()
	}
	l.slots["tokenizer.vocab"].done, l.slots["tokenizer.merges"].done = done, done
}

func (l *Loader) layers(tower string, layers []layer, t *TowerConfig) {
	for i := range layers {
		y := &layers[i]
		p := errs.Text(tower, ".encoder.layers.", i, ".")
		l.norm(p+"layer_norm1", &y.norm1, t)
		l.norm(p+"layer_norm2", &y.norm2, t)
		for j, name := range [...]string{"q_proj", "k_proj", "v_proj"} {
			l.matrix(p+"self_attn."+name, &y.qkv, j*t.Width, t.Width, true)
		}
		l.matrix(p+"self_attn.out_proj", &y.out, 0, t.Width, true)
		l.matrix(p+"mlp.fc1", &y.fc1, 0, t.Intermediate, true)
		l.matrix(p+"mlp.fc2", &y.fc2, 0, t.Width, true)
	}
}

func (l *Loader) norm(name string, n *norm, t *TowerConfig) {
	n.epsilon = t.Epsilon
	l.floats(name+".weight", &n.gamma, t.Width)
	l.floats(name+".bias", &n.beta, t.Width)
}

// floats describes a float32 tensor that is kept as it is.
func (l *Loader) floats(name string, dst *[]float32, shape ...int) {
	l.slots[name] = &slot{shape: shape, dtype: safetensors.F32, grows: 1, load: func() func(uint64, []byte) {
		*dst = make([]float32, product(shape))
		return floatStore(*dst)
	}}
}

// bytes describes a U8 tensor of any length.
func (l *Loader) bytes(name string, dst *[]byte) {
	l.slots[name] = &slot{shape: []int{-1}, dtype: safetensors.U8, grows: 1, load: func() func(uint64, []byte) {
		*dst = nil
		return func(_ uint64, p []byte) { *dst = append(*dst, p...) }
	}}
}

// matrix describes rows first..first+rows of a linear layer: NAME.weight, what
// its scheme stores beside it, and NAME.bias where the layer has one.
func (l *Loader) matrix(name string, w *linear, first, rows int, bias bool) {
	if bias {
		l.part(name+".bias", &w.bias, w.out, first, rows)
	}
	weight := &slot{shape: []int{rows, w.in}, dtype: safetensors.I8, grows: 1}
	switch l.model.Scheme {
	case Float32:
		weight.dtype = safetensors.F32
		weight.load = func() func(uint64, []byte) {
			w.makeFloat()
			return func(off uint64, p []byte) {
				i := int(off / 4)
				for ; len(p) >= 4; p = p[4:] {
					w.f32[i%w.in*w.out+first+i/w.in] = float32At(p)
					i++
				}
			}
		}
	case W8:
		weight.grows = 4
		weight.load = func() func(uint64, []byte) {
			w.makeFloat()
			return func(off uint64, p []byte) {
				i := int(off)
				for _, b := range p {
					w.f32[i%w.in*w.out+first+i/w.in] = float32(int8(b))
					i++
				}
			}
		}
	case W8A7:
		weight.load = func() func(uint64, []byte) {
			w.makeInt8()
			return int8Store(w.w[first*kernel.PadK(w.in):], w.in, kernel.PadK(w.in))
		}
		weight.done = func() error {
			if l.rows[w] += rows; l.rows[w] == w.out {
				w.pack(&l.scratch)
			}
			return nil
		}
	case W4A7:
		weight = l.packed(name, rows, w.in, func() ([]int8, int) {
			w.makeInt8()
			stride := kernel.PadK(w.in)
			return w.w[first*stride : (first+rows)*stride], stride
		})
	}
	l.slots[name+".weight"] = weight
	if l.model.Scheme != Float32 {
		l.part(name+".scale", &w.scale, w.out, first, rows)
	}
}

// makeFloat makes room for float32 weights; a layer of several tensors calls it
// for each.
func (w *linear) makeFloat() {
	if w.f32 == nil {
		w.f32 = make([]float32, w.in*w.out)
	}
}

// makeInt8 makes room for int8 weights.
func (w *linear) makeInt8() {
	if w.w == nil {
		k := kernel.PadK(w.in)
		w.w = make([]int8, w.out*k, kernel.PanelLen(w.out, k))
	}
}

// pack brings int8 weights into panels and sums their rows.
func (w *linear) pack(s *kernel.Scratch) {
	k := kernel.PadK(w.in)
	w.w = kernel.Pack(w.w, w.out, k)
	w.sum = make([]float32, w.out)
	kernel.RowSums(w.sum, w.w, w.out, k, s)
}

// part describes the float32 values first..first+n of a vector of length total.
func (l *Loader) part(name string, dst *[]float32, total, first, n int) {
	l.slots[name] = &slot{shape: []int{n}, dtype: safetensors.F32, grows: 1, load: func() func(uint64, []byte) {
		if *dst == nil {
			*dst = make([]float32, total)
		}
		return floatStore((*dst)[first : first+n])
	}}
}

// table describes an embedding table.
func (l *Loader) table(name string, e *embedding, rows int) {
	if l.model.Scheme == Float32 {
		l.floats(name+".weight", &e.f32, rows, e.width)
		return
	}
	l.floats(name+".scale", &e.scale, rows)
	if l.model.EmbeddingBits == 4 {
		l.slots[name+".weight"] = l.packed(name, rows, e.width, func() ([]int8, int) {
			e.q = make([]int8, rows*e.width)
			return e.q, e.width
		})
		return
	}
	l.slots[name+".weight"] = &slot{shape: []int{rows, e.width}, dtype: safetensors.I8, grows: 1, load: func() func(uint64, []byte) {
		e.q = make([]int8, rows*e.width)
		return int8Store(e.q, e.width, e.width)
	}}
}

func product(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// int8Store stores rows of in values, stride elements apart.
func int8Store(dst []int8, in, stride int) func(uint64, []byte) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst))
	return func(off uint64, p []byte) {
		if in == stride {
			copy(bytes[off:], p)
			return
		}
		for i := int(off); len(p) > 0; {
			row, col := i/in, i%in
			n := copy(bytes[row*stride+col:row*stride+in], p)
			p = p[n:]
			i += n
		}
	}
}

func floatStore(dst []float32) func(uint64, []byte) {
	return func(off uint64, p []byte) {
		i := int(off / 4)
		for ; len(p) >= 4; p = p[4:] {
			dst[i] = float32At(p)
			i++
		}
	}
}

func float32At(p []byte) float32 {
	return math.Float32frombits(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)
}

// finish computes what follows from the weights and counts them.
func (m *Model) finish(s *kernel.Scratch) {
	count := func(w *linear) {
		if w.f32 != nil && w.scale != nil {
			for i := range w.f32 {
				w.f32[i] *= w.scale[i%w.out]
			}
			w.scale = nil
		}
		if w.w != nil && w.sum == nil {
			w.pack(s)
		}
		m.Parameters += uint64(w.in*w.out + len(w.bias))
	}
	for _, w := range []*linear{&m.patch, &m.imageProjection, &m.textProjection} {
		count(w)
	}
	norms := []*norm{&m.preNorm, &m.postNorm, &m.finalNorm}
	for _, layers := range [][]layer{m.visionLayers, m.textLayers} {
		for i := range layers {
			y := &layers[i]
			for _, w := range []*linear{&y.qkv, &y.out, &y.fc1, &y.fc2} {
				count(w)
			}
			norms = append(norms, &y.norm1, &y.norm2)
		}
	}
	for _, n := range norms {
		m.Parameters += uint64(2 * len(n.gamma))
	}
	m.Parameters += uint64(len(m.classEmbedding) + len(m.visionPosition) + len(m.textPosition) + m.VocabSize*m.token.width + 1)
}
