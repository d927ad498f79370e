package safetensors

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder keeps what a decoder hands over and checks its promises.
type recorder struct {
	t      *testing.T
	header *Header
	data   map[string][]byte
	fail   error // returned by Data
}

func (r *recorder) Header(h *Header) error {
	require.Nil(r.t, r.header, "Header is called once")
	r.header = h
	r.data = map[string][]byte{}
	return nil
}

func (r *recorder) Data(t *Tensor, off uint64, p []byte) error {
	require.NotEmpty(r.t, p)
	require.Zero(r.t, len(p)%t.DType.Size(), "whole elements")
	require.Equal(r.t, uint64(len(r.data[t.Name])), off, "pieces are consecutive")
	r.data[t.Name] = append(r.data[t.Name], p...)
	return r.fail
}

// decodeChunks decodes b in pieces of n bytes.
func decodeChunks(t *testing.T, b []byte, n int) (*recorder, error) {
	r := &recorder{t: t}
	d, err := NewDecoder(uint64(len(b)), r)
	if err != nil {
		return r, err
	}
	for len(b) > 0 {
		n = min(n, len(b))
		if err := d.Write(b[:n]); err != nil {
			require.Equal(t, err, d.Write(nil), "errors stay")
			require.Equal(t, err, d.Close(), "errors stay")
			return r, err
		}
		b = b[n:]
	}
	return r, d.Close()
}

func sequence(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + 1)
	}
	return b
}

var sampleTensors = []TensorData{
	{"empty first", F32, []int{0, 3}, nil},
	{"scalar", F32, []int{}, sequence(4)},
	{"bytes", U8, []int{5}, sequence(5)},
	{"empty", F16, []int{4, 0}, nil},
	{"halves", BF16, []int{3, 1}, sequence(6)},
	{"longs", I64, []int{2, 2}, sequence(32)},
	{"näme \"\\\n", I8, []int{1, 1, 3}, sequence(3)},
	{"empty last", BOOL, []int{0}, nil},
}

var sampleMetadata = map[string]string{"format": "test", "a \"quoted\" key": "line\nbreak\t\x01 ünï 🙂", "": ""}

func write(t testing.TB, metadata map[string]string, tensors []TensorData) []byte {
	var out bytes.Buffer
	require.NoError(t, Write(&out, metadata, tensors))
	return out.Bytes()
}

func TestDecoderTakesAnyChunks(t *testing.T) {
	file := write(t, sampleMetadata, sampleTensors)
	for n := 1; n <= len(file); n++ {
		r, err := decodeChunks(t, file, n)
		require.NoError(t, err, "chunks of %d", n)
		require.Equal(t, sampleMetadata, r.header.Metadata)
		require.Len(t, r.header.Tensors, len(sampleTensors))
		for i, want := range sampleTensors {
			got := r.header.Tensors[i]
			require.Equal(t, want.Name, got.Name)
			require.Equal(t, want.DType, got.DType)
			require.Equal(t, len(want.Shape), len(got.Shape))
			require.Equal(t, want.Data, r.data[want.Name], want.Name)
			found, ok := r.header.Tensor(want.Name)
			require.True(t, ok)
			require.Same(t, &r.header.Tensors[i], found)
		}
	}
}

func TestDecodeMatchesDecoder(t *testing.T) {
	file := write(t, sampleMetadata, sampleTensors)
	h, data, err := Decode(file)
	require.NoError(t, err)
	r, err := decodeChunks(t, file, len(file))
	require.NoError(t, err)
	require.Equal(t, r.header, h)
	require.Len(t, data, len(sampleTensors))
	for name, b := range data {
		require.True(t, bytes.Equal(r.data[name], b), name)
	}
	_, ok := h.Tensor("absent")
	require.False(t, ok)
}

func TestDecoderRejectsTruncatedFiles(t *testing.T) {
	file := write(t, sampleMetadata, sampleTensors)
	for n := range len(file) {
		r := &recorder{t: t}
		d, err := NewDecoder(uint64(len(file)), r)
		require.NoError(t, err)
		require.NoError(t, d.Write(file[:n]))
		require.ErrorContains(t, d.Close(), "file ends in", "after %d bytes", n)
		require.ErrorContains(t, d.Write(file[n:]), "file ends in")

		_, _, err = Decode(file[:n])
		require.Error(t, err, "first %d bytes", n)
	}
}

func TestDecoderErrors(t *testing.T) {
	file := write(t, nil, sampleTensors)
	open := func(r *recorder) *Decoder {
		d, err := NewDecoder(uint64(len(file)), r)
		require.NoError(t, err)
		return d
	}

	_, err := NewDecoder(7, &recorder{t: t})
	require.ErrorContains(t, err, "file of 7 bytes")

	d := open(&recorder{t: t})
	require.NoError(t, d.Write(file))
	require.ErrorContains(t, d.Write([]byte{0}), "longer than the announced")

	d = open(&recorder{t: t})
	require.NoError(t, d.Write(file))
	require.NoError(t, d.Close())
	require.ErrorContains(t, d.Write(nil), "closed")
	require.ErrorContains(t, d.Close(), "closed")

	stop := errors.New("stop")
	d = open(&recorder{t: t, fail: stop})
	require.Equal(t, stop, d.Write(file))
	require.Equal(t, stop, d.Close())

	for _, c := range []struct {
		length uint64
		want   string
	}{
		{0, "header is empty"},
		{93, "header of 93 bytes does not fit in a file of 100 bytes"},
		{MaxHeader + 1, "limit is 100000000"},
		{1 << 63, "limit is 100000000"},
	} {
		prefix := []byte{7: byte(c.length >> 56), 0: byte(c.length), 1: byte(c.length >> 8), 2: byte(c.length >> 16), 3: byte(c.length >> 24)}
		d, err := NewDecoder(100, &recorder{t: t})
		require.NoError(t, err)
		require.ErrorContains(t, d.Write(prefix), c.want)
	}
}
