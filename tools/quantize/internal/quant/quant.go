// Package quant turns a checkpoint's tensors into those of a weights file.
package quant

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
)

// Scheme says how linear layers and token embeddings are stored.
type Scheme string

// Schemes. W8A7 has int8 weights, symmetric per output channel (embeddings: per token), for activations that are
// quantized to seven bits when they are used.
const (
	Float32 Scheme = "float32"
	W8A7    Scheme = "w8a7"
)

// ParseScheme returns the scheme with the given name.
func ParseScheme(name string) (Scheme, error) {
	switch s := Scheme(name); s {
	case Float32, W8A7:
		return s, nil
	}
	return "", fmt.Errorf("unknown scheme %q: want w8a7 or float32", name)
}

// Stored describes a tensor of the checkpoint as it was written.
type Stored struct {
	Name   string
	Shape  []int
	Scheme string  // "int8 per row" or "float32"
	Bytes  int     // scales included
	SQNR   float64 // decibels; +Inf where nothing was lost
}

// Encoder writes a model's tensors in a scheme.
type Encoder struct {
	Scheme  Scheme
	Factors Factors // SmoothQuant; nil for none
	Load    Loader
}

// Encode encodes the tensors and describes them in their order. step is called after each.
func (e *Encoder) Encode(ctx context.Context, tensors []checkpoint.Tensor, step func()) ([]safetensors.TensorData, []Stored, error) {
	var data []safetensors.TensorData
	var stored []Stored
	for _, t := range tensors {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		d, s, err := e.encode(t)
		if err != nil {
			return nil, nil, err
		}
		data = append(data, d...)
		stored = append(stored, s)
		step()
	}
	return data, stored, nil
}

func (e *Encoder) encode(t checkpoint.Tensor) ([]safetensors.TensorData, Stored, error) {
	w, err := e.Load(t.Name)
	if err != nil {
		return nil, Stored{}, err
	}
	shape := t.Shape
	if len(shape) > 2 { // the patch embedding is a linear layer over a patch's values
		shape = []int{shape[0], w.Size() / shape[0]}
		if err := w.Reshape(shape...); err != nil {
			return nil, Stored{}, fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	e.Factors.Apply(t.Name, w)
	if e.Scheme == Float32 || t.Kind == checkpoint.Other {
		data := float32Data(t.Name, shape, checkpoint.Values(w))
		return []safetensors.TensorData{data}, Stored{t.Name, shape, "float32", len(data.Data), math.Inf(1)}, nil
	}
	q, err := Rows(w)
	if err != nil {
		return nil, Stored{}, fmt.Errorf("%s: %w", t.Name, err)
	}
	weight := safetensors.TensorData{Name: t.Name, DType: safetensors.I8, Shape: shape, Data: int8Bytes(q.Q)}
	scale := float32Data(strings.TrimSuffix(t.Name, "weight")+"scale", []int{q.Rows}, q.Scale)
	return []safetensors.TensorData{weight, scale},
		Stored{t.Name, shape, "int8 per row", len(weight.Data) + len(scale.Data), SQNR(w, q.Dequantize())}, nil
}

// Sort orders tensors by the size of their elements, the largest first, so that all stay aligned, and by name.
func Sort(tensors []safetensors.TensorData) {
	slices.SortFunc(tensors, func(a, b safetensors.TensorData) int {
		if d := b.DType.Size() - a.DType.Size(); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
}

func float32Data(name string, shape []int, values []float32) safetensors.TensorData {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return safetensors.TensorData{Name: name, DType: safetensors.F32, Shape: shape, Data: b}
}

func int8Bytes(q []int8) []byte {
	b := make([]byte, len(q))
	for i, v := range q {
		b[i] = byte(v)
	}
	return b
}
