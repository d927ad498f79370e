package safetensors

import (
	"github.com/ecor-clip/ecor/core/errs"
)

// Handler receives a file's contents from a Decoder, in order.
type Handler interface {
	// Header is called once, before any data.
	Header(h *Header) error
	// Data is called with consecutive pieces of each tensor in turn: p holds
	// whole elements, the first of which lies off bytes into the tensor. p is
	// valid only during the call and need not be aligned. Tensors without
	// elements have no pieces.
	Data(t *Tensor, off uint64, p []byte) error
}

// Decoder parses a file that arrives in pieces of any size. It holds the
// header and at most one element of data.
type Decoder struct {
	handler Handler
	size    uint64 // of the file
	written uint64
	err     error // the first error; every later call returns it

	prefix [8]byte // the length of the JSON header
	json   []byte
	header *Header // nil until it is complete

	next    int    // the tensor being read, an index into header.Tensors
	off     uint64 // bytes of it handed over
	partial [8]byte
	held    int // bytes in partial: the beginning of an element
}

// NewDecoder returns a decoder for a file of fileSize bytes.
func NewDecoder(fileSize uint64, h Handler) (*Decoder, error) {
	if fileSize < 8 {
		return nil, errs.New("safetensors: file of ", fileSize, " bytes is shorter than the 8 bytes of the header's length")
	}
	return &Decoder{handler: h, size: fileSize}, nil
}

// Write takes the next bytes of the file. After an error, which may be the
// handler's, every call returns that error.
func (d *Decoder) Write(p []byte) error {
	if d.err == nil {
		d.err = d.write(p)
	}
	return d.err
}

// Close reports whether the whole file was written. The decoder cannot be
// used afterwards.
func (d *Decoder) Close() error {
	if d.err != nil {
		return d.err
	}
	if d.written < d.size {
		where := "header"
		if d.header != nil {
			where = "tensor " + errs.Quote(d.header.Tensors[d.next].Name)
		}
		d.err = errs.New("safetensors: file ends in ", where, " after ", d.written, " of ", d.size, " bytes")
		return d.err
	}
	d.err = errs.New("safetensors: decoder is closed")
	return nil
}

func (d *Decoder) write(p []byte) error {
	if uint64(len(p)) > d.size-d.written {
		return errs.New("safetensors: file is longer than the announced ", d.size, " bytes")
	}
	for d.header == nil && len(p) > 0 {
		n, err := d.writeHeader(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	if d.header == nil {
		return nil
	}
	return d.writeData(p)
}

// writeHeader consumes bytes of the length or of the JSON header and returns
// their number.
func (d *Decoder) writeHeader(p []byte) (int, error) {
	if d.written < 8 {
		n := copy(d.prefix[d.written:], p)
		d.written += uint64(n)
		if d.written < 8 {
			return n, nil
		}
		size, err := headerSize(d.prefix[:], d.size)
		if err != nil {
			return n, err
		}
		d.json = make([]byte, 0, min(size, 1<<20)) // beyond that, grow with what arrives
		return n, nil
	}
	size := uint64At(d.prefix[:])
	n := min(len(p), int(size)-len(d.json))
	d.json = append(d.json, p[:n]...)
	d.written += uint64(n)
	if len(d.json) < int(size) {
		return n, nil
	}
	h, err := ParseHeader(d.json, d.size-8-size)
	d.json = nil
	if err != nil {
		return n, err
	}
	d.header = h
	return n, d.handler.Header(h)
}

// headerSize reads and checks the length of the JSON header in a file of
// fileSize bytes.
func headerSize(prefix []byte, fileSize uint64) (uint64, error) {
	size := uint64At(prefix)
	switch {
	case size == 0:
		return 0, errs.New("safetensors: header is empty")
	case size > MaxHeader:
		return 0, errs.New("safetensors: header of ", size, " bytes: limit is ", MaxHeader)
	case size > fileSize-8:
		return 0, errs.New("safetensors: header of ", size, " bytes does not fit in a file of ", fileSize, " bytes")
	}
	return size, nil
}

// writeData hands p over, cut at the ends of tensors and of elements.
func (d *Decoder) writeData(p []byte) error {
	d.written += uint64(len(p))
	for len(p) > 0 {
		t := &d.header.Tensors[d.next]
		left := t.End - t.Begin - d.off - uint64(d.held)
		if left == 0 {
			d.next++
			d.off = 0
			continue
		}
		part := p[:min(uint64(len(p)), left)]
		p = p[len(part):]
		if err := d.writeTensor(t, part); err != nil {
			return err
		}
	}
	return nil
}

// writeTensor hands over the whole elements among the held bytes and p, and
// holds the rest. p lies inside t.
func (d *Decoder) writeTensor(t *Tensor, p []byte) error {
	size := t.DType.Size()
	if d.held > 0 {
		n := copy(d.partial[d.held:size], p)
		d.held += n
		p = p[n:]
		if d.held < size {
			return nil
		}
		d.held = 0
		if err := d.hand(t, d.partial[:size]); err != nil {
			return err
		}
	}
	whole := len(p) / size * size
	d.held = copy(d.partial[:], p[whole:])
	if whole == 0 {
		return nil
	}
	return d.hand(t, p[:whole])
}

func (d *Decoder) hand(t *Tensor, p []byte) error {
	off := d.off
	d.off += uint64(len(p))
	return d.handler.Data(t, off, p)
}

// Decode parses a whole file. data maps each tensor's name to its bytes, which
// are parts of b.
func Decode(b []byte) (h *Header, data map[string][]byte, err error) {
	if len(b) < 8 {
		return nil, nil, errs.New("safetensors: file of ", len(b), " bytes is shorter than the 8 bytes of the header's length")
	}
	size, err := headerSize(b, uint64(len(b)))
	if err != nil {
		return nil, nil, err
	}
	body := b[8:]
	h, err = ParseHeader(body[:size], uint64(len(body))-size)
	if err != nil {
		return nil, nil, err
	}
	body = body[size:]
	data = make(map[string][]byte, len(h.Tensors))
	for i := range h.Tensors {
		t := &h.Tensors[i]
		data[t.Name] = body[t.Begin:t.End:t.End]
	}
	return h, data, nil
}

// uint64At reads a little-endian number. (encoding/binary would bring reflect
// into the module.)
func uint64At(p []byte) (v uint64) {
	for i := range 8 {
		v |= uint64(p[i]) << (8 * i)
	}
	return v
}
