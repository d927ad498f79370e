package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
)

// requireSameTensors compares all tensors of two checkpoints.
func requireSameTensors(t *testing.T, want, got *Checkpoint) {
	require.Equal(t, want.Tensors(), got.Tensors())
	for _, x := range want.Tensors() {
		a, err := want.Load(x.Name)
		require.NoError(t, err)
		b, err := got.Load(x.Name)
		require.NoError(t, err)
		require.Equal(t, a.Shape(), b.Shape(), x.Name)
		require.Equal(t, Values(a), Values(b), x.Name)
	}
}

func TestShards(t *testing.T) {
	want := open(t, checkpointtest.Golden(t, "tiny"))
	dir := checkpointtest.Copy(t, "tiny")
	names := checkpointtest.Shard(t, dir, "model.safetensors", 3)
	got := open(t, dir)
	requireSameTensors(t, want, got)

	h := sha256.New()
	var size int64
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		h.Write(b)
		size += int64(len(b))
	}
	sum, err := got.SHA256(t.Context(), io.Discard)
	require.NoError(t, err)
	assert.Equal(t, hex.EncodeToString(h.Sum(nil)), sum)
	assert.Equal(t, size, got.Size())
}

// A tensor of several chunks is read whole, and a value that is not finite is found in any of them.
func TestLoadInChunks(t *testing.T) {
	const n = chunk/2 + 3
	data := make([]byte, 2*n)
	for i := range n {
		data[2*i], data[2*i+1] = byte(i), 0x3f // BF16, all finite
	}
	write := func() source {
		dir := t.TempDir()
		checkpointtest.WriteTensors(t, dir, "x.safetensors", []safetensors.TensorData{
			{Name: "x", DType: safetensors.BF16, Shape: []int{n}, Data: data}})
		w, err := openNamed(dir, "x.safetensors")
		require.NoError(t, err)
		t.Cleanup(func() { w.Close() })
		x, s, ok := w.tensor("x")
		require.True(t, ok)
		return source{shard: s, tensor: x, skip: 1, shape: []int{n - 1}}
	}
	s := write()
	values, err := s.read()
	require.NoError(t, err)
	want, err := safetensors.AppendFloat32(nil, safetensors.BF16, data[2:])
	require.NoError(t, err)
	assert.Equal(t, want, values)

	data[2*(n-1)], data[2*n-1] = 0x80, 0x7f
	s = write()
	_, err = s.read()
	assert.EqualError(t, err, `x.safetensors: "x" holds +Inf at element 524290: want finite values`)
}

func TestShardErrors(t *testing.T) {
	const index, second = "model.safetensors.index.json", "model-00002-of-00002.safetensors"
	weightMap := func(edit func(m map[string]any)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			checkpointtest.EditJSON(t, dir, index, func(o map[string]any) { edit(o["weight_map"].(map[string]any)) })
		}
	}
	inSecond := func(edit func(x []safetensors.TensorData) []safetensors.TensorData) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			x := checkpointtest.ReadTensors(t, filepath.Join(dir, second))
			checkpointtest.WriteTensors(t, dir, second, edit(x))
		}
	}
	first := func(t *testing.T, dir string) safetensors.TensorData {
		return checkpointtest.ReadTensors(t, filepath.Join(dir, "model-00001-of-00002.safetensors"))[0]
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string
	}{
		{"no shard", remove(second), second + ": no such file"},
		{"truncated shard", func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, second), 20_000))
		}, second + ": safetensors: "},
		{"index is no JSON", write(index, "{"), index + ": unexpected end of JSON input"},
		{"empty index", write(index, "{}"), "weight_map is missing or empty"},
		{"shard elsewhere", weightMap(func(m map[string]any) { m["logit_scale"] = "../model.safetensors" }),
			`weight_map places "logit_scale" in "../model.safetensors": want a .safetensors file beside the index`},
		{"pickled shard", weightMap(func(m map[string]any) { m["logit_scale"] = "pytorch_model.bin" }), "want a .safetensors file"},
		{"listed, not there", weightMap(func(m map[string]any) { m["extra"] = second }), `tensor "extra" is missing from ` + second},
		{"there, not listed", weightMap(func(m map[string]any) { delete(m, "logit_scale") }), `tensor "logit_scale" of model-00001-of-00002.safetensors is not listed`},
		{"in another shard", weightMap(func(m map[string]any) { m["logit_scale"] = second }), `tensor "logit_scale" is in model-00001-of-00002.safetensors, not in ` + second},
		{"in two shards", func(t *testing.T, dir string) {
			double := first(t, dir)
			inSecond(func(x []safetensors.TensorData) []safetensors.TensorData { return append(x, double) })(t, dir)
		}, `tensor "logit_scale" is in model-00001-of-00002.safetensors and in ` + second},
		{"missing in all", both(
			inSecond(func(x []safetensors.TensorData) []safetensors.TensorData { return x[:len(x)-1] }),
			weightMap(func(m map[string]any) { delete(m, "visual_projection.weight") })), index + `: tensor "visual_projection.weight" is missing`},
		{"wrong shape", inSecond(func(x []safetensors.TensorData) []safetensors.TensorData {
			x[len(x)-1].Shape = []int{32, 24}
			return x
		}), second + `: tensor "visual_projection.weight" has shape [32 24]: want [24 32]`},
		{"not a number", inSecond(func(x []safetensors.TensorData) []safetensors.TensorData {
			x[len(x)-1].DType = safetensors.I32
			return x
		}), second + `: tensor "visual_projection.weight" is I32: want F32, F16 or BF16`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := checkpointtest.Copy(t, "tiny")
			checkpointtest.Shard(t, dir, "model.safetensors", 2)
			c.damage(t, dir)
			_, err := Open(dir)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// Formats that can run code, or that are not weights, are refused by name, wherever the user points.
func TestOtherFormats(t *testing.T) {
	zip := "PK\x03\x04" + string(make([]byte, 30))
	pickle := "\x80\x02}q\x00." + string(make([]byte, 30))
	for _, c := range []struct{ name, file, content, want string }{
		{"pickle", "pytorch_model.bin", pickle, "there is no model.safetensors; pytorch_model.bin is a pickle, which runs any code it contains"},
		{"pickle of torch", "clip.pt", zip, "clip.pt is a pickle"},
		{"pickled shards", "pytorch_model.bin.index.json", "{}", "the index of pickles"},
		{"TensorFlow", "tf_model.h5", "", "tf_model.h5 is TensorFlow's format"},
		{"renamed zip", "model.safetensors", zip, "model.safetensors is a zip archive, as torch.save writes: it holds a pickle"},
		{"renamed pickle", "model.safetensors", pickle, "model.safetensors is a pickle, which runs any code"},
		{"not downloaded", "model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := checkpointtest.Copy(t, "tiny")
			remove("model.safetensors")(t, dir)
			write(c.file, c.content)(t, dir)
			_, err := Open(dir)
			require.ErrorContains(t, err, c.want)
		})
	}
	for _, c := range []struct{ file, content, want string }{
		{"ViT-B-32.pt", zip, "ViT-B-32.pt is a zip archive, as torch.save writes: it holds a pickle, which runs any code"},
		{"open_clip_pytorch_model.bin", pickle, "is a pickle"},
		{"empty.ckpt", "", "empty.ckpt is a pickle"},
		{"model.safetensors", "\x10\x00\x00\x00\x00\x00\x00\x00{}", "is a file: want the directory that holds it"},
	} {
		path := filepath.Join(t.TempDir(), c.file)
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o644))
		_, err := Open(path)
		require.ErrorContains(t, err, c.want)
	}
}
