package safetensors

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseHeaderRejects(t *testing.T) {
	tensor := func(fields string) string { return `{"w":{` + fields + `}}` }
	ok := `"dtype":"F32","shape":[2],"data_offsets":[0,8]`
	for _, c := range []struct {
		name, json string
		data       uint64
		want       string
	}{
		{"nothing", ``, 0, "ends where {"},
		{"leading space", ` {}`, 0, "first byte"},
		{"array", `[]`, 0, "first byte"},
		{"no end", `{`, 0, `ends where " is wanted`},
		{"trailing comma", `{"w":{` + ok + `},}`, 8, `want ", got "}"`},
		{"missing comma", `{"a":{` + ok + `}"b":{}}`, 8, "want ,"},
		{"rest", `{}x`, 0, "only spaces"},
		{"second object", `{} {}`, 0, "only spaces"},
		{"newline padding", "{}\n", 0, "only spaces"},
		{"NUL padding", "{}\x00", 0, "only spaces"},
		{"number key", `{1:{}}`, 0, `want ", got "1"`},
		{"tensor is a list", `{"w":[]}`, 0, `want {, got "["`},
		{"tensor is null", `{"w":null}`, 0, `want {, got "n"`},
		{"deep", `{"w":` + strings.Repeat("[", 1<<20), 0, `want {, got "["`},
		{"deep metadata", `{"__metadata__":` + strings.Repeat(`{"a":`, 1<<20), 0, `want ", got "{"`},
		{"metadata number", `{"__metadata__":{"a":1}}`, 0, `want ", got "1"`},
		{"metadata null", `{"__metadata__":null}`, 0, `want {, got "n"`},

		{"twice a tensor", `{"w":{` + ok + `},"w":{` + ok + `}}`, 8, `tensor "w" appears twice`},
		{"twice a tensor, escaped", `{"w":{` + ok + `},"\u0077":{` + ok + `}}`, 8, `tensor "w" appears twice`},
		{"twice metadata", `{"__metadata__":{},"__metadata__":{}}`, 0, "__metadata__ appears twice"},
		{"twice a metadata key", `{"__metadata__":{"a":"1","a":"2"}}`, 0, `metadata key "a" appears twice`},
		{"twice dtype", tensor(`"dtype":"F32",` + ok), 8, `tensor "w": dtype appears twice`},
		{"twice shape", tensor(`"shape":[2],` + ok), 8, `tensor "w": shape appears twice`},
		{"twice offsets", tensor(ok + `,"data_offsets":[0,8]`), 8, `tensor "w": data_offsets appears twice`},

		{"no dtype", tensor(`"shape":[2],"data_offsets":[0,8]`), 8, "is missing"},
		{"no shape", tensor(`"dtype":"F32","data_offsets":[0,8]`), 8, "is missing"},
		{"no offsets", tensor(`"dtype":"F32","shape":[2]`), 8, "is missing"},
		{"unknown field", tensor(ok + `,"x":1`), 8, `unknown field "x"`},
		{"unknown dtype", tensor(`"dtype":"f32","shape":[2],"data_offsets":[0,8]`), 8, `dtype "f32" is not supported`},
		{"4-bit dtype", tensor(`"dtype":"F4","shape":[2],"data_offsets":[0,1]`), 1, `dtype "F4" is not supported`},

		{"negative dimension", tensor(`"dtype":"U8","shape":[-1],"data_offsets":[0,0]`), 0, "whole number"},
		{"fraction", tensor(`"dtype":"U8","shape":[1.0],"data_offsets":[0,1]`), 1, "whole number"},
		{"exponent", tensor(`"dtype":"U8","shape":[1e0],"data_offsets":[0,1]`), 1, "whole number"},
		{"leading zero", tensor(`"dtype":"U8","shape":[01],"data_offsets":[0,1]`), 1, "begins with 0"},
		{"text dimension", tensor(`"dtype":"U8","shape":["1"],"data_offsets":[0,1]`), 1, "whole number"},
		{"2⁶³ dimension", tensor(`"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]`), 1, "dimension 9223372036854775808 is larger"},
		{"2⁶⁴ dimension", tensor(`"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]`), 1, "larger than 2⁶⁴-1"},
		{"product overflows", tensor(`"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]`), 0, "more than 2⁶⁴ bytes"},
		{"product overflows before a zero", tensor(`"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]`), 0, "more than 2⁶⁴ bytes"},
		{"size overflows", tensor(`"dtype":"I64","shape":[4611686018427387904],"data_offsets":[0,0]`), 0, "more than 2⁶⁴ bytes"},
		{"33 dimensions", tensor(`"dtype":"U8","shape":[1` + strings.Repeat(",1", 32) + `],"data_offsets":[0,1]`), 1, "more than 32 dimensions"},

		{"one offset", tensor(`"dtype":"U8","shape":[1],"data_offsets":[0]`), 1, `want ,`},
		{"three offsets", tensor(`"dtype":"U8","shape":[1],"data_offsets":[0,1,1]`), 1, `want ]`},
		{"offsets backwards", tensor(`"dtype":"U8","shape":[1],"data_offsets":[1,0]`), 1, "[1, 0] run backwards"},
		{"offsets and shape differ", tensor(`"dtype":"F32","shape":[2,3],"data_offsets":[0,8]`), 8, "hold 8 bytes, shape [2, 3] of F32 needs 24"},
		{"hole before", tensor(`"dtype":"U8","shape":[1],"data_offsets":[1,2]`), 2, `tensor "w": data begins at byte 1 and leaves a hole: want 0`},
		{"hole between", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 3, `tensor "b": data begins at byte 2 and leaves a hole: want 1`},
		{"overlap", `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3, `tensor "b": data begins at byte 1 and overlaps`},
		{"same place", `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2, `tensor "b": data begins at byte 0 and overlaps`},
		{"empty tensor inside another", `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}`, 2, `tensor "b": data begins at byte 1 and overlaps`},
		{"data too short", tensor(ok), 7, "tensors end at byte 8 of the data section, the file has 7 bytes"},
		{"data too long", tensor(ok), 9, "tensors end at byte 8 of the data section, the file has 9 bytes"},
		{"data without tensors", `{}`, 1, "tensors end at byte 0"},

		{"raw invalid UTF-8", "{\"\xff\":{" + ok + `}}`, 8, "not valid UTF-8"},
		{"overlong UTF-8", "{\"\xc0\x80\":{" + ok + `}}`, 8, "not valid UTF-8"},
		{"raw surrogate", "{\"\xed\xa0\x80\":{" + ok + `}}`, 8, "not valid UTF-8"},
		{"control character", "{\"a\nb\":{" + ok + `}}`, 8, "control character 10"},
		{"unknown escape", `{"\x":{` + ok + `}}`, 8, "unknown escape"},
		{"short escape", `{"\u00`, 0, "no end"},
		{"cut escape", `{"\`, 0, "no end"},
		{"bad hexadecimal", `{"\u00g0":{` + ok + `}}`, 8, "four hexadecimal digits"},
		{"high surrogate alone", `{"\ud83d":{` + ok + `}}`, 8, "surrogate"},
		{"low surrogate alone", `{"\ude42":{` + ok + `}}`, 8, "surrogate"},
		{"two high surrogates", `{"\ud83d\ud83d":{` + ok + `}}`, 8, "surrogate"},
		{"open string", `{"abc`, 0, "string has no end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseHeader([]byte(c.json), c.data)
			require.ErrorContains(t, err, c.want)
			require.Less(t, len(err.Error()), 400)
		})
	}
}

func TestParseHeaderAccepts(t *testing.T) {
	h, err := ParseHeader([]byte("{ \"b\\ud83d\\ude42\\n\\/\" : {\"data_offsets\" :\r[ 2 , 6 ] ,\t\"dtype\":\"F32\",\"shape\":[]},\n"+
		`"__metadata__":{"k":"\"\\\b\f\r\t\u00e9"},"a":{"shape":[1,2],"dtype":"I8","data_offsets":[0,2]},`+
		`"e":{"dtype":"F64","shape":[7,0],"data_offsets":[2,2]}}   `), 6)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "\"\\\b\f\r\té"}, h.Metadata)
	require.Len(t, h.Tensors, 3)
	require.Equal(t, Tensor{"a", I8, []int{1, 2}, 0, 2}, h.Tensors[0])
	require.Equal(t, Tensor{"e", F64, []int{7, 0}, 2, 2}, h.Tensors[1])
	require.Equal(t, Tensor{"b🙂\n/", F32, nil, 2, 6}, h.Tensors[2])
	require.Equal(t, 2, h.Tensors[0].Len())
	require.Equal(t, 0, h.Tensors[1].Len())
	require.Equal(t, 1, h.Tensors[2].Len())

	h, err = ParseHeader([]byte(`{}`), 0)
	require.NoError(t, err)
	require.Empty(t, h.Tensors)
	require.Equal(t, uint64(10), h.Size)
}
