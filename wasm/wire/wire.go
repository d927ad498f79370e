// Package wire is the byte format between the WebAssembly module and its hosts.
//
// A host writes a request into the module's input buffer, calls one operation
// and reads the response from the output buffer. Requests and responses are
// little-endian and have no padding:
//
//	u8, u32, u64    unsigned integers
//	bool            a byte, 0 or 1
//	f32             IEEE 754 binary32; the bits are kept as they are
//	string          u32 byte length, then UTF-8 bytes
//	list            u32 count, then that many items
//
// The TypeScript twin of this package is www/src/wire.ts; both are tested
// against the vectors in testdata.
package wire

import (
	"errors"
	"math"
	"runtime"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// ABI is the version of the module's exports and of this format.
const ABI = 2

// MaxRequest is the largest request in bytes. Weights, rows of pixels and
// embeddings are sent in chunks of at most this size.
const MaxRequest = 4 << 20

// Op selects what a call of the module does.
type Op uint32

// Operations, in the order in which a host normally uses them.
const (
	OpWeightsBegin  Op = 1  // WeightsBegin -> nothing
	OpWeightsChunk  Op = 2  // raw bytes -> nothing
	OpWeightsEnd    Op = 3  // nothing -> ModelInfo
	OpSetLabels     Op = 4  // LabelSet -> LabelsInfo
	OpSeed          Op = 5  // Seed -> nothing
	OpImageBegin    Op = 6  // ImageBegin -> nothing
	OpImageRows     Op = 7  // raw RGBA rows, top to bottom -> nothing
	OpClassifyBegin Op = 8  // ClassifyOptions -> nothing
	OpEmbedBegin    Op = 9  // EmbedBegin -> nothing
	OpStep          Op = 10 // nothing -> Progress
	OpAnswer        Op = 11 // nothing -> Answer, after a finished classification
	OpEmbedding     Op = 12 // nothing -> Embedding, after any finished job
	OpCancel        Op = 13 // nothing -> nothing
	OpEmbedTexts    Op = 14 // EmbedTexts -> nothing
)

// Status is the outcome of a call. Where it is not StatusOK, the response is a
// UTF-8 message for people.
type Status uint32

// Outcomes of a call.
const (
	StatusOK       Status = 0
	StatusBadInput Status = 1 // the request, the weights or the labels are wrong
	StatusLimit    Status = 2 // a limit is exceeded; the message names it
	StatusState    Status = 3 // the call came at the wrong time
	StatusInternal Status = 4 // a bug in the module; it stays usable
)

// Method is a way to score categories and rationales.
type Method uint8

// Scoring methods; P(c,r|I) is the joint probability of category and rationale.
const (
	MethodECOR        Method = 0 // P(r|I)·P(c|r,I)
	MethodCLIP        Method = 1 // P(c|I), r uniform over the category's own rationales
	MethodIndependent Method = 2 // P(r|I)·P(c|I)
	MethodInverted    Method = 3 // P(c|I)·P(r|c,I)
	MethodJoint       Method = 4 // one softmax over all (c, r)
)

var methodNames = [...]string{"ecor", "clip", "independent", "inverted", "joint"}

// Methods lists every method in the order of its number.
func Methods() []Method {
	return []Method{MethodECOR, MethodCLIP, MethodIndependent, MethodInverted, MethodJoint}
}

// String returns the name of the method as the command line spells it.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return "method " + strconv.Itoa(int(m))
}

// ParseMethod returns the method with the given name.
func ParseMethod(name string) (Method, error) {
	for i, n := range methodNames {
		if n == name {
			return Method(i), nil
		}
	}
	return 0, errors.New("unknown method \"" + name + "\": want ecor, clip, independent, inverted or joint")
}

// WeightsBegin announces a weights file.
type WeightsBegin struct {
	Size uint64 // bytes of the whole file
}

// ModelInfo describes loaded weights.
type ModelInfo struct {
	Name          string // such as "ecor-mini"
	Scheme        string // quantization scheme: "w8a7", "float32"
	License       string
	SourceSHA256  string // hash of the full-precision checkpoint, lower-case hex
	Kernel        string // kernel set in use: "simd128", "generic"
	ImageSize     uint32 // pixels on each side of the image tower's input
	ContextLength uint32 // tokens of the longest text, start and end included
	ProjectionDim uint32 // length of an embedding
	Parameters    uint64
	LogitScale    float32 // after exp
	Templates     Templates
}

// Templates are the prompts' patterns. {c} stands for the category and {r} for
// the rationale. With several patterns the mean of the normalised embeddings
// is used, renormalised.
type Templates struct {
	Category    []string // {c}
	Rationale   []string // {r}
	Conditional []string // {c} and {r}
}

// Category is one category with its rationales.
type Category struct {
	Name       string
	Rationales []string
}

// LabelSet is what a photo is classified into.
type LabelSet struct {
	Templates  Templates // an empty list takes the weights' own
	Categories []Category
	CacheBytes uint32 // bound of the stage-2 text cache; 0 takes the default
	Checked    bool   // the labels are known to fit into the context length: no warnings are wanted
}

// DistinctRationales returns every rationale once, in the order of its first
// appearance. Rationale embeddings and Seed use this order.
func (s *LabelSet) DistinctRationales() []string {
	var out []string
	seen := make(map[string]bool)
	for _, c := range s.Categories {
		for _, r := range c.Rationales {
			if !seen[r] {
				seen[r] = true
				out = append(out, r)
			}
		}
	}
	return out
}

// LabelsInfo answers OpSetLabels.
type LabelsInfo struct {
	Categories uint32
	Rationales uint32   // distinct
	Warnings   []string // such as prompts that were cut at the context length
}

// SeedKind says which prompts' embeddings a Seed carries.
type SeedKind uint8

// Kinds of seeds.
const (
	SeedCategories SeedKind = 0
	SeedRationales SeedKind = 1
)

// Seed carries precomputed prompt embeddings of the current label set, so that
// the module need not encode them. They must come from the same weights and
// templates.
type Seed struct {
	Kind  SeedKind
	First uint32    // index of the first category or distinct rationale
	Dim   uint32    // length of one embedding
	Data  []float32 // (count, Dim), unit length rows
}

// ImageBegin announces a photo's pixels.
type ImageBegin struct {
	Width, Height uint32
}

// ClassifyOptions starts a classification of the photo that was sent last, or
// of Embedding where it is not empty.
type ClassifyOptions struct {
	Method        Method
	Top           uint32  // categories in the answer; 0 = 5
	TopRationales uint32  // rationales per category in the answer; 0 = 3
	Coverage      float32 // stage-1 probability mass to reach; 0 = 0.99
	MaxRationales uint32  // rationales kept for stage 2 at most; 0 = 32
	Embedding     []float32
}

// EmbedBegin starts the embedding of Text, or of the photo that was sent last
// where Text is empty.
type EmbedBegin struct {
	Text string
}

// EmbedTexts starts the embedding of texts, at most 4096 of at most 800 bytes.
type EmbedTexts struct {
	Texts []string
}

// Phase is what a job is doing.
type Phase uint8

// Phases of a job.
const (
	PhaseImage  Phase = 0 // image tower
	PhaseStage1 Phase = 1 // category and rationale prompts
	PhaseStage2 Phase = 2 // conditional prompts of the kept rationales
	PhaseDone   Phase = 3
)

// Progress answers OpStep. Done and Total count steps of the current phase.
type Progress struct {
	Phase Phase
	Done  uint32
	Total uint32
}

// Answer is the result of a classification.
type Answer struct {
	Method         Method
	Kept           uint32  // rationales that stage 2 was computed for
	Uncovered      float32 // stage-1 mass of the rationales that were not kept
	Categories     []CategoryScore
	ImageEmbedding []float32 // unit length
}

// CategoryScore is one category of an answer.
type CategoryScore struct {
	Category    string
	Probability float32 // P(c|I)
	Rationales  []RationaleScore
}

// RationaleScore is one rationale behind a category.
type RationaleScore struct {
	Rationale string
	Joint     float32 // P(c,r|I)
}

// Embedding answers OpEmbedding.
type Embedding struct {
	Values []float32 // unit length; after OpEmbedTexts those of all texts, one after the other
}

// Message is a request or response.
type Message interface {
	// Append appends the encoded message to b.
	Append(b []byte) []byte
	// Decode reads the message from all of b. Slices do not alias b.
	Decode(b []byte) error
}

// ErrShort means that a message ends too early.
var ErrShort = errors.New("wire: message ends early")

// A reader takes values off the front of a message and remembers the first error.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b) {
		r.err = ErrShort
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u8() uint8 {
	p := r.take(1)
	if p == nil {
		return 0
	}
	return p[0]
}

func (r *reader) bool() bool {
	v := r.u8()
	if v > 1 && r.err == nil {
		r.err = errors.New("wire: a bool is neither 0 nor 1")
	}
	return v == 1
}

func (r *reader) u32() uint32 {
	p := r.take(4)
	if p == nil {
		return 0
	}
	return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
}

func (r *reader) u64() uint64 {
	lo := uint64(r.u32())
	return lo | uint64(r.u32())<<32
}

func (r *reader) f32() float32 { return math.Float32frombits(r.u32()) }

func (r *reader) str() string {
	n := r.u32()
	if uint64(n) > uint64(len(r.b)) {
		if r.err == nil {
			r.err = ErrShort
		}
		return ""
	}
	p := r.take(int(n))
	if !utf8.Valid(p) && r.err == nil {
		r.err = errors.New("wire: text of " + strconv.Itoa(len(p)) + " bytes is not valid UTF-8")
	}
	return string(p)
}

// count reads a list's length; each item takes at least size bytes.
func (r *reader) count(size int) int {
	n := r.u32()
	if r.err == nil && uint64(n)*uint64(size) > uint64(len(r.b)) {
		r.err = ErrShort
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) strs() []string {
	n := r.count(4)
	if n == 0 {
		return nil
	}
	out := make([]string, 0, n)
	for range n {
		out = append(out, r.str())
	}
	return out
}

func (r *reader) f32s() []float32 {
	n := r.count(4)
	if n == 0 {
		return nil
	}
	out := make([]float32, n)
	if littleEndian {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&out[0])), 4*n), r.b)
		r.b = r.b[4*n:]
		return out
	}
	for i := range out {
		out[i] = r.f32()
	}
	return out
}

// littleEndian says that values in memory are known to have the bytes that they have in a message.
const littleEndian = runtime.GOARCH == "wasm" || runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"

// end reports the first error, or that bytes are left over.
func (r *reader) end() error {
	if r.err == nil && len(r.b) != 0 {
		r.err = errors.New("wire: " + strconv.Itoa(len(r.b)) + " bytes after the end of the message")
	}
	return r.err
}

func appendU32(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

func appendU64(b []byte, v uint64) []byte {
	return appendU32(appendU32(b, uint32(v)), uint32(v>>32))
}

func appendF32(b []byte, v float32) []byte { return appendU32(b, math.Float32bits(v)) }

func appendStr(b []byte, s string) []byte {
	return append(appendU32(b, uint32(len(s))), s...)
}

func appendStrs(b []byte, s []string) []byte {
	b = appendU32(b, uint32(len(s)))
	for _, v := range s {
		b = appendStr(b, v)
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendF32s(b []byte, s []float32) []byte {
	b = appendU32(b, uint32(len(s)))
	for _, v := range s {
		b = appendF32(b, v)
	}
	return b
}
