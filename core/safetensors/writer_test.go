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
		{nil, []TensorData{{"w", U8, []int{-1, -1}, []byte{1}}}, "do not fit shape [-1, -1]"},
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
