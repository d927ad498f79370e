// Package quant turns a checkpoint's tensors into those of a weights file.
package quant

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ecor-clip/ecor/core/clip"
	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
)

// Scheme says how linear layers and token embeddings are stored and computed; package clip describes each.
type Scheme string

// Schemes.
const (
	Float32 Scheme = clip.Float32
	W8      Scheme = clip.W8
	W8A7    Scheme = clip.W8A7
	W4A7    Scheme = clip.W4A7
)

// ParseScheme returns the scheme with the given name.
func ParseScheme(name string) (Scheme, error) {
	switch s := Scheme(name); s {
	case Float32, W8, W8A7, W4A7:
		return s, nil
	}
	return "", fmt.Errorf("unknown scheme %q: want w8a7, w8, w4a7 or float32", name)
}

// Activations reports whether the inputs of linear layers are quantized.
func (s Scheme) Activations() bool { return s == W8A7 || s == W4A7 }

// Format says how tensors are stored.
type Format struct {
	Scheme Scheme
	Group  int  // inputs that share a multiplier, with W4A7
	Embed4 bool // token embedding in four bits, with W4A7
}

// How a tensor is stored.
type storage uint8

const (
	float32s storage = iota
	int8s            // with a scale for each row
	int4s            // with a multiplier for each group and a scale for each row
)

func (s storage) String() string {
	return [...]string{float32s: "float32", int8s: "int8 per row", int4s: "4-bit groups"}[s]
}

func (f Format) storage(k checkpoint.Kind) storage {
	switch {
	case k == checkpoint.Other || f.Scheme == Float32:
		return float32s
	case f.Scheme == W4A7 && (k == checkpoint.Linear || f.Embed4):
		return int4s
	}
	return int8s
}

// Matrix returns the shape in which a tensor is stored: the patch embedding is a linear layer over a patch's values.
func Matrix(shape []int) []int {
	if len(shape) <= 2 {
		return shape
	}
	in := 1
	for _, n := range shape[1:] {
		in *= n
	}
	return []int{shape[0], in}
}

// Layout lists the tensors that a tensor of the checkpoint is stored as, without their places.
func (f Format) Layout(t checkpoint.Tensor) []safetensors.Tensor {
	shape := Matrix(t.Shape)
	base := strings.TrimSuffix(t.Name, "weight")
	switch f.storage(t.Kind) {
	case int8s:
		return []safetensors.Tensor{
			{Name: t.Name, DType: safetensors.I8, Shape: shape},
			{Name: base + "scale", DType: safetensors.F32, Shape: shape[:1]},
		}
	case int4s:
		return []safetensors.Tensor{
			{Name: t.Name, DType: safetensors.U8, Shape: []int{shape[0], (shape[1] + 1) / 2}},
			{Name: base + "group", DType: safetensors.I8, Shape: []int{shape[0], (shape[1] + f.Group - 1) / f.Group}},
			{Name: base + "scale", DType: safetensors.F32, Shape: shape[:1]},
		}
	}
	return []safetensors.Tensor{{Name: t.Name, DType: safetensors.F32, Shape: shape}}
}

// Stored describes a tensor of the checkpoint as it was written.
type Stored struct {
	Name   string
	Shape  []int
	Scheme string  // "float32", "int8 per row" or "4-bit groups"
	Bytes  int     // scales and multipliers included
	SQNR   float64 // of the values, decibels; +Inf where nothing was lost
	Output float64 // of a linear layer's outputs on calibration inputs, decibels; 0 where there were none
}

// Encoded is an encoded tensor.
type Encoded struct {
	Stored
	Data   [][]byte  // of the tensors that Layout lists
	Values []float32 // what the engine computes with
}

// Encode encodes the values of a tensor. With 4-bit weights the error that fit describes is made small; nil stands for
// inputs of which nothing is known.
func (f Format) Encode(t checkpoint.Tensor, values []float32, fit *Factor) *Encoded {
	shape := Matrix(t.Shape)
	kind := f.storage(t.Kind)
	e := &Encoded{Stored: Stored{Name: t.Name, Shape: shape, Scheme: kind.String()}}
	switch kind {
	case float32s:
		e.Values = values
		e.Data = [][]byte{Float32Bytes(values)}
	case int8s:
		q := Rows(values, shape[0], shape[1])
		e.Values = q.Dequantize()
		e.Data = [][]byte{int8Bytes(q.Q), Float32Bytes(q.Scale)}
	case int4s:
		if fit == nil {
			fit = PlainFactor(nil, shape[1], f.Group)
		}
		q := Groups(values, shape[0], shape[1], f.Group, fit)
		e.Values = q.Products().Dequantize()
		e.Data = [][]byte{q.packed(), int8Bytes(q.Multiplier), Float32Bytes(q.Scale)}
	}
	for _, d := range e.Data {
		e.Bytes += len(d)
	}
	e.SQNR = SQNR(values, e.Values)
	return e
}

// Sort orders tensors by the size of their elements, the largest first, so that all stay aligned, and by name.
func Sort(tensors []safetensors.Tensor) {
	slices.SortFunc(tensors, func(a, b safetensors.Tensor) int {
		if d := b.DType.Size() - a.DType.Size(); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// Float32Bytes returns the values as a file holds them.
func Float32Bytes(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func int8Bytes(q []int8) []byte {
	b := make([]byte, len(q))
	for i, v := range q {
		b[i] = byte(v)
	}
	return b
}

// packed returns the codes two a byte, the first of a pair in the low half; rows begin with a byte of their own.
func (m *Int4) packed() []byte {
	pairs := (m.Cols + 1) / 2
	b := make([]byte, m.Rows*pairs)
	for i, q := range m.Code {
		row, col := i/m.Cols, i%m.Cols
		b[row*pairs+col/2] |= byte(q&15) << (col % 2 * 4)
	}
	return b
}
