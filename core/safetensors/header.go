// Package safetensors reads and writes the safetensors container: eight bytes
// of header length, a JSON header that names every tensor with its type, shape
// and place, and the tensors' little-endian data.
//
// The reader enforces the format's rules before it allocates anything whose
// size the file chooses, and takes a file in pieces of any size.
package safetensors

import (
	"math/bits"
	"sort"

	"github.com/ecor-clip/ecor/core/errs"
)

// Limits of the reader and the writer.
const (
	MaxHeader  = 100_000_000 // bytes of JSON; the format's own limit
	MaxTensors = 100_000
	MaxDims    = 32 // of one tensor
)

const metadataKey = "__metadata__"

// Tensor is one tensor's entry in the header.
type Tensor struct {
	Name       string
	DType      DType
	Shape      []int  // outermost first; empty for a scalar
	Begin, End uint64 // bytes from the start of the data section
}

// Len returns the number of elements.
func (t *Tensor) Len() int { return int((t.End - t.Begin) / uint64(t.DType.Size())) }

// Header describes a file. ParseHeader makes it.
type Header struct {
	Tensors  []Tensor // in the order of their data
	Metadata map[string]string
	Size     uint64 // bytes before the data section

	index map[string]int // name -> position in Tensors
}

// Tensor returns the tensor with the given name.
func (h *Header) Tensor(name string) (*Tensor, bool) {
	i, ok := h.index[name]
	if !ok {
		return nil, false
	}
	return &h.Tensors[i], true
}

// ParseHeader reads a file's JSON header, the bytes after the length, for a
// file with dataSize bytes of data. It accepts only what the format allows:
// unique keys, known fields and types, and tensors that lie one after another
// and fill the data section exactly.
func ParseHeader(json []byte, dataSize uint64) (*Header, error) {
	if len(json) > MaxHeader {
		return nil, errs.New("safetensors: header of ", len(json), " bytes: limit is ", MaxHeader)
	}
	h := &Header{Size: 8 + uint64(len(json)), index: map[string]int{}}
	s := scanner{b: json}
	if len(json) > 0 && json[0] != '{' {
		s.fail("the first byte is not {")
	}
	s.object(func(key string) {
		if key == metadataKey {
			h.Metadata = s.metadata(h.Metadata)
			return
		}
		if _, dup := h.index[key]; dup {
			s.fail("tensor ", errs.Quote(key), " appears twice")
			return
		}
		if len(h.Tensors) == MaxTensors {
			s.fail("more than ", MaxTensors, " tensors")
			return
		}
		h.index[key] = len(h.Tensors)
		h.Tensors = append(h.Tensors, s.tensor(key))
	})
	s.padding()
	if s.err != nil {
		return nil, s.err
	}
	return h, h.order(dataSize)
}

// byOffset orders tensors by where their data lies; tensors without data that
// lie at one place by name. (package sort has one copy of its code in the
// module, package slices one for each element type.)
type byOffset []Tensor

func (s byOffset) Len() int      { return len(s) }
func (s byOffset) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s byOffset) Less(i, j int) bool {
	a, b := &s[i], &s[j]
	switch {
	case a.Begin != b.Begin:
		return a.Begin < b.Begin
	case a.End != b.End:
		return a.End < b.End
	}
	return a.Name < b.Name
}

// order sorts the tensors by offset and checks that they fill dataSize bytes.
func (h *Header) order(dataSize uint64) error {
	sort.Sort(byOffset(h.Tensors))
	var end uint64
	for i := range h.Tensors {
		t := &h.Tensors[i]
		if t.Begin != end {
			kind := "leaves a hole"
			if t.Begin < end {
				kind = "overlaps the tensor before it"
			}
			return tensorError(t.Name, "data begins at byte ", t.Begin, " and ", kind, ": want ", end)
		}
		end = t.End
		h.index[t.Name] = i
	}
	if end != dataSize {
		return errs.New("safetensors: tensors end at byte ", end, " of the data section, the file has ", dataSize, " bytes of data")
	}
	return nil
}

// byteSize returns the bytes of a tensor, or ok = false where they do not fit
// in a uint64 or a dimension is negative.
func byteSize(d DType, shape []int) (n uint64, ok bool) {
	n = uint64(d.Size())
	for _, dim := range shape {
		hi, lo := bits.Mul64(n, uint64(dim))
		if dim < 0 || hi != 0 {
			return 0, false
		}
		n = lo
	}
	return n, true
}

func shapeText(shape []int) string {
	text := "["
	for i, dim := range shape {
		if i > 0 {
			text += ", "
		}
		text += errs.Text(dim)
	}
	return text + "]"
}

func tensorError(name string, parts ...any) error {
	return errs.New("safetensors: tensor ", errs.Quote(name), ": ", errs.Text(parts...))
}
