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
	qkv    []float32 // (T, 3W)
	att    []float32 // (T, W) heads' outputs
	hidden []float32 // (T, intermediate)
	keys   []float32 // (W/heads, T) one head's keys, transposed
	scores []float32 // (T, T) one head's attention
	out    []float32 // (projection)
	ws     workspace
}

// NewImageEncoder returns an encoder with its buffers.
func (m *Model) NewImageEncoder() *ImageEncoder {
	t, w := m.Patches()+1, m.Vision.Width
	return &ImageEncoder{
		m:      m,
		x:      make([]float32, t*w),
		h:      make([]float32, t*w),
		qkv:    make([]float32, t*3*w),
		att:    make([]float32, t*w),
		hidden: make([]float32, t*m.Vision.Intermediate),
		keys:   make([]float32, w/m.Vision.Heads*t),
		scores: make([]float32, t*t),
		out:    make([]float32, m.ProjectionDim),
	}
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
	// the hidden buffer may be too small for the patches of a narrow tower
	patches := grow(e.hidden, n*m.patch.in)
	i := 0
	for py := range side {
		for px := range side {
			for c := range 3 {
				for y := range p {
					at := c*size*size + (py*p+y)*size + px*p
					i += copy(patches[i:], planes[at:at+p])
				}
			}
		}
	}
	m.patch.forward(e.x[w:], patches, n, &e.ws)
	copy(e.x[:w], m.classEmbedding)
	kernel.Add(e.x, m.visionPosition)
	m.preNorm.forward(e.x, e.x, n+1)
	e.next = 0
	return nil
}

// Steps returns the number of steps that a photo takes.
func (e *ImageEncoder) Steps() int { return len(e.m.visionLayers) }

// Step runs the next layer and reports whether it was the last.
func (e *ImageEncoder) Step() (done bool) {
	m := e.m
	t, w := m.Patches()+1, m.Vision.Width
	y := &m.visionLayers[e.next]
	e.next++
	last := e.next == len(m.visionLayers)

	y.norm1.forward(e.h, e.x, t)
	y.qkv.forward(e.qkv, e.h, t, &e.ws)
	// Only the class token is read after the last layer.
	rows := t
	if last {
		rows = 1
	}
	e.attend(rows)
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

// Embedding returns the photo's unit-length embedding (projection) after the
// last step. It is overwritten by the next photo.
func (e *ImageEncoder) Embedding() []float32 { return e.out }
