// Package relax repairs relaxed SIMD instructions in modules that Go 1.27
// writes.
//
// The opcode of such an instruction is 0xFD and a LEB128 number from 0x100 on,
// the bytes FD 93 02 for example. Go's assembler writes FD 93 01 02, which is
// another instruction and the beginning of a block. With the last two bytes
// exchanged it is the right one, followed by a nop. (Go writes a nop after every
// vector instruction from 0x80 on, too, so that FD 93 01 02 is nothing else in
// its code.)
//
// Where the four bytes are a vector instruction and the beginning of a block,
// the block's type follows. As instructions these bytes take integers, so they
// never follow the vector that a relaxed instruction leaves: the byte after the
// four says which of the two they are.
package relax

import (
	"bytes"
	"fmt"
)

// Relaxed SIMD opcodes.
const (
	first = 0x100
	last  = 0x113 // i32x4.relaxed_dot_i8x16_i7x16_add_s
)

const codeSection = 10

var magic = []byte("\x00asm\x01\x00\x00\x00")

// Repair returns the module with its relaxed SIMD instructions repaired, and
// their number. It reads the code section instruction by instruction and
// changes nothing else. Functions that are right as they are stay so, and so
// does a whole module of a toolchain without the fault. An instruction that it
// does not know is an error.
func Repair(module []byte) (repaired []byte, n int, err error) {
	out := bytes.Clone(module)
	err = eachFunction(out, func(index, offset int, body []byte) error {
		places, err := faultyPlaces(body)
		if err != nil {
			return fmt.Errorf("function %d, offset %#x: %w", index, offset, err)
		}
		for _, at := range places {
			body[at+2], body[at+3] = body[at+3], body[at+2]
		}
		n += len(places)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return out, n, nil
}

// Count returns the number of relaxed SIMD instructions of a module.
func Count(module []byte) (n int, err error) {
	err = eachFunction(module, func(index, offset int, body []byte) error {
		r := &reader{b: body}
		r.locals()
		for r.err == nil && r.at < len(body) {
			at := r.at
			r.instruction()
			if op := (&reader{b: body, at: at + 1}); body[at] == vectorPrefix && op.u32() >= first {
				n++
			}
		}
		if r.err != nil {
			return fmt.Errorf("function %d, offset %#x: %w", index, offset, r.err)
		}
		return nil
	})
	return n, err
}

// faultyPlaces reads a function's body to its end and returns the places at
// which there is what Go writes for a relaxed instruction.
func faultyPlaces(body []byte) (places []int, err error) {
	r := &reader{b: body}
	r.locals()
	for depth := 1; depth > 0; {
		at := r.at
		if isFaulty(r.rest()) {
			places = append(places, at)
			r.take(4)
			continue
		}
		depth += r.instruction()
		if r.err != nil {
			return nil, fmt.Errorf("instruction at %#x: %w", at, r.err)
		}
	}
	if r.at != len(body) {
		return nil, fmt.Errorf("%d bytes after the end of a body of %d", len(body)-r.at, len(body))
	}
	return places, nil
}

// isFaulty reports whether b begins with what Go writes for a relaxed
// instruction and not with another one and a block.
func isFaulty(b []byte) bool {
	return len(b) > 4 && b[0] == vectorPrefix && b[1] >= 0x80 && int(b[1])-0x80+first <= last && b[2] == 1 && b[3] == 2 && !isBlockType(b[4])
}

// eachFunction calls f with the body of every function of a module, and its
// offset there.
func eachFunction(module []byte, f func(index, offset int, body []byte) error) error {
	if !bytes.HasPrefix(module, magic) {
		return fmt.Errorf("%d bytes that do not begin as a WebAssembly 1.0 module", len(module))
	}
	r := &reader{b: module, at: len(magic)}
	for r.at < len(module) && r.err == nil {
		id := r.take(1)
		size := int(r.u32())
		start := r.at
		section := r.take(size)
		if r.err != nil {
			break
		}
		if id[0] != codeSection {
			continue
		}
		code := &reader{b: section}
		for i := range int(code.u32()) {
			size := int(code.u32())
			at := code.at
			body := code.take(size)
			if code.err != nil {
				return fmt.Errorf("code section: function %d: %w", i, code.err)
			}
			if err := f(i, start+at, body); err != nil {
				return err
			}
		}
		if code.err == nil && code.at != len(section) {
			code.err = fmt.Errorf("%d bytes after its last function", len(section)-code.at)
		}
		if code.err != nil {
			return fmt.Errorf("code section: %w", code.err)
		}
	}
	if r.err != nil {
		return fmt.Errorf("section at %#x: %w", r.at, r.err)
	}
	return nil
}
