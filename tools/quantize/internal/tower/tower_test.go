package tower

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/clip"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
)

func open(t *testing.T, name string) (*checkpoint.Checkpoint, Loader) {
	c, err := checkpoint.Open(checkpointtest.Golden(t, name))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c, func(name string) ([]float32, error) {
		w, err := c.Load(name)
		if err != nil {
			return nil, err
		}
		return checkpoint.Values(w), nil
	}
}

// engine returns core/clip's model of the same checkpoint.
func engine(t *testing.T, name string) *clip.Model {
	b, err := os.ReadFile(filepath.Join(checkpointtest.Golden(t, name), "weights.safetensors"))
	require.NoError(t, err)
	l, err := clip.NewLoader(uint64(len(b)))
	require.NoError(t, err)
	require.NoError(t, l.Write(b))
	m, err := l.Close()
	require.NoError(t, err)
	return m
}

func photos(n, size int) [][]float32 {
	out := make([][]float32, n)
	for i := range out {
		out[i] = make([]float32, 3*size*size)
		for j := range out[i] {
			out[i][j] = float32(math.Sin(float64(j)*0.37 + float64(i*i)))
		}
	}
	return out
}

// The towers give what the engine gives, which is tested against transformers.
func TestTowersAreTheEngines(t *testing.T) {
	for _, name := range []string{"tiny", "tiny-gelu"} {
		c, load := open(t, name)
		m := engine(t, name)
		d := m.ProjectionDim
		var steps int
		run := &Tower{Config: &c.Config, Load: load, Visit: Exact(load), Step: func() { steps++ }}

		planes := photos(3, m.ImageSize)
		images, err := run.Images(t.Context(), planes)
		require.NoError(t, err)
		require.Len(t, images, 3*d)
		assert.Equal(t, len(Steps(&c.Config, Vision)), steps)
		e := m.NewImageEncoder()
		for i, p := range planes {
			require.NoError(t, e.Begin(p))
			for done := false; !done; done = e.Step() {
			}
			assert.InDeltaSlice(t, e.Embedding(), images[i*d:(i+1)*d], 1e-5, "%s photo %d", name, i)
		}

		steps = 0
		var texts [][]int32
		for _, s := range []string{"a photo of a zebra", "", "whiskers and soft fur, and a good deal more than fits into this context"} {
			ids, _, err := m.Tokenizer.Encode(nil, s, m.ContextLength)
			require.NoError(t, err)
			texts = append(texts, ids)
		}
		got, err := run.Texts(t.Context(), texts)
		require.NoError(t, err)
		assert.Equal(t, len(Steps(&c.Config, Text)), steps)
		f := m.NewTextEncoder()
		for i, ids := range texts {
			f.Reset()
			_, err := f.Add(ids)
			require.NoError(t, err)
			f.Begin()
			for done := false; !done; done = f.Step() {
			}
			assert.InDeltaSlice(t, f.Embedding(0), got[i*d:(i+1)*d], 1e-5, "%s text %d", name, i)
		}
	}
}

// Every linear layer of the checkpoint is a step's, once.
func TestStepsHaveEveryLinearLayer(t *testing.T) {
	c, _ := open(t, "tiny")
	want := map[string]bool{}
	for _, x := range c.Tensors() {
		if x.Kind == checkpoint.Linear {
			want[x.Name] = true
		}
	}
	for _, s := range append(Steps(&c.Config, Vision), Steps(&c.Config, Text)...) {
		for _, l := range s.Linears {
			require.True(t, want[l+".weight"], l)
			delete(want, l+".weight")
		}
	}
	assert.Empty(t, want)
}

func TestCancel(t *testing.T) {
	c, load := open(t, "tiny")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&Tower{Config: &c.Config, Load: load, Visit: Exact(load)}).Images(ctx, photos(1, c.Vision.ImageSize))
	require.ErrorIs(t, err, context.Canceled)
}

func TestTextTooLong(t *testing.T) {
	c, load := open(t, "tiny")
	_, err := (&Tower{Config: &c.Config, Load: load, Visit: Exact(load)}).Texts(t.Context(), [][]int32{make([]int32, c.Text.ContextLength+1)})
	require.ErrorContains(t, err, "text 0 has 21 tokens: want 1 to 20")
}

// Rounded keeps every value to half a step of its row.
func TestRounded(t *testing.T) {
	x := []float32{0, 1, 2, 127, -5, -5, -5, -5, -1, 0.5, 1, 0.25}
	got := Rounded(x, 3, 4)
	assert.Equal(t, []float32{0, 1, 2, 127, -5, -5, -5, -5}, got[:8])
	assert.InDeltaSlice(t, x[8:], got[8:], 1.0/127)
}
