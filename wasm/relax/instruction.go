package relax

import (
	"errors"
	"fmt"
)

// Prefixes of instructions (WebAssembly core specification, binary format).
const (
	numericPrefix = 0xFC
	vectorPrefix  = 0xFD
	atomicPrefix  = 0xFE
)

var errShort = errors.New("cut off")

// A reader reads a part of a module. After an error it stays where it is and
// returns zeros.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) rest() []byte { return r.b[r.at:] }

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// take returns the next n bytes.
func (r *reader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.b)-r.at) {
		r.fail(errShort)
	}
	if r.err != nil {
		return make([]byte, max(0, min(n, 16)))
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

// leb reads a LEB128 number of at most so many bytes and returns its low 32
// bits, unsigned.
func (r *reader) leb(most int) uint32 {
	var v uint32
	for i := range most {
		b := r.take(1)[0]
		if i < 5 {
			v |= uint32(b&0x7f) << (7 * i)
		}
		if b < 0x80 {
			return v
		}
	}
	r.fail(fmt.Errorf("number of more than %d bytes", most))
	return 0
}

func (r *reader) u32() uint32 { return r.leb(5) }

// memory reads a memory operand: alignment and offset.
func (r *reader) memory() {
	r.u32()
	r.u32()
}

// locals reads the declarations at the beginning of a body.
func (r *reader) locals() {
	for range r.u32() {
		r.u32()
		if r.take(1); r.err != nil {
			return
		}
	}
}

// isBlockType reports whether b is a block type as Go writes it: none, or the
// type of one value. The index of a function type is another one, which Go does
// not write.
func isBlockType(b byte) bool { return b == 0x40 || b >= 0x7B && b <= 0x7F }

// instruction reads one instruction and returns how it changes the depth of
// blocks.
func (r *reader) instruction() (depth int) {
	switch op := r.take(1)[0]; {
	case op == 0x00, op == 0x01, op == 0x05, op == 0x0F: // unreachable, nop, else, return
	case op >= 0x02 && op <= 0x04: // block, loop, if
		if t := r.take(1)[0]; !isBlockType(t) {
			r.fail(fmt.Errorf("block type %#x, want none (0x40) or a value type", t))
		}
		return 1
	case op == 0x0B: // end
		return -1
	case op == 0x0C, op == 0x0D, op == 0x10: // br, br_if, call
		r.u32()
	case op == 0x0E: // br_table
		for range r.u32() {
			if r.u32(); r.err != nil {
				return 0
			}
		}
		r.u32()
	case op == 0x11: // call_indirect
		r.u32()
		r.u32()
	case op == 0x1A, op == 0x1B: // drop, select
	case op >= 0x20 && op <= 0x26: // locals, globals, tables
		r.u32()
	case op >= 0x28 && op <= 0x3E: // loads, stores
		r.memory()
	case op == 0x3F, op == 0x40: // memory.size, memory.grow
		r.take(1)
	case op == 0x41:
		r.leb(5)
	case op == 0x42:
		r.leb(10)
	case op == 0x43:
		r.take(4)
	case op == 0x44:
		r.take(8)
	case op >= 0x45 && op <= 0xC4: // numeric
	case op == numericPrefix:
		r.numeric(r.u32())
	case op == vectorPrefix:
		r.vector(r.u32())
	case op == atomicPrefix:
		r.atomic(r.u32())
	default:
		r.fail(fmt.Errorf("unknown opcode %#x", op))
	}
	return 0
}

// numeric reads what follows a saturating conversion or an operation on whole
// memories and tables.
func (r *reader) numeric(op uint32) {
	switch {
	case op <= 7: // conversions
	case op == 9, op == 13, op >= 15 && op <= 17: // data.drop, elem.drop, table.grow, table.size, table.fill
		r.u32()
	case op == 8, op == 10, op == 12, op == 14: // memory.init, memory.copy, table.init, table.copy
		r.u32()
		r.u32()
	case op == 11: // memory.fill
		r.take(1)
	default:
		r.fail(fmt.Errorf("unknown opcode 0xfc %#x", op))
	}
}

// unassigned are the vector opcodes between others that mean nothing.
const unassigned = "\x9a\xa2\xa5\xa6\xaf\xb0\xb2\xb3\xb4\xbb\xc2\xc5\xc6\xcf\xd0\xd2\xd3\xd4\xe2\xee"

func (r *reader) vector(op uint32) {
	switch {
	case op <= 0x0B, op == 0x5C, op == 0x5D: // loads, store
		r.memory()
	case op == 0x0C, op == 0x0D: // v128.const, i8x16.shuffle
		r.take(16)
	case op >= 0x15 && op <= 0x22: // lanes
		r.take(1)
	case op >= 0x54 && op <= 0x5B: // loads and stores of lanes
		r.memory()
		r.take(1)
	case op > last:
		r.fail(fmt.Errorf("unknown opcode 0xfd %#x", op))
	default:
		for _, none := range []byte(unassigned) {
			if op == uint32(none) {
				r.fail(fmt.Errorf("unassigned opcode 0xfd %#x", op))
			}
		}
	}
}

func (r *reader) atomic(op uint32) {
	switch {
	case op <= 0x02, op >= 0x10 && op <= 0x4E:
		r.memory()
	case op == 0x03: // fence
		r.take(1)
	default:
		r.fail(fmt.Errorf("unknown opcode 0xfe %#x", op))
	}
}
