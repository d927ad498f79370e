package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDecoder checks that the streaming decoder and Decode agree on any header
// and data in any chunks, and that what they accept is JSON to others and
// survives a round trip.
func FuzzDecoder(f *testing.F) {
	for i, file := range [][]byte{readReference(f), write(f, sampleMetadata, sampleTensors), write(f, nil, nil)} {
		size := 8 + binary.LittleEndian.Uint64(file)
		f.Add(file[8:size], file[size:], uint8(i*5))
	}
	for _, header := range []string{
		``, `[]`, `{"__metadata__":{"k":"\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude42"}}`,
		`{"a":{"data_offsets" : [0, 2], "dtype":"F16","shape":[]}, "b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}} `,
		`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`,
		`{"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,2]}}`,
	} {
		f.Add([]byte(header), []byte("xy"), uint8(0))
	}
	f.Fuzz(func(t *testing.T, header, body []byte, chunk uint8) {
		file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		file = append(append(file, header...), body...)
		r, err := decodeChunks(t, file, int(chunk)+1)
		h, data, wholeErr := Decode(file)
		if err != nil {
			require.EqualError(t, wholeErr, err.Error())
			return
		}
		require.NoError(t, wholeErr)
		require.Equal(t, r.header, h)

		var others map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(header, &others))
		var metadata map[string]string
		if raw, ok := others[metadataKey]; ok {
			require.NoError(t, json.Unmarshal(raw, &metadata))
			delete(others, metadataKey)
		}
		require.Equal(t, metadata, h.Metadata)
		require.Len(t, others, len(h.Tensors))

		total := h.Size
		var tensors []TensorData
		for _, x := range h.Tensors {
			require.Contains(t, others, x.Name)
			require.Equal(t, x.End-x.Begin, uint64(len(r.data[x.Name])))
			require.True(t, bytes.Equal(data[x.Name], r.data[x.Name]))
			total += uint64(len(r.data[x.Name]))
			tensors = append(tensors, TensorData{x.Name, x.DType, x.Shape, data[x.Name]})
		}
		require.Equal(t, uint64(len(file)), total)

		again, _, err := Decode(write(t, h.Metadata, tensors))
		require.NoError(t, err)
		require.Equal(t, h.Tensors, again.Tensors)
		if len(h.Metadata) > 0 {
			require.Equal(t, h.Metadata, again.Metadata)
		}
	})
}
