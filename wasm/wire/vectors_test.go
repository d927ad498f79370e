package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/vectors.json and testdata/refused.json")

// A vector is a message, its fields and its bytes. Field names are in
// lowerCamelCase, enumerations are numbers, a float32 is the number it holds
// or, where JSON has no such number, {"f32bits": its bits}.
type vector struct {
	Message string `json:"message"`
	JSON    any    `json:"json"`
	Hex     string `json:"hex"`
}

// A refusal is bytes that must not decode as the message, and why.
type refusal struct {
	Message string `json:"message"`
	Hex     string `json:"hex"`
	Why     string `json:"why"`
}

// examples holds the messages behind testdata/vectors.json.
func examples() []Message {
	subnormal := math.Float32frombits(1)
	specials := []float32{
		float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
		float32(math.Copysign(0, -1)), subnormal, math.MaxFloat32, 0.1, -1.0 / 3,
	}
	templates := Templates{
		Category:    []string{"a photo of a {c}"},
		Rationale:   []string{"This is a photo of an object because there is {r}"},
		Conditional: []string{"because there is {r}, this is a photo of a {c}", "This is a photo of a {c} because there is {r}"},
	}
	return []Message{
		&WeightsBegin{},
		&WeightsBegin{Size: 12_345_678},
		&WeightsBegin{Size: 1<<53 - 1},
		&ModelInfo{},
		&ModelInfo{
			Name: "ecor-mini", Scheme: "w8a7", License: "CC-BY-4.0", SourceSHA256: strings.Repeat("0af9", 16),
			Kernel: "simd128", ImageSize: 96, ContextLength: 32, ProjectionDim: 256, Parameters: 12_000_000_000,
			LogitScale: 14.285714, Templates: templates,
		},
		&LabelSet{},
		&LabelSet{
			Templates: templates, CacheBytes: 16 << 20, Checked: true,
			Categories: []Category{
				{Name: "zebra", Rationales: []string{"black and white stripes", "four legs"}},
				{Name: "café", Rationales: []string{"Tische draußen"}},
				{Name: "猫", Rationales: []string{"ひげ", "🐾", ""}},
				{Name: "rock"},
			},
		},
		&LabelsInfo{},
		&LabelsInfo{Categories: 4096, Rationales: math.MaxUint32, Warnings: []string{"prompt 3 was cut to 32 tokens", ""}},
		&Seed{},
		&Seed{Kind: SeedRationales, First: 7, Dim: 3, Data: []float32{0.6, 0, 0.8, -0.6, 0.8, 0}},
		&Seed{Kind: SeedCategories, Dim: uint32(len(specials)), Data: specials},
		&ImageBegin{},
		&ImageBegin{Width: 8064, Height: math.MaxUint32},
		&ClassifyOptions{},
		&ClassifyOptions{Method: MethodJoint, Top: 5, TopRationales: 3, Coverage: 0.99, MaxRationales: 32, Embedding: []float32{0.6, -0.8}},
		&EmbedBegin{},
		&EmbedBegin{Text: "a photo of a 🦓 with \"stripes\"\n\x00"},
		&EmbedTexts{},
		&EmbedTexts{Texts: []string{"a photo of a 🦓", "", "a photo of a cat"}},
		&Progress{},
		&Progress{Phase: PhaseStage2, Done: 31, Total: 32},
		&Answer{},
		&Answer{
			Method: MethodIndependent, Kept: 12, Uncovered: 0.0078125,
			Categories: []CategoryScore{
				{Category: "zebra", Probability: 0.71, Rationales: []RationaleScore{
					{Rationale: "black and white stripes", Joint: 0.41}, {Rationale: "four legs", Joint: subnormal},
				}},
				{Category: "Pferd", Probability: 0.25},
			},
			ImageEmbedding: []float32{0.6, -0.8, float32(math.Copysign(0, -1))},
		},
		&Answer{Uncovered: float32(math.NaN()), Categories: []CategoryScore{{Probability: float32(math.Inf(1))}}},
		&Embedding{},
		&Embedding{Values: specials},
	}
}

func refusals() []refusal {
	var out []refusal
	add := func(kind, why string, b []byte) {
		out = append(out, refusal{Message: kind, Hex: hex.EncodeToString(b), Why: why})
	}
	add("WeightsBegin", "ends early", make([]byte, 7))
	add("Progress", "ends early", nil)
	add("Progress", "a byte is left over", append(new(Progress).Append(nil), 0))
	add("EmbedBegin", "string longer than the message", append(appendU32(nil, 5), "four"...))
	add("EmbedBegin", "string of 4 GiB", appendU32(nil, math.MaxUint32))
	add("EmbedBegin", "invalid UTF-8", appendStr(nil, "caf\xe9"))
	add("EmbedBegin", "invalid UTF-8: a surrogate", appendStr(nil, "\xed\xa0\x80"))
	add("EmbedBegin", "invalid UTF-8: an overlong form", appendStr(nil, "\xc0\xaf"))
	add("Embedding", "list of 2^30 numbers", appendU32(nil, 1<<30))
	add("Embedding", "list of 2^32-1 numbers", append(appendU32(nil, math.MaxUint32), make([]byte, 64)...))
	add("LabelsInfo", "list of 2^32-1 strings", append(new(LabelsInfo).Append(nil)[:8], 0xff, 0xff, 0xff, 0xff))
	add("LabelSet", "ends before cacheBytes", new(LabelSet).Append(nil)[:16])
	add("LabelSet", "neither true nor false", append(new(LabelSet).Append(nil)[:20], 2))
	add("Answer", "list of 2^31 categories", append(new(Answer).Append(nil)[:9], 0, 0, 0, 0x80, 0, 0, 0, 0))
	return out
}

func TestVectors(t *testing.T) {
	var vectors []vector
	seen := map[string]int{}
	for _, m := range examples() {
		seen[name(m)]++
		vectors = append(vectors, vector{
			Message: name(m), JSON: fields(reflect.ValueOf(m).Elem()), Hex: hex.EncodeToString(m.Append(nil)),
		})
	}
	for kind := range messages {
		assert.GreaterOrEqual(t, seen[kind], 2, "%s needs an empty and a full example", kind)
	}
	golden(t, "testdata/vectors.json", vectors)
}

func TestRefusals(t *testing.T) {
	for _, r := range refusals() {
		b, err := hex.DecodeString(r.Hex)
		require.NoError(t, err)
		require.Error(t, messages[r.Message]().Decode(b), "%s: %s", r.Message, r.Why)
	}
	golden(t, "testdata/refused.json", refusals())
}

// golden compares v's JSON, one item of the list a line, with the file.
func golden[T any](t *testing.T, path string, v []T) {
	t.Helper()
	var b bytes.Buffer
	for i, item := range v {
		line, err := json.Marshal(item)
		require.NoError(t, err)
		b.WriteString([]string{"[\n", ",\n"}[min(i, 1)])
		b.Write(line)
	}
	b.WriteString("\n]\n")
	if *update {
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "%s: the format changed; if that is meant, raise ABI and run with -update", path)
}

// fields returns v as JSON values, in the form that vector describes.
func fields(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			out[lowerCamel(v.Type().Field(i).Name)] = fields(v.Field(i))
		}
		return out
	case reflect.Slice:
		out := []any{}
		for i := range v.Len() {
			out = append(out, fields(v.Index(i)))
		}
		return out
	case reflect.Float32:
		f := float32(v.Float())
		bits := math.Float32bits(v.Interface().(float32))
		if f != f || math.IsInf(v.Float(), 0) || bits == 1<<31 {
			return map[string]any{"f32bits": bits}
		}
		return v.Float()
	default:
		return v.Interface()
	}
}

func lowerCamel(s string) string {
	s = strings.ReplaceAll(s, "SHA256", "Sha256")
	return strings.ToLower(s[:1]) + s[1:]
}

// TestEveryMessageIsListed finds the types with a Decode method in the source.
func TestEveryMessageIsListed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "messages.go", nil, 0)
	require.NoError(t, err)
	found := 0
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "Decode" {
			continue
		}
		found++
		kind := f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name
		assert.Contains(t, messages, kind)
	}
	assert.Len(t, messages, found)
}
