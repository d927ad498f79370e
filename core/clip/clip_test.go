package clip

import (
	"encoding/binary"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/kernel"
	"github.com/ecor-clip/ecor/core/safetensors"
)

// tolerance of the float32 path to transformers' CLIPModel.
const tolerance = 1e-4

// load feeds a weights file to a Loader in pieces of n bytes.
func load(b []byte, n int) (*Model, error) {
	l, err := NewLoader(uint64(len(b)))
	if err != nil {
		return nil, err
	}
	for len(b) > 0 {
		k := min(n, len(b))
		if err := l.Write(b[:k]); err != nil {
			return nil, err
		}
		b = b[k:]
	}
	return l.Close()
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return b
}

type goldens struct {
	h    *safetensors.Header
	data map[string][]byte
	t    testing.TB
}

func readGoldens(t testing.TB, name string) goldens {
	h, data, err := safetensors.Decode(readFile(t, name+"/goldens.safetensors"))
	require.NoError(t, err)
	return goldens{h, data, t}
}

func (g goldens) floats(name string) []float32 {
	x, err := safetensors.AppendFloat32(nil, safetensors.F32, g.data[name])
	require.NoError(g.t, err)
	require.NotEmpty(g.t, x, name)
	return x
}

func (g goldens) ints(name string) []int32 {
	b := g.data[name]
	require.NotEmpty(g.t, b, name)
	out := make([]int32, len(b)/4)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func (g goldens) shape(name string) []int {
	x, ok := g.h.Tensor(name)
	require.True(g.t, ok, name)
	return x.Shape
}

// texts returns the token ids of each golden text.
func (g goldens) texts() [][]int32 {
	ids, lengths := g.ints("input_ids"), g.ints("lengths")
	width := g.shape("input_ids")[1]
	out := make([][]int32, len(lengths))
	for i, n := range lengths {
		out[i] = ids[i*width : i*width+int(n)]
	}
	return out
}

func requireClose(t *testing.T, want, got []float32, format string, args ...any) {
	t.Helper()
	require.Len(t, got, len(want))
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(want[i])-float64(got[i])))
	}
	require.LessOrEqualf(t, worst, tolerance, format, args...)
}

func TestImageTowerMatchesTransformers(t *testing.T) {
	for _, name := range []string{"tiny", "tiny-gelu"} {
		t.Run(name, func(t *testing.T) {
			m, err := load(readFile(t, name+"/weights.safetensors"), 1000)
			require.NoError(t, err)
			g := readGoldens(t, name)
			photos, want := g.floats("pixel_values"), g.floats("image_embeds")
			size := 3 * m.ImageSize * m.ImageSize
			tokens := (m.Patches() + 1) * m.Vision.Width
			e := m.NewImageEncoder()
			for i := range len(photos) / size {
				require.NoError(t, e.Begin(photos[i*size:(i+1)*size]))
				for layer := 0; ; layer++ {
					if name == "tiny" && layer < m.Vision.Layers {
						hidden := g.floats("vision_hidden." + string(rune('0'+layer)))
						requireClose(t, hidden[i*tokens:(i+1)*tokens], e.x, "photo %d before layer %d", i, layer)
					}
					if e.Step() {
						break
					}
				}
				if name == "tiny" {
					last := g.floats("vision_hidden." + string(rune('0'+m.Vision.Layers)))
					requireClose(t, last[i*tokens:i*tokens+m.Vision.Width], e.x[:m.Vision.Width], "photo %d: class token", i)
				}
				d := m.ProjectionDim
				requireClose(t, want[i*d:(i+1)*d], e.Embedding(), "photo %d: embedding", i)
			}
		})
	}
}

// encode runs one batch of texts and returns copies of their embeddings.
func encode(t *testing.T, e *TextEncoder, texts ...[]int32) [][]float32 {
	t.Helper()
	e.Reset()
	for _, ids := range texts {
		ok, err := e.Add(ids)
		require.NoError(t, err)
		require.True(t, ok)
	}
	e.Begin()
	steps := 1
	for !e.Step() {
		steps++
	}
	require.Equal(t, e.Steps(), steps)
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = append([]float32(nil), e.Embedding(i)...)
	}
	return out
}

func TestTextTowerMatchesTransformers(t *testing.T) {
	for _, name := range []string{"tiny", "tiny-gelu"} {
		t.Run(name, func(t *testing.T) {
			m, err := load(readFile(t, name+"/weights.safetensors"), 4096)
			require.NoError(t, err)
			g := readGoldens(t, name)
			texts := g.texts()
			want := g.floats("text_embeds")
			e := m.NewTextEncoder()
			for i, v := range encode(t, e, texts...) {
				d := m.ProjectionDim
				requireClose(t, want[i*d:(i+1)*d], v, "text %d", i)
			}
			lines := strings.Split(strings.TrimSuffix(string(g.data["texts"]), "\n"), "\n")
			require.Len(t, lines, len(texts))
			for i, s := range lines {
				ids, _, err := m.Tokenizer.Encode(nil, s, m.ContextLength)
				require.NoError(t, err)
				require.Equalf(t, texts[i], ids, "%q", s)
			}
		})
	}
}

func TestLogitsMatchTransformers(t *testing.T) {
	for _, name := range []string{"tiny", "tiny-gelu"} {
		m, err := load(readFile(t, name+"/weights.safetensors"), 1<<20)
		require.NoError(t, err)
		g := readGoldens(t, name)
		texts := encode(t, m.NewTextEncoder(), g.texts()...)
		want := g.floats("logits_per_image")
		photos := g.floats("image_embeds")
		d := m.ProjectionDim
		for i := range len(photos) / d {
			for j, v := range texts {
				got := m.LogitScale * kernel.Dot(photos[i*d:(i+1)*d], v)
				require.InDelta(t, want[i*len(texts)+j], got, tolerance, "%s photo %d text %d", name, i, j)
			}
		}
	}
}

// A text's embedding must not depend on what else is in its batch, so that the
// same label gives the same bits in every label set.
func TestTextsInOneBatchGiveTheBitsOfTextsAlone(t *testing.T) {
	for name, m := range map[string]*Model{"float32": tinyModel(t), "w8a7": quantized(t)} {
		texts := readGoldens(t, "tiny").texts()
		texts = append(texts, texts[0], texts[1][:3], texts[1])
		e := m.NewTextEncoder()
		together := encode(t, e, texts...)
		for i, ids := range texts {
			require.Equalf(t, encode(t, e, ids)[0], together[i], "%s text %d", name, i)
		}
	}
}

func TestSharedPrefixesAreComputedOnce(t *testing.T) {
	e := tinyModel(t).NewTextEncoder()
	for _, ids := range [][]int32{{5, 6, 7, 8}, {5, 6, 9}, {5, 6, 7, 8}, {6}} {
		ok, err := e.Add(ids)
		require.NoError(t, err)
		require.True(t, ok)
	}
	require.Equal(t, []int32{5, 6, 7, 8, 9, 6}, e.token)
	require.Equal(t, []int32{-1, 0, 1, 2, 1, -1}, e.parent)
	require.Equal(t, []int32{0, 1, 2, 3, 2, 0}, e.depth)
	require.Equal(t, []int32{3, 4, 3, 5}, e.ends)
}

func TestFullBatchRefusesAText(t *testing.T) {
	m := tinyModel(t)
	e := m.NewTextEncoder()
	n := 0
	for i := int32(0); ; i++ {
		ok, err := e.Add([]int32{i % 600, (i / 600) % 600, i % 7, 3, 4})
		require.NoError(t, err)
		if !ok {
			break
		}
		n++
	}
	require.LessOrEqual(t, len(e.token), MaxTextRows)
	require.Equal(t, n, e.Len())
	_, err := e.Add(make([]int32, m.ContextLength+1))
	require.ErrorContains(t, err, "want 1..")
	_, err = e.Add([]int32{int32(m.VocabSize)})
	require.ErrorContains(t, err, "outside the vocabulary")
}

func tinyModel(t testing.TB) *Model {
	m, err := load(readFile(t, "tiny/weights.safetensors"), 1<<20)
	require.NoError(t, err)
	return m
}

// quantized returns the tiny model with int8 weights, rounded to the nearest.
func quantized(t testing.TB) *Model {
	h, data, err := safetensors.Decode(readFile(t, "tiny/weights.safetensors"))
	require.NoError(t, err)
	m, err := load(encodeFile(t, h, toInt8(t, h, data)), 997)
	require.NoError(t, err)
	return m
}

// toInt8 replaces the matrices of a float32 file by int8 ones with scales.
func toInt8(t testing.TB, h *safetensors.Header, data map[string][]byte) []safetensors.TensorData {
	h.Metadata["scheme"] = "w8a7"
	var out []safetensors.TensorData
	for _, x := range h.Tensors {
		table := x.Name == "text_model.embeddings.token_embedding.weight"
		matrix := len(x.Shape) == 2 && !strings.Contains(x.Name, "position_embedding")
		if !matrix {
			out = append(out, safetensors.TensorData{Name: x.Name, DType: x.DType, Shape: x.Shape, Data: data[x.Name]})
			continue
		}
		require.True(t, table || !strings.Contains(x.Name, "embeddings") || strings.Contains(x.Name, "patch"))
		w, err := safetensors.AppendFloat32(nil, x.DType, data[x.Name])
		require.NoError(t, err)
		rows, cols := x.Shape[0], x.Shape[1]
		q := make([]byte, rows*cols)
		scale := make([]byte, 4*rows)
		for i := range rows {
			row := w[i*cols : (i+1)*cols]
			var most float32
			for _, v := range row {
				most = max(most, v, -v)
			}
			s := most / 127
			for j, v := range row {
				q[i*cols+j] = byte(int8(math.RoundToEven(float64(v / s))))
			}
			binary.LittleEndian.PutUint32(scale[4*i:], math.Float32bits(s))
		}
		base := strings.TrimSuffix(x.Name, ".weight")
		out = append(out,
			safetensors.TensorData{Name: x.Name, DType: safetensors.I8, Shape: x.Shape, Data: q},
			safetensors.TensorData{Name: base + ".scale", DType: safetensors.F32, Shape: []int{rows}, Data: scale})
	}
	return out
}

func encodeFile(t testing.TB, h *safetensors.Header, tensors []safetensors.TensorData) []byte {
	var b strings.Builder
	require.NoError(t, safetensors.Write(&b, h.Metadata, tensors))
	return []byte(b.String())
}

func TestInt8StaysCloseToFloat32(t *testing.T) {
	float, int8 := tinyModel(t), quantized(t)
	require.Equal(t, float.Parameters, int8.Parameters)
	g := readGoldens(t, "tiny")
	texts := g.texts()
	a, b := encode(t, float.NewTextEncoder(), texts...), encode(t, int8.NewTextEncoder(), texts...)
	mean := 0.0
	for i := range a {
		mean += float64(kernel.Dot(a[i], b[i])) / float64(len(a))
	}
	require.Greater(t, mean, 0.995, "texts")
	photos := g.floats("pixel_values")
	size := 3 * float.ImageSize * float.ImageSize
	embed := func(m *Model, i int) []float32 {
		e := m.NewImageEncoder()
		require.NoError(t, e.Begin(photos[i*size:(i+1)*size]))
		for !e.Step() {
		}
		return e.Embedding()
	}
	for i := range len(photos) / size {
		require.Greater(t, kernel.Dot(embed(float, i), embed(int8, i)), float32(0.99), "photo %d", i)
	}
}

func TestParseNumber(t *testing.T) {
	for _, s := range []string{"0", "7", "-12", "0.48145466", "1e-05", "1E-5", "1e+2", ".5", "5.", "0.0000001", "123456789012345", "1e22", "-0.26862954"} {
		want, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		got, ok := parseNumber(s)
		require.True(t, ok, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"", ".", "-", "e5", "1e", "1e+", "1e100", "1.2.3", "0x10", "NaN", "Inf", " 1", "1 ", "1234567890123456", "1e-23", "--1"} {
		_, ok := parseNumber(s)
		require.False(t, ok, s)
	}
}

func TestLoaderRejects(t *testing.T) {
	type file struct {
		h       *safetensors.Header
		data    map[string][]byte
		tensors []safetensors.TensorData
	}
	find := func(f *file, name string) *safetensors.TensorData {
		for i := range f.tensors {
			if f.tensors[i].Name == name {
				return &f.tensors[i]
			}
		}
		t.Fatal("no tensor " + name)
		return nil
	}
	const fc1 = "vision_model.encoder.layers.0.mlp.fc1.weight"
	for name, test := range map[string]struct {
		change func(f *file)
		want   string
	}{
		"another format":  {func(f *file) { f.h.Metadata["format"] = "pt" }, `format "pt", want "ecor-weights-1"`},
		"no metadata":     {func(f *file) { f.h.Metadata = nil }, `metadata has no "format"`},
		"unknown scheme":  {func(f *file) { f.h.Metadata["scheme"] = "w2" }, `unknown scheme "w2"`},
		"not a number":    {func(f *file) { f.h.Metadata["vision.layers"] = "two" }, `vision.layers = "two" is not a whole number`},
		"too many layers": {func(f *file) { f.h.Metadata["vision.layers"] = "9999" }, `vision.layers = 9999 is outside 1..64`},
		"huge width":      {func(f *file) { f.h.Metadata["text.hidden_size"] = "99999999" }, `is outside 1..4096`},
		"heads":           {func(f *file) { f.h.Metadata["text.heads"] = "3" }, `is not a multiple of text.heads 3`},
		"activation":      {func(f *file) { f.h.Metadata["text.activation"] = "relu" }, `text.activation = "relu"`},
		"nan mean":        {func(f *file) { f.h.Metadata["image.mean"] = "0 NaN 0" }, `"NaN" is not a number`},
		"template":        {func(f *file) { f.h.Metadata["template.conditional"] = "a {c}" }, `has no {r}`},
		"one more layer":  {func(f *file) { f.h.Metadata["vision.layers"] = "3" }, `vision_model.encoder.layers.2.`},
		"unexpected tensor": {func(f *file) {
			find(f, fc1).Name = "vision_model.head.attention.in_proj_weight"
		}, `unexpected tensor "vision_model.head.attention.in_proj_`},
		"wrong shape": {func(f *file) {
			x := find(f, fc1)
			x.Shape = []int{x.Shape[1], x.Shape[0]}
		}, fc1 + " has shape [32, 64], want [64, 32]"},
		"wrong type": {func(f *file) { find(f, "logit_scale").DType = safetensors.I32 }, `logit_scale has type I32`},
		"missing tensor": {func(f *file) {
			for i := range f.tensors {
				if f.tensors[i].Name == fc1 {
					f.tensors = append(f.tensors[:i], f.tensors[i+1:]...)
					return
				}
			}
		}, fc1 + " is missing"},
		"tokenizer": {func(f *file) {
			x := find(f, "tokenizer.vocab")
			x.Data = append(append([]byte(nil), x.Data...), "extra</w>\n"...)
			x.Shape = []int{len(x.Data)}
		}, `tokens, text.vocab_size is`},
		"logit scale": {func(f *file) {
			find(f, "logit_scale").Data = []byte{0, 0, 0x80, 0x7f}
		}, `logit_scale`},
	} {
		t.Run(name, func(t *testing.T) {
			h, data, err := safetensors.Decode(readFile(t, "tiny/weights.safetensors"))
			require.NoError(t, err)
			f := &file{h: h, data: data}
			for _, x := range h.Tensors {
				f.tensors = append(f.tensors, safetensors.TensorData{Name: x.Name, DType: x.DType, Shape: x.Shape, Data: data[x.Name]})
			}
			test.change(f)
			_, err = load(encodeFile(t, f.h, f.tensors), 1<<16)
			require.ErrorContains(t, err, test.want)
		})
	}
	b := readFile(t, "tiny/weights.safetensors")
	_, err := load(b[:len(b)/2], 1<<16)
	require.Error(t, err)
}
