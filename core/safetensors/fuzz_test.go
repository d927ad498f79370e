package safetensors

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDecoder checks that the streaming decoder and Decode agree on any file
// in any chunks, and that what they accept survives a round trip.
func FuzzDecoder(f *testing.F) {
	f.Add(readReference(f), uint8(7))
	f.Add(write(f, sampleMetadata, sampleTensors), uint8(1))
	f.Add(write(f, nil, nil), uint8(255))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00[]"), uint8(3))
	f.Add([]byte("\x3b\x00\x00\x00\x00\x00\x00\x00{\"\\ud83d\\ude42\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}x"), uint8(3))
	f.Fuzz(func(t *testing.T, file []byte, chunk uint8) {
		r, err := decodeChunks(t, file, int(chunk)+1)
		h, data, wholeErr := Decode(file)
		if err != nil {
			require.EqualError(t, wholeErr, err.Error())
			return
		}
		require.NoError(t, wholeErr)
		require.Equal(t, r.header, h)

		total := h.Size
		var tensors []TensorData
		for _, x := range h.Tensors {
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
