package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/wasm/wasmtest"
	"github.com/ecor-clip/ecor/wasm/wire"
)

func withCategories(c ...wire.Category) wire.LabelSet { return wire.LabelSet{Categories: c} }

// huge is a photo that exists only as its size.
type huge struct{ image.Point }

func (h huge) ColorModel() color.Model { return color.NRGBAModel }
func (h huge) Bounds() image.Rectangle { return image.Rectangle{Max: h.Point} }
func (h huge) At(int, int) color.Color { return color.NRGBA{A: 255} }

// TestBadRequests: after each refused request the same instance classifies as
// before.
func TestBadRequests(t *testing.T) {
	h := open(t, tinyConfig(t))
	img, good := pattern(80, 60, 1), NewLabels(animals())
	want := bits(classify(t, h, img))
	only := h.idle[0]

	long := strings.Repeat("a", 10_000)
	many := make([]wire.Category, 5000)
	for i := range many {
		many[i] = wire.Category{Name: "c" + string(rune('a'+i%26)) + string(rune(0x4e00+i)), Rationales: []string{"r"}}
	}
	for _, c := range []struct {
		name    string
		img     image.Image
		labels  *Labels
		options wire.ClassifyOptions
		want    []string // what the message must name
	}{
		{"no photo", nil, good, wire.ClassifyOptions{}, []string{"no photo"}},
		{"no labels", img, nil, wire.ClassifyOptions{}, []string{"no labels"}},
		{"empty photo", image.NewNRGBA(image.Rectangle{}), good, wire.ClassifyOptions{}, []string{"0×0"}},
		{"30000×30000 photo", huge{image.Pt(30000, 30000)}, good, wire.ClassifyOptions{}, []string{"30000×30000", "128000000"}},
		{"100000 pixels wide", huge{image.Pt(100_000, 1)}, good, wire.ClassifyOptions{}, []string{"100000×1", "32768"}},
		{"2 million pixels wide", huge{image.Pt(2_000_000, 1)}, good, wire.ClassifyOptions{}, []string{"2000000×1", "1048576"}},
		{"no categories", img, NewLabels(wire.LabelSet{}), wire.ClassifyOptions{}, []string{"categor"}},
		{"category twice", img, NewLabels(withCategories(
			wire.Category{Name: "cat", Rationales: []string{"fur"}}, wire.Category{Name: "cat", Rationales: []string{"fur"}},
		)), wire.ClassifyOptions{}, []string{`"cat"`}},
		{"10 000-character category", img, NewLabels(withCategories(wire.Category{Name: long, Rationales: []string{"fur"}})),
			wire.ClassifyOptions{}, []string{"10000", "400"}},
		{"10 000-character rationale", img, NewLabels(withCategories(wire.Category{Name: "cat", Rationales: []string{long}})),
			wire.ClassifyOptions{}, []string{"10000", "400"}},
		{"no rationales", img, NewLabels(withCategories(wire.Category{Name: "cat"})), wire.ClassifyOptions{}, []string{`"cat"`, "rationale"}},
		{"empty category", img, NewLabels(withCategories(wire.Category{Rationales: []string{"fur"}})), wire.ClassifyOptions{}, []string{"empty"}},
		{"5000 categories", img, NewLabels(withCategories(many...)), wire.ClassifyOptions{}, []string{"5000", "4096"}},
		{"invalid UTF-8", img, NewLabels(withCategories(wire.Category{Name: "caf\xe9", Rationales: []string{"cups"}})),
			wire.ClassifyOptions{}, []string{"not valid UTF-8"}},
		{"request of more than 4 MiB", img, NewLabels(withCategories(wire.Category{Name: strings.Repeat("a", 5<<20), Rationales: []string{"b"}})),
			wire.ClassifyOptions{}, []string{"5242", "4194304"}},
		{"template without {c}", img, NewLabels(wire.LabelSet{
			Templates: wire.Templates{Category: []string{"a photo"}}, Categories: animals().Categories,
		}), wire.ClassifyOptions{}, []string{"{c}", "a photo"}},
		{"unknown method", img, good, wire.ClassifyOptions{Method: 9}, []string{"method 9"}},
		{"coverage of 2", img, good, wire.ClassifyOptions{Coverage: 2}, []string{"coverage 2"}},
		{"embedding of another length", nil, good, wire.ClassifyOptions{Embedding: []float32{1}}, []string{"embedding of 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := h.Classify(t.Context(), c.img, c.labels, c.options)
			require.Error(t, err)
			t.Log(err)
			for _, want := range c.want {
				assert.ErrorContains(t, err, want)
			}
			assert.Less(t, len(err.Error()), 300)
			assert.Nil(t, a)
			require.Equal(t, want, bits(classify(t, h, img)), "the instance stays usable")
			require.Same(t, only, h.idle[0])
		})
	}
	_, err := h.EmbedText(t.Context(), long)
	assert.ErrorContains(t, err, "10000")
	var refusal *Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, wire.StatusLimit, refusal.Status)
}

func TestBadWeights(t *testing.T) {
	good, err := os.ReadFile(tinyWeights)
	require.NoError(t, err)
	header := func(json string, data int) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(json)))
		return append(append(b, json...), make([]byte, data)...)
	}
	hugeHeader := binary.LittleEndian.AppendUint64(nil, 1<<62)
	for _, c := range []struct {
		name    string
		weights []byte
		want    []string
	}{
		{"no bytes", nil, []string{"0 bytes"}},
		{"text", []byte("not a weights file at all"), []string{"header"}},
		{"truncated header", good[:100], []string{"100 bytes"}},
		{"truncated data", good[:len(good)-1], nil},
		{"a byte too many", append(bytes.Clone(good), 0), nil},
		{"header of 4 EiB", append(hugeHeader, '{'), []string{"4611686018427387904", "100000000"}},
		{"header is a list", header("[]", 0), []string{"{"}},
		{"tensor beyond the file", header(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 8), []string{"16", "8"}},
		{"shape overflows", header(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), []string{`"a"`}},
		{"key twice", header(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), []string{`"a"`, "twice"}},
		{"no metadata", header(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), []string{`no "format"`}},
		{"another format", header(`{"__metadata__":{"format":"pt"}}`, 0), []string{`"pt"`, "ecor-weights-1"}},
		{"another architecture", siglip(t, good), nil},
		{"missing tensor", without(t, good, "vision_model.post_layernorm.bias"), []string{"vision_model.post_layernorm.bias"}},
		{"hostile size in the metadata", withMetadata(t, good, "vision.hidden_size", "999999"), []string{"vision.hidden_size", "999999"}},
		{"no numbers in the metadata", withMetadata(t, good, "text.layers", "two"), []string{"text.layers", "two"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := tinyConfig(t)
			config.Weights = Bytes(c.weights)
			h, err := Open(t.Context(), config)
			require.Error(t, err)
			t.Log(err)
			assert.Nil(t, h)
			assert.True(t, strings.HasPrefix(err.Error(), "loading the weights: "), err)
			for _, want := range c.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotErrorIs(t, err, ErrDead)
			assert.Less(t, len(err.Error()), 400)
		})
	}
}

// TestWeightsAfterBadWeights loads good weights into an instance that refused
// others.
func TestWeightsAfterBadWeights(t *testing.T) {
	good, err := os.ReadFile(tinyWeights)
	require.NoError(t, err)
	h := open(t, tinyConfig(t))
	want := bits(classify(t, h, pattern(80, 60, 1)))
	require.NoError(t, h.with(t.Context(), func(in *instance) error {
		for _, bad := range [][]byte{good[:1000], withMetadata(t, good, "text.heads", "3"), []byte("no weights")} {
			require.Error(t, in.load(t.Context(), bytes.NewReader(bad), int64(len(bad))))
			in.labels = nil
		}
		return in.load(t.Context(), bytes.NewReader(good), int64(len(good)))
	}))
	assert.Equal(t, want, bits(classify(t, h, pattern(80, 60, 1))))
}

// edit rewrites a safetensors file.
func edit(t *testing.T, b []byte, metadata func(map[string]string), keep func(name string) (string, bool)) []byte {
	t.Helper()
	h, data, err := safetensors.Decode(b)
	require.NoError(t, err)
	metadata(h.Metadata)
	var tensors []safetensors.TensorData
	for _, x := range h.Tensors {
		if name, ok := keep(x.Name); ok {
			tensors = append(tensors, safetensors.TensorData{Name: name, DType: x.DType, Shape: x.Shape, Data: data[x.Name]})
		}
	}
	var out bytes.Buffer
	require.NoError(t, safetensors.Write(&out, h.Metadata, tensors))
	return out.Bytes()
}

func without(t *testing.T, b []byte, name string) []byte {
	return edit(t, b, func(map[string]string) {}, func(n string) (string, bool) { return n, n != name })
}

func withMetadata(t *testing.T, b []byte, key, value string) []byte {
	return edit(t, b, func(m map[string]string) {
		require.Contains(t, m, key)
		m[key] = value
	}, func(n string) (string, bool) { return n, true })
}

// siglip renames tensors to what SigLIP checkpoints call them.
func siglip(t *testing.T, b []byte) []byte {
	names := strings.NewReplacer("text_projection.weight", "text_model.head.weight", "logit_scale", "logit_bias",
		"pre_layrnorm", "head.layernorm", "visual_projection.weight", "vision_model.head.probe")
	return edit(t, b, func(map[string]string) {}, func(n string) (string, bool) { return names.Replace(n), true })
}

func TestBadModules(t *testing.T) {
	c := tinyConfig(t)
	for _, bad := range []struct {
		name   string
		module []byte
		want   string
	}{
		{"no bytes", nil, "compiling the module: "},
		{"text", []byte("not a module"), "compiling the module: "},
		{"truncated", wasmtest.Module(t)[:10_000], "compiling the module: "},
		{"empty module", []byte("\x00asm\x01\x00\x00\x00"), "the module does not export memory"},
		{"imports a socket", importing("wasi_snapshot_preview1", "sock_accept"), "wasi_snapshot_preview1.sock_accept, which this host does not allow"},
		{"imports a file", importing("wasi_snapshot_preview1", "path_open"), "path_open"},
		{"imports of another host", importing("env", "fd_write"), "env.fd_write"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			c.Module = Bytes(bad.module)
			_, err := Open(t.Context(), c)
			require.ErrorContains(t, err, bad.want)
		})
	}
}

// importing returns a module that imports one function without parameters.
func importing(module, name string) []byte {
	b := []byte("\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00")
	entry := append([]byte{1, byte(len(module))}, module...)
	entry = append(append(entry, byte(len(name))), name...)
	entry = append(entry, 0, 0)
	return append(append(b, 2, byte(len(entry))), entry...)
}

func TestBadConfig(t *testing.T) {
	_, err := Open(t.Context(), Config{})
	require.ErrorContains(t, err, "needs a module and weights")

	c := tinyConfig(t)
	c.Weights = File("absent.safetensors")
	_, err = Open(t.Context(), c)
	require.ErrorIs(t, err, os.ErrNotExist)

	c.Weights = File(".")
	_, err = Open(t.Context(), c)
	require.ErrorContains(t, err, "not a regular file")

	c = tinyConfig(t)
	c.MemoryLimit = 5 << 30
	_, err = Open(t.Context(), c)
	require.ErrorContains(t, err, "5368709120")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ctx, tinyConfig(t))
	require.ErrorIs(t, err, context.Canceled)
}

// shrinking is a weights source that ends before its announced size.
type shrinking struct{ Source }

func (s shrinking) Open() (io.ReadCloser, int64, error) {
	r, size, err := s.Source.Open()
	return r, size + 1, err
}

func TestWeightsEndEarly(t *testing.T) {
	c := tinyConfig(t)
	c.Weights = shrinking{c.Weights}
	_, err := Open(t.Context(), c)
	require.ErrorContains(t, err, "loading the weights: ")
}

// changing is a weights source whose bytes differ each time.
type changing struct {
	sources []Source
	next    *int
}

func (c changing) Open() (io.ReadCloser, int64, error) {
	s := c.sources[*c.next%len(c.sources)]
	*c.next++
	return s.Open()
}

func TestWeightsChange(t *testing.T) {
	good, err := os.ReadFile(tinyWeights)
	require.NoError(t, err)
	c := tinyConfig(t)
	c.Weights = changing{[]Source{Bytes(good), Bytes(withMetadata(t, good, "name", "other"))}, new(int)}
	c.Instances = 2
	h := open(t, c)
	require.NoError(t, h.with(t.Context(), func(*instance) error {
		_, err := h.EmbedText(t.Context(), "a photo") // the second instance
		require.ErrorContains(t, err, "they changed")
		return nil
	}))
}

// TestMemoryLimit: an instance that needs more memory than it may have ends,
// the host says so, and goes on with a new one.
func TestMemoryLimit(t *testing.T) {
	c := tinyConfig(t)
	h := open(t, c)
	used := h.MemoryBytes()

	c.MemoryLimit = (used + 2<<20) &^ (wasmPage - 1)
	limited := open(t, c)
	img := pattern(80, 60, 1)
	want := bits(classify(t, h, img))
	require.Equal(t, want, bits(classify(t, limited, img)))
	first := limited.idle[0]

	labels := slowLabels()
	_, err := limited.Classify(t.Context(), img, labels, wire.ClassifyOptions{Coverage: 1, MaxRationales: 4000})
	require.ErrorIs(t, err, ErrDead)
	require.ErrorContains(t, err, "memory")
	t.Log(err)
	require.Empty(t, limited.idle)
	assert.Zero(t, limited.MemoryBytes())

	require.Equal(t, want, bits(classify(t, limited, img)))
	require.NotSame(t, first, limited.idle[0])
	assert.LessOrEqual(t, limited.MemoryBytes(), c.MemoryLimit)
}

func TestMemoryLimitBelowTheModule(t *testing.T) {
	c := tinyConfig(t)
	c.MemoryLimit = 1 << 20
	_, err := Open(t.Context(), c)
	require.ErrorContains(t, err, "compiling the module: ")
}

func TestOtherABI(t *testing.T) {
	// (module (memory (export "memory") 1) and the five functions, each returning 7)
	body := "\x00asm\x01\x00\x00\x00" +
		"\x01\x05\x01\x60\x00\x01\x7f" + // type: () -> i32
		"\x03\x02\x01\x00" + // one function
		"\x05\x03\x01\x00\x01" // one memory
	exports := []byte{6}
	for _, name := range []string{"ecor_abi", "ecor_input", "ecor_call", "ecor_output", "ecor_output_len"} {
		exports = append(append(append(exports, byte(len(name))), name...), 0, 0)
	}
	exports = append(append(append(exports, 6), "memory"...), 2, 0)
	module := append([]byte(body), 7, byte(len(exports)))
	module = append(append(module, exports...), "\x0a\x06\x01\x04\x00\x41\x07\x0b"...)

	r := wazero.NewRuntime(t.Context())
	defer r.Close(context.Background())
	_, err := r.CompileModule(t.Context(), module)
	require.NoError(t, err)

	c := tinyConfig(t)
	c.Module = Bytes(module)
	_, err = Open(t.Context(), c)
	require.ErrorContains(t, err, fmt.Sprintf("the module has ABI 7; this host needs %d", wire.ABI))
}
