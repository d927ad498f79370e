package clip

import (
	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/kernel"
)

// ImageEncoder runs the image tower, one photo at a time.
type ImageEncoder struct {
	m    *Model
	next int // layer that the next step runs

	// T = patches + 1, W = width
	x      []float32 // (T, W) residual stream
	h      []float32 // (T, W) normalised
	qkv    []float32 // (T, 3W); (3·heads, T, W/heads) where attention is by integers
	att    []float32 // (T, W) heads' outputs
	hidden []float32 // (mlpRows, intermediate), or patches before the first layer
	keys   []float32 // (W/heads, T) one head's keys, transposed; not by integers
	scores []float32 // (T, T) one head's attention; not by integers
	out    []float32 // (projection)
	ws     workspace
	heads  kernel.AttentionScratch
}

// integers reports whether attention's products are integers, as they are with
// int8 weights and heads that kernel.Attend takes.
func (m *Model) integers() bool {
	return m.visionLayers[0].qkv.w != nil && m.Vision.Width/m.Vision.Heads%8 == 0
}

// NewImageEncoder returns an encoder with its buffers.
func (m *Model) NewImageEncoder() *ImageEncoder {
	t, w := m.Patches()+1, m.Vision.Width
	e := &ImageEncoder{
		m:      m,
		x:      make([]float32, t*w),
		h:      make([]float32, t*w),
		qkv:    make([]float32, t*3*w),
		att:    make([]float32, t*w),
		hidden: make([]float32, min(t, mlpRows)*max(m.Vision.Intermediate, m.patch.in)),
		out:    make([]float32, m.ProjectionDim),
	}
	if !m.integers() {
		e.keys = make([]float32, w/m.Vision.Heads*t)
		e.scores = make([]float32, t*t)
	}
	return e
}

// Begin takes a photo as normalised planes (3, image size, image size) and
// embeds its patches.
func (e *ImageEncoder) Begin(planes []float32) error {
	m := e.m
	size, p, w := m.ImageSize, m.PatchSize, m.Vision.Width
	if len(planes) != 3*size*size {
		return errs.New("image: ", len(planes), " values, want 3 × ", size, " × ", size)
	}
	side, n := size/p, m.Patches()
	for first := 0; first < n; first += mlpRows {
		rows := min(mlpRows, n-first)
		at := 0
		for i := first; i < first+rows; i++ {
			py, px := i/side*p, i%side*p
			for c := range 3 {
				for y := range p {
					from := (c*size+py+y)*size + px
					at += copy(e.hidden[at:], planes[from:from+p])
				}
			}
		}
		m.patch.forward(e.x[(1+first)*w:], e.hidden, rows, &e.ws)
	}
	copy(e.x[:w], m.classEmbedding)
	kernel.Add(e.x, m.visionPosition)
	m.preNorm.forward(e.x, e.x, n+1)
	e.next = 0
	return nil
}

// Steps returns the number of steps that a photo takes.
func (e *ImageEncoder) Steps() int { return len(e.m.visionLayers) }

// Products that a host waits for at once: about 35 ms under wazero, less in browsers.
const (
	integersAtOnce = 400e6
	floatsAtOnce   = 100e6
)

// StepsAtOnce returns how many steps may follow one another before a host looks
// at what else there is to do, at least one: between small layers the looking
// would take longer than the layers.
func (e *ImageEncoder) StepsAtOnce() int {
	v, t := &e.m.Vision, e.m.Patches()+1
	products := t * (4*v.Width*v.Width + 2*v.Width*v.Intermediate + 2*t*v.Width)
	atOnce := int(floatsAtOnce)
	if e.m.integers() {
		atOnce = integersAtOnce
	}
	return max(1, atOnce/products)
}

// Step runs the next layer and reports whether it was the last.
func (e *ImageEncoder) Step() (done bool) {
	m := e.m
	t, w := m.Patches()+1, m.Vision.Width
	y := &m.visionLayers[e.next]
	e.next++
	last := e.next == len(m.visionLayers)

	y.norm1.forward(e.h, e.x, t)
	integers := m.integers()
	if integers {
		y.qkv.forwardHeads(e.qkv, e.h, t, w/m.Vision.Heads, &e.ws)
	} else {
		y.qkv.forward(e.qkv, e.h, t, &e.ws)
	}
	// Only the class token is read after the last layer.
	rows := t
	if last {
		rows = 1
	}
	if integers {
		e.attendIntegers(rows)
	} else {
		e.attend(rows)
	}
	y.finish(e.x, e.att, e.h, e.hidden, rows, m.Vision.Activation, &e.ws)
	if !last {
		return false
	}
	m.postNorm.forward(e.h[:w], e.x[:w], 1)
	m.imageProjection.forward(e.out, e.h, 1, &e.ws)
	kernel.Normalize(e.out)
	return true
}

// attend writes softmax(Q·Kᵀ/√d)·V of the first rows tokens to att.
func (e *ImageEncoder) attend(rows int) {
	t, w, heads := e.m.Patches()+1, e.m.Vision.Width, e.m.Vision.Heads
	d := w / heads
	for head := range heads {
		q, k, v := e.qkv[head*d:], e.qkv[w+head*d:], e.qkv[2*w+head*d:]
		kernel.Transpose(e.keys, t, k, 3*w, t, d)
		kernel.Gemm(e.scores, t, q, 3*w, e.keys, t, rows, t, d)
		kernel.Softmax(e.scores, t, rows, t, inverseSqrt(d))
		kernel.Gemm(e.att[head*d:], w, e.scores, t, v, 3*w, rows, d, t)
	}
}

// attendIntegers is attend for queries, keys and values by head.
func (e *ImageEncoder) attendIntegers(rows int) {
	t, w, heads := e.m.Patches()+1, e.m.Vision.Width, e.m.Vision.Heads
	d := w / heads
	for head := range heads {
		q, k, v := e.qkv[head*t*d:], e.qkv[(heads+head)*t*d:], e.qkv[(2*heads+head)*t*d:]
		kernel.Attend(e.att[head*d:], w, q, k, v, rows, t, d, inverseSqrt(d), &e.heads)
	}
}

// Embedding returns the photo's unit-length embedding (projection) after the
// last step. It is overwritten by the next photo.
func (e *ImageEncoder) Embedding() []float32 { return e.out }
