package safetensors

import (
	"math"
	"slices"

	"github.com/ecor-clip/ecor/core/errs"
)

// DType is the type of a tensor's elements.
type DType uint8

// Element types, named as in the format. The format's types of less than a
// byte (F4, F6_E2M3, F6_E3M2) are not supported.
const (
	BOOL DType = iota
	U8
	I8
	F8_E5M2
	F8_E4M3
	F8_E8M0
	F8_E4M3FNUZ
	F8_E5M2FNUZ
	I16
	U16
	F16
	BF16
	I32
	U32
	F32
	C64
	F64
	I64
	U64
)

var dtypes = [...]struct {
	name string
	size uint8
}{
	BOOL: {"BOOL", 1}, U8: {"U8", 1}, I8: {"I8", 1},
	F8_E5M2: {"F8_E5M2", 1}, F8_E4M3: {"F8_E4M3", 1}, F8_E8M0: {"F8_E8M0", 1},
	F8_E4M3FNUZ: {"F8_E4M3FNUZ", 1}, F8_E5M2FNUZ: {"F8_E5M2FNUZ", 1},
	I16: {"I16", 2}, U16: {"U16", 2}, F16: {"F16", 2}, BF16: {"BF16", 2},
	I32: {"I32", 4}, U32: {"U32", 4}, F32: {"F32", 4},
	C64: {"C64", 8}, F64: {"F64", 8}, I64: {"I64", 8}, U64: {"U64", 8},
}

// Size returns the bytes of one element: 1, 2, 4 or 8.
func (d DType) Size() int { return int(dtypes[d].size) }

// String returns the format's name of the type.
func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return errs.Text("dtype ", int(d))
}

func parseDType(name string) (DType, bool) {
	for d := range dtypes {
		if dtypes[d].name == name {
			return DType(d), true
		}
	}
	return 0, false
}

// AppendFloat32 appends the elements of p, little-endian values of type F32,
// F16 or BF16, to dst. Every F16 and BF16 value is a float32 exactly; NaN
// payloads are kept.
func AppendFloat32(dst []float32, d DType, p []byte) ([]float32, error) {
	if d != F32 && d != F16 && d != BF16 {
		return dst, errs.New("safetensors: cannot convert ", d.String(), " to float32: want F32, F16 or BF16")
	}
	if len(p)%d.Size() != 0 {
		return dst, errs.New("safetensors: ", len(p), " bytes are not a whole number of ", d.String(), " elements of ", d.Size(), " bytes")
	}
	dst = slices.Grow(dst, len(p)/d.Size())
	switch d {
	case F32:
		for ; len(p) >= 4; p = p[4:] {
			dst = append(dst, math.Float32frombits(uint32(p[0])|uint32(p[1])<<8|uint32(p[2])<<16|uint32(p[3])<<24))
		}
	case BF16:
		for ; len(p) >= 2; p = p[2:] {
			dst = append(dst, math.Float32frombits(uint32(p[0])<<16|uint32(p[1])<<24))
		}
	case F16:
		for ; len(p) >= 2; p = p[2:] {
			dst = append(dst, halfToFloat32(uint16(p[0])|uint16(p[1])<<8))
		}
	}
	return dst, nil
}

// halfToFloat32 converts an IEEE 754 binary16 value.
func halfToFloat32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h & 0x3ff)
	switch exp {
	case 0: // zero or subnormal: frac · 2⁻²⁴, exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*(1.0/(1<<24))))
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
