package host

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// TestGoldenTexts holds text embeddings out of the module to those of
// transformers' CLIPModel.
func TestGoldenTexts(t *testing.T) {
	for _, name := range []string{"tiny", "tiny-gelu"} {
		t.Run(name, func(t *testing.T) {
			dir := "../../core/clip/testdata/" + name + "/"
			b, err := os.ReadFile(dir + "goldens.safetensors")
			require.NoError(t, err)
			_, data, err := safetensors.Decode(b)
			require.NoError(t, err)
			texts := strings.Split(strings.TrimSuffix(string(data["texts"]), "\n"), "\n")
			want, err := safetensors.AppendFloat32(nil, safetensors.F32, data["text_embeds"])
			require.NoError(t, err)

			c := tinyConfig(t)
			c.Weights = File(dir + "weights.safetensors")
			h := open(t, c)
			dim := int(h.Info().ProjectionDim)
			require.Len(t, want, len(texts)*dim)
			for i, text := range texts {
				if text == "" {
					continue // the host embeds no empty text
				}
				got, err := h.EmbedText(t.Context(), text)
				require.NoError(t, err)
				assert.InDeltaSlice(t, want[i*dim:(i+1)*dim], got, 1e-4, text)
			}
		})
	}
}

// int8Weights returns the tiny model's file with int8 weights.
func int8Weights(t *testing.T) []byte {
	b, err := os.ReadFile(tinyWeights)
	require.NoError(t, err)
	h, data, err := safetensors.Decode(b)
	require.NoError(t, err)
	h.Metadata["scheme"] = "w8a7"
	var tensors []safetensors.TensorData
	for _, x := range h.Tensors {
		tensor := safetensors.TensorData{Name: x.Name, DType: x.DType, Shape: x.Shape, Data: data[x.Name]}
		if name, ok := strings.CutSuffix(x.Name, ".weight"); ok && len(x.Shape) == 2 && !strings.HasSuffix(name, "position_embedding") {
			values, err := safetensors.AppendFloat32(nil, x.DType, tensor.Data)
			require.NoError(t, err)
			scale := safetensors.TensorData{Name: name + ".scale", DType: safetensors.F32, Shape: x.Shape[:1]}
			tensor.DType, tensor.Data = safetensors.I8, nil
			for row := range slices.Chunk(values, x.Shape[1]) {
				most := max(slices.Max(row), -slices.Min(row))
				for _, v := range row {
					tensor.Data = append(tensor.Data, byte(int8(math.Round(float64(127*v/most)))))
				}
				scale.Data = binary.LittleEndian.AppendUint32(scale.Data, math.Float32bits(most/127))
			}
			tensors = append(tensors, scale)
		}
		tensors = append(tensors, tensor)
	}
	var out bytes.Buffer
	require.NoError(t, safetensors.Write(&out, h.Metadata, tensors))
	return out.Bytes()
}

// TestEqualsNative: the engine in the module and the engine compiled for this
// machine give the same embeddings, and the same answers to 1e-5.
func TestEqualsNative(t *testing.T) {
	float32s, err := os.ReadFile(tinyWeights)
	require.NoError(t, err)
	t.Run("float32", func(t *testing.T) { checkEqualsNative(t, float32s) })
	t.Run("int8", func(t *testing.T) { checkEqualsNative(t, int8Weights(t)) })
}

func checkEqualsNative(t *testing.T, weights []byte) {
	native := core.New()
	require.NoError(t, native.WeightsBegin(uint64(len(weights))))
	require.NoError(t, native.WeightsChunk(weights))
	require.NoError(t, native.WeightsEnd())
	var categories []explain.Category
	for _, c := range animals().Categories {
		categories = append(categories, explain.Category(c))
	}
	_, err := native.SetLabels(explain.Templates{}, categories, 0)
	require.NoError(t, err)

	config := tinyConfig(t)
	config.Weights = Bytes(weights)
	h := open(t, config)
	for _, method := range wire.Methods() {
		img := pattern(93, 71, int(method))
		got, err := h.Classify(t.Context(), img, NewLabels(animals()), wire.ClassifyOptions{Method: method})
		require.NoError(t, err)

		require.NoError(t, native.ImageBegin(93, 71))
		require.NoError(t, native.ImageRows(img.Pix))
		require.NoError(t, native.ClassifyBegin(core.Options{Method: explain.Method(method)}))
		for p, err := native.Step(); p.Phase != core.PhaseDone; p, err = native.Step() {
			require.NoError(t, err)
		}
		want, err := native.Answer()
		require.NoError(t, err)
		embedding, err := native.Embedding()
		require.NoError(t, err)

		assert.Equal(t, embedding, got.ImageEmbedding, "bit for bit")
		assert.InDelta(t, want.Uncovered, got.Uncovered, 1e-5)
		require.Len(t, got.Categories, len(want.Categories))
		for i, c := range want.Categories {
			assert.Equal(t, c.Category, got.Categories[i].Category)
			assert.InDelta(t, c.Probability, got.Categories[i].Probability, 1e-5)
			require.Len(t, got.Categories[i].Rationales, len(c.Rationales))
			for j, r := range c.Rationales {
				assert.InDelta(t, r.Joint, got.Categories[i].Rationales[j].Joint, 1e-5)
			}
		}
	}
}
