// Package checkpointtest gives tests checkpoints to read and to break.
package checkpointtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/core/safetensors"
)

// Golden returns the directory of the golden checkpoint with the given name, "tiny" or "tiny-gelu".
func Golden(t testing.TB, name string) string {
	return filepath.Join(root(t), "core", "clip", "testdata", name)
}

// root returns the repository's directory.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "no go.mod above the test")
		dir = parent
	}
}

// Copy copies the golden checkpoint with the given name to a new directory of that name.
func Copy(t testing.TB, name string) string {
	dir := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.CopyFS(dir, os.DirFS(Golden(t, name))))
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o644)
	}))
	return dir
}

// EditJSON changes the object in a JSON file of a checkpoint.
func EditJSON(t testing.TB, dir, file string, edit func(o map[string]any)) {
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	o := map[string]any{}
	require.NoError(t, json.Unmarshal(b, &o))
	edit(o)
	WriteJSON(t, dir, file, o)
}

// WriteJSON writes a JSON file of a checkpoint.
func WriteJSON(t testing.TB, dir, file string, v any) {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), b, 0o644))
}

// EditTensors changes the tensors of a checkpoint's model.safetensors.
func EditTensors(t testing.TB, dir string, edit func(tensors []safetensors.TensorData) []safetensors.TensorData) {
	path := filepath.Join(dir, "model.safetensors")
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, nil, edit(ReadTensors(t, path))))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
}

// ReadTensors returns the tensors of a safetensors file, in the order of the file.
func ReadTensors(t testing.TB, path string) []safetensors.TensorData {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	h, data, err := safetensors.Decode(b)
	require.NoError(t, err)
	var out []safetensors.TensorData
	for _, x := range h.Tensors {
		out = append(out, safetensors.TensorData{Name: x.Name, DType: x.DType, Shape: x.Shape, Data: data[x.Name]})
	}
	return out
}

// EditFloats changes the values of an F32 tensor in place.
func EditFloats(t testing.TB, tensors []safetensors.TensorData, name string, edit func(i int, v float32) float32) {
	for _, x := range tensors {
		if x.Name != name {
			continue
		}
		require.Equal(t, safetensors.F32, x.DType)
		for i := range len(x.Data) / 4 {
			b := x.Data[4*i:]
			v := edit(i, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			binary.LittleEndian.PutUint32(b, math.Float32bits(v))
		}
		return
	}
	require.Fail(t, "no tensor "+name)
}
