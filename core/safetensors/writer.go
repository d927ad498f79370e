package safetensors

import (
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/ecor-clip/ecor/core/errs"
)

// TensorData is a tensor to write.
type TensorData struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte // little-endian elements, rows one after another
}

// Write writes a file: the metadata by key, the tensors in the given order.
// The header is padded with spaces so that the data begins at a multiple of
// eight bytes. The same arguments give the same bytes.
func Write(w io.Writer, metadata map[string]string, tensors []TensorData) error {
	layout := make([]Tensor, len(tensors))
	for i := range tensors {
		t := &tensors[i]
		layout[i] = Tensor{Name: t.Name, DType: t.DType, Shape: t.Shape}
	}
	head, err := Layout(metadata, layout)
	if err != nil {
		return err
	}
	for i := range tensors {
		if have, want := uint64(len(tensors[i].Data)), layout[i].End-layout[i].Begin; have != want {
			return tensorError(tensors[i].Name, have, " bytes of data do not fit shape ", shapeText(layout[i].Shape), " of ", layout[i].DType.String())
		}
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for i := range tensors {
		if _, err := w.Write(tensors[i].Data); err != nil {
			return err
		}
	}
	return nil
}

// Layout places the tensors one after another, as Write does: it sets their
// Begin and End and returns the bytes of a file that come before the data.
func Layout(metadata map[string]string, tensors []Tensor) ([]byte, error) {
	head, err := appendHeader(make([]byte, 8), metadata, tensors)
	if err != nil {
		return nil, err
	}
	for len(head)%8 != 0 {
		head = append(head, ' ')
	}
	if len(head)-8 > MaxHeader {
		return nil, errs.New("safetensors: header of ", len(head)-8, " bytes: limit is ", MaxHeader)
	}
	for i, n := 0, uint64(len(head)-8); i < 8; i++ {
		head[i] = byte(n >> (8 * i))
	}
	return head, nil
}

func appendHeader(b []byte, metadata map[string]string, tensors []Tensor) ([]byte, error) {
	if len(tensors) > MaxTensors {
		return nil, errs.New("safetensors: ", len(tensors), " tensors: limit is ", MaxTensors)
	}
	b = append(b, '{')
	if len(metadata) > 0 {
		b = append(b, `"`+metadataKey+`":{`...)
		keys := make([]string, 0, len(metadata))
		for key := range metadata {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for i, key := range keys {
			value := metadata[key]
			if !utf8.ValidString(key) || !utf8.ValidString(value) {
				return nil, errs.New("safetensors: metadata ", errs.Quote(key), " is not valid UTF-8")
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONString(b, key)
			b = append(b, ':')
			b = appendJSONString(b, value)
		}
		b = append(b, '}')
	}
	var end uint64
	names := make(map[string]bool, len(tensors))
	for i := range tensors {
		t := &tensors[i]
		size, err := t.check()
		if err != nil {
			return nil, err
		}
		if names[t.Name] {
			return nil, tensorError(t.Name, "appears twice")
		}
		names[t.Name] = true
		if i > 0 || len(metadata) > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, t.Name)
		b = append(b, `:{"dtype":"`+t.DType.String()+`","shape":[`...)
		for j, dim := range t.Shape {
			if j > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(dim), 10)
		}
		b = append(b, `],"data_offsets":[`...)
		t.Begin, t.End = end, end+size
		if t.End < t.Begin {
			return nil, tensorError(t.Name, "the tensors up to it have more bytes than fit in 64 bits")
		}
		b = strconv.AppendUint(b, t.Begin, 10)
		b = append(b, ',')
		b = strconv.AppendUint(b, t.End, 10)
		end = t.End
		b = append(b, "]}"...)
	}
	return append(b, '}'), nil
}

// check reports what would make the written file unreadable, and returns the
// bytes of the tensor's data.
func (t *Tensor) check() (size uint64, err error) {
	if t.Name == metadataKey {
		return 0, tensorError(t.Name, "the name is reserved")
	}
	if !utf8.ValidString(t.Name) {
		return 0, tensorError(t.Name, "the name is not valid UTF-8")
	}
	if int(t.DType) >= len(dtypes) {
		return 0, tensorError(t.Name, "unknown ", t.DType.String())
	}
	if len(t.Shape) > MaxDims {
		return 0, tensorError(t.Name, len(t.Shape), " dimensions: limit is ", MaxDims)
	}
	size, ok := byteSize(t.DType, t.Shape)
	if !ok {
		return 0, tensorError(t.Name, "no file can hold shape ", shapeText(t.Shape), " of ", t.DType.String())
	}
	return size, nil
}

func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= '\b' && c <= '\r' && c != '\v':
			b = append(b, '\\', "btn.fr"[c-'\b'])
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
