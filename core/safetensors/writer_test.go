package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteIsDeterministicAndAligned(t *testing.T) {
	for n := range 9 {
		metadata := map[string]string{"b": "1", "a": string(bytes.Repeat([]byte("x"), n)), "c": ""}
		file := write(t, metadata, sampleTensors)
		for range 8 {
			require.Equal(t, file, write(t, metadata, sampleTensors))
		}
		h, _, err := Decode(file)
		require.NoError(t, err)
		require.Zero(t, h.Size%8)

		var order map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(file[8:h.Size], &order), "the header is JSON to others too")
		require.JSONEq(t, string(must(json.Marshal(metadata))), string(order["__metadata__"]))
	}
	require.Equal(t, "\x18\x00\x00\x00\x00\x00\x00\x00"+`{"__metadata__":{"":""}}`, string(write(t, map[string]string{"": ""}, nil)))
	require.Equal(t, "\x08\x00\x00\x00\x00\x00\x00\x00{}      ", string(write(t, nil, nil)))
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestWriteRejects(t *testing.T) {
	one := TensorData{"w", U8, []int{1}, []byte{1}}
	for _, c := range []struct {
		metadata map[string]string
		tensors  []TensorData
		want     string
	}{
		{nil, []TensorData{one, one}, `tensor "w": appears twice`},
		{nil, []TensorData{{"__metadata__", U8, []int{1}, []byte{1}}}, "reserved"},
		{nil, []TensorData{{"\xff", U8, []int{1}, []byte{1}}}, "not valid UTF-8"},
		{nil, []TensorData{{"w", DType(99), []int{1}, []byte{1}}}, "unknown dtype 99"},
		{nil, []TensorData{{"w", F32, []int{2}, []byte{1}}}, `tensor "w": 1 bytes of data do not fit shape [2] of F32`},
		{nil, []TensorData{{"w", U8, []int{-1, -1}, []byte{1}}}, "no file can hold shape [-1, -1]"},
		{nil, []TensorData{{"w", U8, slices.Repeat([]int{1}, 33), []byte{1}}}, "33 dimensions: limit is 32"},
		{map[string]string{"k": "\xff"}, nil, `metadata "k" is not valid UTF-8`},
		{map[string]string{"\xff": ""}, nil, "is not valid UTF-8"},
		{nil, make([]TensorData, MaxTensors+1), "100001 tensors: limit is 100000"},
	} {
		var out bytes.Buffer
		require.ErrorContains(t, Write(&out, c.metadata, c.tensors), c.want)
		require.Zero(t, out.Len(), "nothing is written")
	}
}

// failAfter fails once n bytes are written.
type failAfter int

var errFull = errors.New("disk is full")

func (n *failAfter) Write(p []byte) (int, error) {
	if *n -= failAfter(len(p)); *n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteReportsTheWritersError(t *testing.T) {
	size := len(write(t, nil, sampleTensors))
	for n := range size {
		full := failAfter(n)
		require.Equal(t, errFull, Write(&full, nil, sampleTensors))
	}
	enough := failAfter(size)
	require.NoError(t, Write(&enough, nil, sampleTensors))
}

// A file may be written tensor by tensor, in any order, to the places that Layout names.
func TestLayoutIsWhereWritePutsTensors(t *testing.T) {
	tensors := []TensorData{
		{Name: "a", DType: F32, Shape: []int{2}, Data: sequence(8)},
		{Name: "empty", DType: F32, Shape: []int{0, 3}},
		{Name: "b", DType: I8, Shape: []int{3, 1}, Data: sequence(3)},
	}
	metadata := map[string]string{"k": "v"}
	want := write(t, metadata, tensors)
	layout := make([]Tensor, len(tensors))
	for i, x := range tensors {
		layout[i] = Tensor{Name: x.Name, DType: x.DType, Shape: x.Shape}
	}
	got, err := Layout(metadata, layout)
	require.NoError(t, err)
	head := len(got)
	got = append(got, make([]byte, len(want)-head)...)
	for i, x := range tensors {
		require.Equal(t, len(x.Data), copy(got[head+int(layout[i].Begin):head+int(layout[i].End)], x.Data))
	}
	require.Equal(t, want, got)

	_, err = Layout(nil, []Tensor{{Name: "a", DType: U8, Shape: []int{1 << 62, 3}}, {Name: "b", DType: U8, Shape: []int{1 << 62, 2}}})
	require.ErrorContains(t, err, "more bytes than fit in 64 bits")
}
