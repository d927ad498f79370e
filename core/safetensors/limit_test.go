//go:build !wasm

package safetensors

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLimitOfTensors(t *testing.T) {
	header := func(n int) []byte {
		b := []byte{'{'}
		for i := range n {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '"')
			for ; i > 0; i /= 26 {
				b = append(b, 'a'+byte(i%26))
			}
			b = append(b, `":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`...)
		}
		return append(b, '}')
	}
	h, err := ParseHeader(header(MaxTensors), 0)
	require.NoError(t, err)
	require.Len(t, h.Tensors, MaxTensors)
	_, err = ParseHeader(header(MaxTensors+1), 0)
	require.ErrorContains(t, err, "more than 100000 tensors")
}

func TestLimitOfHeader(t *testing.T) {
	_, err := ParseHeader(make([]byte, MaxHeader+1), 0)
	require.EqualError(t, err, "safetensors: header of 100000001 bytes: limit is 100000000")
	err = Write(io.Discard, map[string]string{"k": string(make([]byte, MaxHeader/6))}, nil)
	require.ErrorContains(t, err, "limit is 100000000")
}
