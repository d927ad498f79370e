// Package tower runs the towers of a checkpoint over many photos or texts at once, in float32 and one linear layer
// after the other, so that no more than one layer's weights are in memory and a caller can look at, and replace, each
// layer as its inputs arrive.
package tower

import (
	"context"
	"fmt"
	"math"

	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/work"
)

// A Step is a place where linear layers read the same inputs.
type Step struct {
	Norm    string   // the LayerNorm whose output the inputs are, "" where something else made them
	Linears []string // names without ".weight"
}

// Towers, as their tensors' names begin.
const (
	Vision = "vision_model"
	Text   = "text_model"
)

// Steps lists a tower's linear layers in the order in which they are computed.
func Steps(c *checkpoint.Config, model string) []Step {
	var out []Step
	layers, last := c.Text.Layers, Step{"text_model.final_layer_norm", []string{"text_projection"}}
	if model == Vision {
		layers, last = c.Vision.Layers, Step{"vision_model.post_layernorm", []string{"visual_projection"}}
		out = append(out, Step{"", []string{patchEmbedding}})
	}
	for i := range layers {
		l := checkpoint.LayerName(model, i)
		out = append(out,
			Step{l + ".layer_norm1", []string{l + ".self_attn.q_proj", l + ".self_attn.k_proj", l + ".self_attn.v_proj"}},
			Step{"", []string{l + ".self_attn.out_proj"}},
			Step{l + ".layer_norm2", []string{l + ".mlp.fc1"}},
			Step{"", []string{l + ".mlp.fc2"}})
	}
	return append(out, last)
}

const patchEmbedding = "vision_model.embeddings.patch_embedding"

// A Visitor sees the inputs x (rows, in) of a step and returns its layers, in their order. It may change x in place:
// the layers are given what it leaves there.
type Visitor func(s Step, x []float32, rows int) ([]*Linear, error)

// Loader returns the values of a tensor of the checkpoint.
type Loader func(name string) ([]float32, error)

// Exact returns a visitor that changes nothing: layers are those of the checkpoint.
func Exact(load Loader) Visitor {
	return func(s Step, x []float32, rows int) ([]*Linear, error) {
		out := make([]*Linear, len(s.Linears))
		for i, name := range s.Linears {
			w, err := load(name + ".weight")
			if err != nil {
				return nil, err
			}
			bias, err := LoadBias(load, name)
			if err != nil {
				return nil, err
			}
			out[i] = NewLinear(w, bias, len(w)/(len(x)/rows), false)
		}
		return out, nil
	}
}

// HasBias reports whether a linear layer has a bias.
func HasBias(name string) bool {
	return name != patchEmbedding && name != "visual_projection" && name != "text_projection"
}

// LoadBias returns a linear layer's bias, nil where it has none.
func LoadBias(load Loader, name string) ([]float32, error) {
	if !HasBias(name) {
		return nil, nil
	}
	return load(name + ".bias")
}

// Tower runs one tower.
type Tower struct {
	Config *checkpoint.Config
	Load   Loader
	Visit  Visitor
	Step   func() // called after each step; may be nil
}

// state is the activations of all inputs.
type state struct {
	*Tower
	ctx        context.Context
	c          *checkpoint.Tower
	model      string
	causal     bool
	start      []int     // (inputs+1) first row of each input
	x          []float32 // (rows, width) residual stream
	h          []float32 // (rows, width) normalised, then the output of attention
	projection int
}

// Images returns the unit-length embeddings (photos, projection) of photos given as normalised planes
// (3, image size, image size).
func (t *Tower) Images(ctx context.Context, planes [][]float32) ([]float32, error) {
	v := &t.Config.Vision
	s := &state{Tower: t, ctx: ctx, c: &v.Tower, model: Vision, projection: t.Config.ProjectionDim}
	side := v.ImageSize / v.PatchSize
	patches, w, in := side*side, v.HiddenSize, 3*v.PatchSize*v.PatchSize
	n := len(planes)
	x := make([]float32, n*patches*in)
	work.Do(n, func(i int) {
		cut(x[i*patches*in:(i+1)*patches*in], planes[i], v.ImageSize, v.PatchSize)
	})
	embedded := make([]float32, n*patches*w)
	if err := s.linears(Step{"", []string{patchEmbedding}}, x, n*patches, embedded); err != nil {
		return nil, err
	}
	class, err := t.Load("vision_model.embeddings.class_embedding")
	if err != nil {
		return nil, err
	}
	position, err := t.Load("vision_model.embeddings.position_embedding.weight")
	if err != nil {
		return nil, err
	}
	s.resize(n, patches+1, w)
	for i := range n {
		rows := s.x[i*(patches+1)*w : (i+1)*(patches+1)*w]
		copy(rows, class)
		copy(rows[w:], embedded[i*patches*w:])
		kernel.Add(rows, position)
	}
	if err := s.norm("vision_model.pre_layrnorm", s.x, s.x); err != nil {
		return nil, err
	}
	first := make([]int, n)
	for i := range first {
		first[i] = s.start[i]
	}
	return s.run(first)
}

// cut writes the patches of planes (3, size, size) as rows: channel, row, column.
func cut(dst, planes []float32, size, patch int) {
	for py := 0; py < size; py += patch {
		for px := 0; px < size; px += patch {
			for c := range 3 {
				for y := range patch {
					at := c*size*size + (py+y)*size + px
					dst = dst[copy(dst, planes[at:at+patch]):]
				}
			}
		}
	}
}

// Texts returns the unit-length embeddings (texts, projection) of token ids, each text from the start to the end token.
func (t *Tower) Texts(ctx context.Context, texts [][]int32) ([]float32, error) {
	c := &t.Config.Text
	s := &state{Tower: t, ctx: ctx, c: &c.Tower, model: Text, causal: true, projection: t.Config.ProjectionDim}
	w := c.HiddenSize
	table, err := t.Load("text_model.embeddings.token_embedding.weight")
	if err != nil {
		return nil, err
	}
	position, err := t.Load("text_model.embeddings.position_embedding.weight")
	if err != nil {
		return nil, err
	}
	s.start = make([]int, 1, len(texts)+1)
	last := make([]int, len(texts))
	for i, ids := range texts {
		if len(ids) == 0 || len(ids) > c.ContextLength {
			return nil, fmt.Errorf("text %d has %d tokens: want 1 to %d", i, len(ids), c.ContextLength)
		}
		s.start = append(s.start, s.start[i]+len(ids))
		last[i] = s.start[i+1] - 1
	}
	s.x, s.h = make([]float32, s.rows()*w), make([]float32, s.rows()*w)
	for i, ids := range texts {
		for j, id := range ids {
			row := s.x[(s.start[i]+j)*w : (s.start[i]+j+1)*w]
			copy(row, table[int(id)*w:(int(id)+1)*w])
			kernel.Add(row, position[j*w:(j+1)*w])
		}
	}
	return s.run(last)
}

func (s *state) resize(inputs, tokens, width int) {
	for i := range inputs + 1 {
		s.start = append(s.start, i*tokens)
	}
	s.x = make([]float32, inputs*tokens*width)
	s.h = make([]float32, inputs*tokens*width)
}

func (s *state) rows() int { return s.start[len(s.start)-1] }

// run runs the layers and returns the embeddings of the inputs, read at the given rows.
func (s *state) run(read []int) ([]float32, error) {
	w, rows := s.c.HiddenSize, s.rows()
	steps := Steps(s.Config, s.model)
	if s.model == Vision {
		steps = steps[1:]
	}
	for ; len(steps) > 1; steps = steps[4:] {
		if err := s.norm(steps[0].Norm, s.h, s.x); err != nil {
			return nil, err
		}
		q, k, v := make([]float32, rows*w), make([]float32, rows*w), make([]float32, rows*w)
		if err := s.linears(steps[0], s.h, rows, q, k, v); err != nil {
			return nil, err
		}
		s.attend(q, k, v)
		if len(steps) == 5 {
			// After the last layer's attention only these rows are read.
			s.keep(read)
			rows = len(read)
		}
		q, k, v = q[:rows*w], nil, nil
		if err := s.linears(steps[1], s.h, rows, q); err != nil {
			return nil, err
		}
		kernel.Add(s.x, q)
		if err := s.norm(steps[2].Norm, s.h, s.x); err != nil {
			return nil, err
		}
		hidden := make([]float32, rows*s.c.IntermediateSize)
		if err := s.linears(steps[2], s.h, rows, hidden); err != nil {
			return nil, err
		}
		work.Blocks(len(hidden), 1<<14, func(first, end int) {
			if s.c.Activation == "gelu" {
				kernel.GELU(hidden[first:end])
			} else {
				kernel.QuickGELU(hidden[first:end])
			}
		})
		if err := s.linears(steps[3], hidden, rows, q); err != nil {
			return nil, err
		}
		kernel.Add(s.x, q)
	}
	if err := s.norm(steps[0].Norm, s.h, s.x); err != nil {
		return nil, err
	}
	out := make([]float32, rows*s.projection)
	if err := s.linears(steps[0], s.h, rows, out); err != nil {
		return nil, err
	}
	for i := range rows {
		kernel.Normalize(out[i*s.projection : (i+1)*s.projection])
	}
	return out, nil
}

// keep keeps the given rows, in rising order, of the residual stream and of the output of attention.
func (s *state) keep(rows []int) {
	w := s.c.HiddenSize
	for i, r := range rows {
		copy(s.x[i*w:(i+1)*w], s.x[r*w:(r+1)*w])
		copy(s.h[i*w:(i+1)*w], s.h[r*w:(r+1)*w])
	}
	s.x, s.h = s.x[:len(rows)*w], s.h[:len(rows)*w]
}

// norm writes the LayerNorm of the rows of x to y.
func (s *state) norm(name string, y, x []float32) error {
	gamma, err := s.Load(name + ".weight")
	if err != nil {
		return err
	}
	beta, err := s.Load(name + ".bias")
	if err != nil {
		return err
	}
	w := s.c.HiddenSize
	work.Blocks(len(x)/w, linearRows, func(first, end int) {
		kernel.LayerNorm(y[first*w:end*w], x[first*w:end*w], gamma, beta, end-first, w, float32(s.c.LayerNormEps))
	})
	return nil
}

// linears writes the outputs of a step's layers, one slice for each.
func (s *state) linears(step Step, x []float32, rows int, outputs ...[]float32) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	layers, err := s.Visit(step, x, rows)
	if err != nil {
		return err
	}
	for i, l := range layers {
		l.Apply(outputs[i], x, rows)
	}
	if s.Step != nil {
		s.Step()
	}
	return nil
}

// attend writes softmax(Q·Kᵀ/√d)·V of each input to h.
func (s *state) attend(q, k, v []float32) {
	w := s.c.HiddenSize
	d := w / s.c.Heads
	scale := float32(1 / math.Sqrt(float64(d)))
	work.Do(len(s.start)-1, func(i int) {
		first, n := s.start[i]*w, s.start[i+1]-s.start[i]
		keys, scores := make([]float32, d*n), make([]float32, n*n)
		for at := first; at < first+w; at += d {
			kernel.Transpose(keys, n, k[at:], w, n, d)
			kernel.Gemm(scores, n, q[at:], w, keys, n, n, n, d)
			if s.causal {
				for r := range n {
					kernel.Softmax(scores[r*n:], r+1, 1, r+1, scale)
					clear(scores[r*n+r+1 : (r+1)*n])
				}
			} else {
				kernel.Softmax(scores, n, n, n, scale)
			}
			kernel.Gemm(s.h[at:], w, scores, n, v[at:], w, n, d, n)
		}
	})
}
