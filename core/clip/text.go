package clip

import (
	"math"

	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/kernel"
)

// MaxTextRows is the number of distinct tokens, and of texts, that one run of a
// TextEncoder takes.
const MaxTextRows = 256

// TextEncoder runs the text tower over a batch of texts. The tower is causal,
// so texts with a common beginning share its tokens: a batch is a forest of
// prefix trees in which every distinct beginning is computed once. A text's
// embedding does not depend on the others in its batch.
type TextEncoder struct {
	m    *Model
	next int // layer that the next step runs

	token  []int32            // (rows) token ids, every parent before its children
	parent []int32            // (rows) row of the token before, −1 at a start
	depth  []int32            // (rows) position in the text
	child  map[childKey]int32 // row of the token after
	ends   []int32            // (texts) row of each text's end token

	// N = rows, W = width
	x      []float32 // (N, W) residual stream
	h      []float32 // (N, W) normalised
	qkv    []float32 // (N, 3W)
	att    []float32 // (N, W)
	hidden []float32 // (N, intermediate)
	scores []float32 // (heads, context) at most
	path   []run     // (context) the last ones lead from a start to a token
	out    []float32 // (texts, projection)
	ws     workspace
}

type childKey struct{ parent, token int32 }

// run is a number of rows that follow one another.
type run struct{ first, rows int }

// NewTextEncoder returns an encoder; its buffers grow with the batches.
func (m *Model) NewTextEncoder() *TextEncoder {
	return &TextEncoder{
		m:      m,
		child:  make(map[childKey]int32),
		scores: make([]float32, m.Text.Heads*m.ContextLength),
		path:   make([]run, m.ContextLength),
	}
}

func inverseSqrt(d int) float32 { return float32(1 / math.Sqrt(float64(d))) }

// Reset empties the batch.
func (e *TextEncoder) Reset() {
	e.token, e.parent, e.depth, e.ends = e.token[:0], e.parent[:0], e.depth[:0], e.ends[:0]
	clear(e.child)
	e.next = 0
}

// Len returns the number of texts in the batch.
func (e *TextEncoder) Len() int { return len(e.ends) }

// Add adds a text, given as token ids from the start token to the end token.
// It reports false, and leaves the batch as it is, where the batch is full. An
// empty batch takes any text.
func (e *TextEncoder) Add(ids []int32) (bool, error) {
	if len(ids) == 0 || len(ids) > e.m.ContextLength {
		return false, errs.New("text: ", len(ids), " tokens, want 1..", e.m.ContextLength)
	}
	row, shared := int32(-1), 0
	for _, id := range ids {
		if id < 0 || int(id) >= e.m.VocabSize {
			return false, errs.New("text: token ", id, " is outside the vocabulary of ", e.m.VocabSize)
		}
		if next, ok := e.child[childKey{row, id}]; ok {
			row = next
			shared++
		} else {
			break
		}
	}
	if len(e.ends) == MaxTextRows || len(e.ends) > 0 && len(e.token)+len(ids)-shared > MaxTextRows {
		return false, nil
	}
	for i := shared; i < len(ids); i++ {
		n := int32(len(e.token))
		e.token = append(e.token, ids[i])
		e.parent = append(e.parent, row)
		e.depth = append(e.depth, int32(i))
		e.child[childKey{row, ids[i]}] = n
		row = n
	}
	e.ends = append(e.ends, row)
	return true, nil
}

// Begin embeds the batch's tokens.
func (e *TextEncoder) Begin() {
	m, n, w := e.m, len(e.token), e.m.Text.Width
	// after the last layer there is a row for each text, equal ones too
	rows := max(n, len(e.ends))
	e.x = grow(e.x, rows*w)
	e.h = grow(e.h, rows*w)
	e.qkv = grow(e.qkv, n*3*w)
	e.att = grow(e.att, rows*w)
	e.hidden = grow(e.hidden, rows*m.Text.Intermediate)
	e.out = grow(e.out, len(e.ends)*m.ProjectionDim)
	for i, id := range e.token {
		x := e.x[i*w : (i+1)*w]
		m.token.row(x, int(id))
		at := int(e.depth[i]) * w
		kernel.Add(x, m.textPosition[at:at+w])
	}
	e.next = 0
}

// Steps returns the number of steps that a batch takes.
func (e *TextEncoder) Steps() int { return len(e.m.textLayers) }

// Step runs the next layer and reports whether it was the last.
func (e *TextEncoder) Step() (done bool) {
	m, n, w := e.m, len(e.token), e.m.Text.Width
	y := &m.textLayers[e.next]
	e.next++
	last := e.next == len(m.textLayers)

	y.norm1.forward(e.h, e.x, n)
	y.qkv.forward(e.qkv, e.h, n, &e.ws)
	rows := n
	if last {
		// Only end tokens are read after the last layer.
		rows = len(e.ends)
		for i, row := range e.ends {
			e.attend(i, int(row))
			copy(e.h[i*w:(i+1)*w], e.x[int(row)*w:(int(row)+1)*w])
		}
		copy(e.x, e.h[:rows*w])
	} else {
		for i := range n {
			e.attend(i, i)
		}
	}
	y.finish(e.x, e.att, e.h, e.hidden, rows, m.Text.Activation, &e.ws)
	if !last {
		return false
	}
	d := m.ProjectionDim
	m.finalNorm.forward(e.h, e.x, rows)
	m.textProjection.forward(e.out, e.h, rows, &e.ws)
	for i := range rows {
		kernel.Normalize(e.out[i*d : (i+1)*d])
	}
	return true
}

// attend writes the attention of the token in the given row, over itself and
// the tokens before it, to row dst of att.
func (e *TextEncoder) attend(dst, row int) {
	w, heads := e.m.Text.Width, e.m.Text.Heads
	d, n := w/heads, int(e.depth[row])+1
	scores := e.scores[:heads*n]
	path := e.runsTo(row)
	for head := range heads {
		q, to := e.qkv[row*3*w+head*d:][:d], scores[head*n:]
		for _, r := range path {
			kernel.Dots(to[:r.rows], q, e.qkv[r.first*3*w+w+head*d:], 3*w)
			to = to[r.rows:]
		}
	}
	kernel.Softmax(scores, n, heads, n, inverseSqrt(d))
	out := e.att[dst*w : (dst+1)*w]
	clear(out)
	for head := range heads {
		y, weights := out[head*d:][:d], scores[head*n:]
		for _, r := range path {
			kernel.Combine(y, weights[:r.rows], e.qkv[r.first*3*w+2*w+head*d:], 3*w)
			weights = weights[r.rows:]
		}
	}
}

// runsTo returns the rows from a start to the given row, in runs of rows that
// follow one another. It is overwritten by the next call.
func (e *TextEncoder) runsTo(row int) []run {
	at := len(e.path)
	for r := int32(row); r >= 0; {
		end := r
		for e.parent[r] == r-1 && r > 0 {
			r--
		}
		at--
		e.path[at] = run{int(r), int(end-r) + 1}
		r = e.parent[r]
	}
	return e.path[at:]
}

// Embedding returns the unit-length embedding (projection) of text i after the
// last step. It is overwritten by the next batch.
func (e *TextEncoder) Embedding(i int) []float32 {
	d := e.m.ProjectionDim
	return e.out[i*d : (i+1)*d]
}
