package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
	"github.com/ecor-clip/ecor/wasm/host"
	"github.com/ecor-clip/ecor/wasm/wasmtest"
)

// variant is an architecture of testdata/matrix/variants.json.
type variant struct {
	Name       string
	Layout     string // hugging-face or open_clip
	DType      string
	Shards     int    // 0 and 1: one file
	TextPrefix string `json:"text_prefix"`
	Tokenizer  string // the file that holds it
	Mean, Std  []float64
	Config     json.RawMessage
}

// matrixTexts are the texts of testdata/matrix/make_goldens.py.
var matrixTexts = []string{
	"a photo of a zebra",
	"This is a photo of a cat because there is whiskers",
	"Größe 12 °C, naïve!",
	"?",
	strings.Repeat("black and white stripes ", 20),
}

// TestMatrix quantizes a random checkpoint of every architecture, in every layout and element type, to float32 and compares
// what the module makes of a photo and of texts with transformers.
func TestMatrix(t *testing.T) {
	const dir, tolerance = "testdata/matrix", 1e-4
	b, err := os.ReadFile(filepath.Join(dir, "variants.json"))
	require.NoError(t, err)
	var variants []variant
	require.NoError(t, json.Unmarshal(b, &variants))
	goldens := map[string][]float32{}
	for _, x := range checkpointtest.ReadTensors(t, filepath.Join(dir, "goldens.safetensors")) {
		goldens[x.Name], err = safetensors.AppendFloat32(nil, x.DType, x.Data)
		require.NoError(t, err)
	}
	require.Len(t, goldens, 2*len(variants))
	module, cache := wasmtest.Module(t), t.TempDir()
	for _, v := range variants {
		t.Run(v.Name, func(t *testing.T) {
			in, out := filepath.Join(t.TempDir(), v.Name), t.TempDir()
			side := v.write(t, in)
			var stdout, stderr bytes.Buffer
			require.Equal(t, exitOK, run(t.Context(), []string{"-in", in, "-scheme", "float32", "-out", out}, &stdout, &stderr), stderr.String())
			h, err := host.Open(t.Context(), host.Config{
				Module: host.Bytes(module), Weights: host.File(filepath.Join(out, v.Name+".safetensors")), CacheDir: cache,
			})
			require.NoError(t, err)
			defer h.Close(t.Context())
			e, err := h.EmbedImage(t.Context(), v.photo(side))
			require.NoError(t, err)
			photo := difference(t, goldens[v.Name+".image"], e)
			require.LessOrEqual(t, photo, tolerance, "photo")
			want := goldens[v.Name+".text"]
			require.Len(t, want, len(matrixTexts)*len(e))
			worst := 0.0
			for i, text := range matrixTexts {
				got, err := h.EmbedText(t.Context(), text)
				require.NoError(t, err)
				d := difference(t, want[i*len(e):(i+1)*len(e)], got)
				require.LessOrEqual(t, d, tolerance, text)
				worst = max(worst, d)
			}
			t.Logf("largest difference: photo %.1e, texts %.1e", photo, worst)
		})
	}
}

// difference returns the largest between two vectors' elements.
func difference(t *testing.T, want, got []float32) (worst float64) {
	require.Len(t, got, len(want))
	for i := range want {
		worst = max(worst, math.Abs(float64(want[i])-float64(got[i])))
	}
	return worst
}

// write makes the checkpoint's directory and returns the side of its photos in pixels.
func (v *variant) write(t *testing.T, dir string) (side int) {
	require.NoError(t, os.Mkdir(dir, 0o755))
	name, weights := "config.json", "model.safetensors"
	if v.Layout == "open_clip" {
		name, weights = "open_clip_config.json", "open_clip_model.safetensors"
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), v.Config, 0o644))
	c, err := checkpoint.ReadConfig(name, v.Config)
	require.NoError(t, err)
	side = c.Vision.ImageSize
	if v.Layout != "open_clip" {
		// The form of early files: plain numbers, and defaults for what is left out.
		p := map[string]any{
			"crop_size": side, "size": side, "resample": 3, "do_resize": true, "do_center_crop": true, "do_normalize": true,
			"image_mean": []float64{0.48145466, 0.4578275, 0.40821073}, "image_std": []float64{0.26862954, 0.26130258, 0.27577711},
		}
		if v.Mean != nil {
			p["image_mean"], p["image_std"] = v.Mean, v.Std
		}
		checkpointtest.WriteJSON(t, dir, "preprocessor_config.json", p)
	}
	v.writeTokenizer(t, dir, c.Text.VocabSize)

	var tensors []safetensors.TensorData
	add := func(name string, shape ...int) { tensors = append(tensors, v.tensor(t, name, shape)) }
	if v.Layout == "open_clip" {
		openCLIPTensors(&c, v.TextPrefix, add)
	} else {
		for _, x := range c.Tensors() {
			add(x.Name, x.Shape...)
		}
	}
	checkpointtest.WriteTensors(t, dir, weights, tensors)
	if v.Shards > 1 {
		checkpointtest.Shard(t, dir, weights, v.Shards)
	}
	return side
}

// openCLIPTensors lists the tensors of open_clip's CLIP by its own definition.
func openCLIPTensors(c *checkpoint.Config, prefix string, add func(name string, shape ...int)) {
	v, t, d := &c.Vision, &c.Text, c.ProjectionDim
	grid := v.ImageSize / v.PatchSize
	add("logit_scale")
	add("visual.class_embedding", v.HiddenSize)
	add("visual.positional_embedding", grid*grid+1, v.HiddenSize)
	add("visual.conv1.weight", v.HiddenSize, 3, v.PatchSize, v.PatchSize)
	add("visual.proj", v.HiddenSize, d)
	add(prefix+"token_embedding.weight", t.VocabSize, t.HiddenSize)
	add(prefix+"positional_embedding", t.ContextLength, t.HiddenSize)
	add(prefix+"text_projection", t.HiddenSize, d)
	pair := func(name string, shape ...int) {
		add(name+"weight", shape...)
		add(name+"bias", shape[0])
	}
	pair("visual.ln_pre.", v.HiddenSize)
	pair("visual.ln_post.", v.HiddenSize)
	pair(prefix+"ln_final.", t.HiddenSize)
	for _, tower := range []struct {
		prefix string
		checkpoint.Tower
	}{{"visual.", v.Tower}, {prefix, t.Tower}} {
		for i := range tower.Layers {
			p, w := fmt.Sprintf("%stransformer.resblocks.%d.", tower.prefix, i), tower.HiddenSize
			pair(p+"ln_1.", w)
			pair(p+"ln_2.", w)
			pair(p+"attn.in_proj_", 3*w, w)
			pair(p+"attn.out_proj.", w, w)
			pair(p+"mlp.c_fc.", tower.IntermediateSize, w)
			pair(p+"mlp.c_proj.", w, tower.IntermediateSize)
		}
	}
}

// noise fills b: FNV-1a of the name seeds splitmix64, whose words give eight values each, low byte first.
func noise(name string, b []byte) {
	seed := uint64(0xcbf29ce484222325)
	for _, c := range []byte(name) {
		seed = (seed ^ uint64(c)) * 0x100000001b3
	}
	var word [8]byte
	for len(b) > 0 {
		seed += 0x9e3779b97f4a7c15
		z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(word[:], z^z>>31)
		b = b[copy(b, word[:]):]
	}
}

// tensor returns a stored tensor's random values: small integers times a power of two, exact in every element type.
func (v *variant) tensor(t *testing.T, name string, shape []int) safetensors.TensorData {
	n := 1
	for _, d := range shape {
		n *= d
	}
	k := make([]byte, n)
	noise(v.Name+"/"+name, k)
	norm := strings.Contains(name, "norm") || strings.Contains(name, "layrnorm") || strings.Contains(name, "ln_")
	fanIn := n / max(1, append(shape, 1)[0])
	if strings.HasSuffix(name, "visual.proj") || strings.HasSuffix(name, "text_projection") {
		fanIn = shape[0]
	}
	value := func(k int) float32 {
		switch {
		case name == "logit_scale":
			return 3
		case norm && strings.HasSuffix(name, "weight"):
			return float32(128+k>>2) / 128
		case len(shape) == 1 && !strings.Contains(name, "class"):
			return float32(k) / (1 << 9)
		case strings.Contains(name, "embedding") && !strings.Contains(name, "patch"):
			return float32(k) / (1 << 8)
		}
		return float32(k) / float32(int(1)<<(6+bits.Len(uint(fanIn))/2))
	}
	x := safetensors.TensorData{Name: name, Shape: shape}
	for _, c := range k {
		f := math.Float32bits(value(int(int8(c))))
		switch v.DType {
		case "F32":
			x.DType, x.Data = safetensors.F32, binary.LittleEndian.AppendUint32(x.Data, f)
		case "BF16":
			x.DType, x.Data = safetensors.BF16, binary.LittleEndian.AppendUint16(x.Data, uint16(f>>16))
		case "F16":
			x.DType, x.Data = safetensors.F16, binary.LittleEndian.AppendUint16(x.Data, half(f))
		default:
			require.Fail(t, "dtype "+v.DType)
		}
	}
	return x
}

// half returns the float16 of a float32 that is zero, or normal and exact there.
func half(f uint32) uint16 {
	if f<<1 == 0 {
		return uint16(f >> 16)
	}
	return uint16(f>>16&0x8000) | uint16((f>>23&0xff)-127+15)<<10 | uint16(f>>13&0x3ff)
}

func (v *variant) photo(side int) *image.NRGBA {
	rgb := make([]byte, 3*side*side)
	noise(v.Name+"/photo", rgb)
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		copy(m.Pix[4*i:], rgb[3*i:3*i+3])
		m.Pix[4*i+3] = 255
	}
	return m
}

// writeTokenizer writes a vocabulary of the given size: bytes, merges of letters, start and end token.
func (v *variant) writeTokenizer(t *testing.T, dir string, size int) {
	var tokens []string
	moved := rune(256)
	var late []string
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xa1 && b != 0xad {
			tokens = append(tokens, string(rune(b)))
		} else {
			late = append(late, string(moved))
			moved++
		}
	}
	tokens = append(tokens, late...)
	for _, s := range tokens[:256:256] {
		tokens = append(tokens, s+"</w>")
	}
	merges := matrixMerges(size - 514)
	lines := make([]string, len(merges))
	for i, m := range merges {
		tokens = append(tokens, m[0]+m[1])
		lines[i] = m[0] + " " + m[1]
	}
	ids := make(map[string]int, size)
	for i, s := range append(tokens, "<|startoftext|>", "<|endoftext|>") {
		ids[s] = i
	}
	require.Len(t, ids, size)
	if v.Tokenizer == "tokenizer.json" {
		checkpointtest.WriteJSON(t, dir, v.Tokenizer, map[string]any{"model": map[string]any{
			"type": "BPE", "end_of_word_suffix": "</w>", "continuing_subword_prefix": "", "vocab": ids, "merges": lines,
		}})
		return
	}
	checkpointtest.WriteJSON(t, dir, "vocab.json", ids)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "merges.txt"), []byte("#version: 0.2\n"+strings.Join(lines, "\n")+"\n"), 0o644))
}

// matrixMerges returns the first n of: all pairs of letters that end a word, all pairs, then longer ones made of those.
func matrixMerges(n int) (out [][2]string) {
	const letters, end = "abcdefghijklmnopqrstuvwxyz", "</w>"
	var pairs []string
	for _, x := range letters {
		for _, y := range letters {
			pairs = append(pairs, string(x)+string(y))
		}
	}
	single := strings.Split(letters, "")
	product := func(left, right []string, end string) {
		for _, l := range left {
			for _, r := range right {
				if len(out) < n {
					out = append(out, [2]string{l, r + end})
				}
			}
		}
	}
	product(single, single, end)
	product(single, single, "")
	product(pairs, single, end)
	product(pairs, single, "")
	product(pairs, pairs, end)
	return out
}
