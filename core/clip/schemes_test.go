package clip

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
)

// tinyInt8 returns the tiny model's tensors with int8 weights.
func tinyInt8(t testing.TB) (*safetensors.Header, []safetensors.TensorData) {
	h, data, err := safetensors.Decode(readFile(t, "tiny/weights.safetensors"))
	require.NoError(t, err)
	return h, toInt8(t, h, data)
}

// With w8 the weights are the products of scales and integers, as float32.
func TestW8IsFloat32OfItsProducts(t *testing.T) {
	h, tensors := tinyInt8(t)
	h.Metadata["scheme"] = W8
	got, err := load(encodeFile(t, h, tensors), 997)
	require.NoError(t, err)

	scales := map[string][]float32{}
	for _, x := range tensors {
		if name, ok := strings.CutSuffix(x.Name, ".scale"); ok {
			v, err := safetensors.AppendFloat32(nil, x.DType, x.Data)
			require.NoError(t, err)
			scales[name] = v
		}
	}
	for _, x := range []struct {
		name  string
		w     *linear
		first int
	}{
		{"visual_projection", &got.imageProjection, 0},
		{"vision_model.encoder.layers.1.self_attn.k_proj", &got.visionLayers[1].qkv, 32},
		{"text_model.encoder.layers.0.mlp.fc2", &got.textLayers[0].fc2, 0},
	} {
		require.Nil(t, x.w.scale)
		for _, tensor := range tensors {
			if tensor.Name != x.name+".weight" {
				continue
			}
			rows, cols := tensor.Shape[0], tensor.Shape[1]
			for i := range rows {
				for j := range cols {
					want := float32(scales[x.name][i] * float32(int8(tensor.Data[i*cols+j])))
					require.Equal(t, want, x.w.f32[j*x.w.out+x.first+i], "%s %d %d", x.name, i, j)
				}
			}
		}
	}
	require.Equal(t, quantized(t).token, got.token)
}

// packFile writes 4-bit codes with multipliers in place of int8 matrices, and
// the products in place of the int8 values: two files of the same weights.
func packFile(t testing.TB, group string, embeddings bool) (w4, w8 []byte) {
	rng := rand.New(rand.NewPCG(1, 2))
	size := map[string]int{"5": 5, "16": 16}[group]
	h, tensors := tinyInt8(t)
	var packed []safetensors.TensorData
	for i := range tensors {
		x := &tensors[i]
		if x.DType != safetensors.I8 || !embeddings && strings.Contains(x.Name, "token_embedding") {
			packed = append(packed, *x)
			continue
		}
		rows, cols := x.Shape[0], x.Shape[1]
		pairs, groups := (cols+1)/2, (cols+size-1)/size
		codes, multipliers := make([]byte, rows*pairs), make([]byte, rows*groups)
		for r := range rows {
			for c := range cols {
				at := r*groups + c/size
				if c%size == 0 {
					multipliers[at] = byte(int8(rng.IntN(31) - 15))
				}
				q := rng.IntN(16) - 8
				codes[r*pairs+c/2] |= byte(q&15) << (c % 2 * 4)
				x.Data[r*cols+c] = byte(int8(multipliers[at]) * int8(q))
			}
		}
		packed = append(packed,
			safetensors.TensorData{Name: x.Name, DType: safetensors.U8, Shape: []int{rows, pairs}, Data: codes},
			safetensors.TensorData{Name: strings.TrimSuffix(x.Name, "weight") + "group", DType: safetensors.I8, Shape: []int{rows, groups}, Data: multipliers})
	}
	w8 = encodeFile(t, h, tensors)
	h.Metadata["scheme"], h.Metadata["group_size"], h.Metadata["embedding_bits"] = W4A7, group, "8"
	if embeddings {
		h.Metadata["embedding_bits"] = "4"
	}
	return encodeFile(t, h, packed), w8
}

// A 4-bit file is loaded into the integers that an int8 file of the products
// has, whatever the pieces it comes in.
func TestW4LoadsIntoTheSameIntegers(t *testing.T) {
	for _, c := range []struct {
		group      string
		embeddings bool
		piece      int
	}{{"16", false, 1 << 20}, {"16", true, 7}, {"5", true, 1001}} {
		w4, w8 := packFile(t, c.group, c.embeddings)
		require.Less(t, len(w4), len(w8))
		got, err := load(w4, c.piece)
		require.NoError(t, err)
		want, err := load(w8, 1<<20)
		require.NoError(t, err)
		require.Equal(t, W4A7, got.Scheme)
		got.Config = want.Config
		require.Equal(t, want, got)
	}
}

func TestW4Rejects(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *safetensors.Header, x *safetensors.TensorData)
		want   string
	}{
		"product": {func(_ *safetensors.Header, x *safetensors.TensorData) {
			if x.Name == "visual_projection.group" {
				for i := range x.Data {
					x.Data[i] = 100
				}
			}
		}, "visual_projection: row 0 has code "},
		"group size": {func(h *safetensors.Header, _ *safetensors.TensorData) { h.Metadata["group_size"] = "0" }, "group_size = 0 is outside 1..1024"},
		"other group size": {func(h *safetensors.Header, _ *safetensors.TensorData) { h.Metadata["group_size"] = "8" },
			".group has shape [64, 2], want [64, 4]"},
		"embedding bits": {func(h *safetensors.Header, _ *safetensors.TensorData) { h.Metadata["embedding_bits"] = "5" }, "embedding_bits 5: want 4 or 8"},
		"int8 embedding": {func(h *safetensors.Header, _ *safetensors.TensorData) { h.Metadata["embedding_bits"] = "4" },
			"text_model.embeddings.token_embedding.weight has type I8, scheme w4a7 has U8 there"},
	} {
		w4, _ := packFile(t, "16", false)
		h, data, err := safetensors.Decode(w4)
		require.NoError(t, err)
		var tensors []safetensors.TensorData
		for _, x := range h.Tensors {
			tensor := safetensors.TensorData{Name: x.Name, DType: x.DType, Shape: x.Shape, Data: data[x.Name]}
			c.change(h, &tensor)
			tensors = append(tensors, tensor)
		}
		_, err = load(encodeFile(t, h, tensors), 1<<20)
		require.ErrorContains(t, err, c.want, name)
	}
}

// The limit is on what the weights take in memory, not in the file.
func TestW8CountsTheMemoryOfFloats(t *testing.T) {
	h, tensors := tinyInt8(t)
	h.Metadata["scheme"] = W8
	b := encodeFile(t, h, tensors)
	l, err := NewLoader(uint64(len(b)))
	require.NoError(t, err)
	require.NoError(t, l.Write(b))
	require.Equal(t, uint64(4), l.slots["visual_projection.weight"].grows)
	require.Equal(t, uint64(1), l.slots["text_model.embeddings.token_embedding.weight"].grows)
}
