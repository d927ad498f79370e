package safetensors

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// testdata/reference.safetensors is written by the safetensors Python package.
func readReference(t testing.TB) []byte {
	b, err := os.ReadFile("testdata/reference.safetensors")
	require.NoError(t, err)
	return b
}

func TestReadsReferenceFile(t *testing.T) {
	h, data, err := Decode(readReference(t))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"text": "quotes \" \\ and\nlines\t\x01\b\f\r\x7f ünï 🙂"}, h.Metadata)

	subnormal := float32(math.Ldexp(1, -24))
	brainSubnormal := math.Float32frombits(0x00010000)
	inf := float32(math.Inf(1))
	for name, want := range map[string]struct {
		dtype  DType
		shape  []int
		floats []float32
		bytes  []byte
	}{
		"scalar":     {F32, nil, []float32{-1.5}, nil},
		"matrix":     {F32, []int{2, 3}, []float32{0, 0.25, 0.5, 0.75, 1, 1.25}, nil},
		"halves":     {F16, []int{7}, []float32{1, -2.5, 65504, subnormal, float32(math.Copysign(0, -1)), inf, 1.0 / (1 << 14)}, nil},
		"brain":      {BF16, []int{2, 2}, []float32{1, -2.5, brainSubnormal, inf}, nil},
		"weights":    {I8, []int{2, 1, 2}, nil, []byte{0x80, 0xff, 0, 0x7f}},
		"bytes":      {U8, []int{3}, nil, []byte{0, 0x80, 0xff}},
		"flags":      {BOOL, []int{2}, nil, []byte{0, 1}},
		"long":       {I64, []int{1}, nil, []byte{0, 0, 0, 0, 0, 0, 0, 0xc0}},
		"empty":      {F32, []int{0, 4}, nil, []byte{}},
		"ünïcode/名前": {I32, []int{1}, nil, []byte{0xf9, 0xff, 0xff, 0xff}},
	} {
		tensor, ok := h.Tensor(name)
		require.True(t, ok, name)
		require.Equal(t, want.dtype, tensor.DType, name)
		require.Equal(t, want.shape, tensor.Shape, name)
		if want.floats == nil {
			require.Equal(t, want.bytes, data[name], name)
			continue
		}
		got, err := AppendFloat32(nil, tensor.DType, data[name])
		require.NoError(t, err)
		require.Equal(t, bitsOf(want.floats), bitsOf(got), name)
	}
	require.Len(t, h.Tensors, 10)
}

func bitsOf(floats []float32) []uint32 {
	var bits []uint32
	for _, f := range floats {
		bits = append(bits, math.Float32bits(f))
	}
	return bits
}

// The writer gives the reference's bytes for the reference's order of tensors.
func TestWriterMatchesReferenceFile(t *testing.T) {
	file := readReference(t)
	h, data, err := Decode(file)
	require.NoError(t, err)
	var tensors []TensorData
	for _, x := range h.Tensors {
		tensors = append(tensors, TensorData{x.Name, x.DType, x.Shape, data[x.Name]})
	}
	require.Equal(t, string(file), string(write(t, h.Metadata, tensors)))
}

func TestHalfToFloat32(t *testing.T) {
	for h := range 1 << 16 {
		sign, exp, frac := 1.0, h>>10&0x1f, float64(h&0x3ff)
		if h&0x8000 != 0 {
			sign = -1
		}
		got := halfToFloat32(uint16(h))
		var want float64
		switch {
		case exp == 0x1f && frac != 0:
			require.True(t, math.IsNaN(float64(got)), "%#x", h)
			require.Equal(t, uint32(h&0x8000)<<16|0xff<<23|uint32(frac)<<13, math.Float32bits(got))
			continue
		case exp == 0x1f:
			want = sign * math.Inf(1)
		case exp == 0:
			want = sign * math.Ldexp(frac, -24)
		default:
			want = sign * math.Ldexp(1024+frac, exp-25)
		}
		require.Equal(t, math.Float32bits(float32(want)), math.Float32bits(got), "%#x", h)
	}
}

func TestAppendFloat32Rejects(t *testing.T) {
	_, err := AppendFloat32(nil, I8, []byte{1})
	require.EqualError(t, err, "safetensors: cannot convert I8 to float32: want F32, F16 or BF16")
	_, err = AppendFloat32(nil, DType(200), nil)
	require.ErrorContains(t, err, "cannot convert dtype 200")
	_, err = AppendFloat32(nil, BF16, []byte{1, 2, 3})
	require.EqualError(t, err, "safetensors: 3 bytes are not a whole number of BF16 elements of 2 bytes")

	got, err := AppendFloat32([]float32{7}, BF16, []byte{0x80, 0x3f})
	require.NoError(t, err)
	require.Equal(t, []float32{7, 1}, got)
}

func TestDTypes(t *testing.T) {
	for d := range DType(len(dtypes)) {
		require.Contains(t, []int{1, 2, 4, 8}, d.Size())
		parsed, ok := parseDType(d.String())
		require.True(t, ok)
		require.Equal(t, d, parsed)
	}
	require.Equal(t, "dtype 200", DType(200).String())
}
