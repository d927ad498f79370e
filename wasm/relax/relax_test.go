package relax_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/ecor-clip/ecor/wasm/relax"
	"github.com/ecor-clip/ecor/wasm/wasmtest"
)

const (
	faulty  = "\xfd\x93\x01\x02" // what Go writes for the relaxed dot product
	correct = "\xfd\x93\x02\x01" // the instruction and a nop
)

// dots is a body that takes three vectors and returns one: the instructions in
// dot on its parameters.
func dots(dot string) string { return "\x00\x20\x00\x20\x01\x20\x02" + dot + "\x0b" }

// module returns a module with one memory, a data segment and functions from
// three vectors to one.
func module(data string, bodies ...string) []byte {
	section := func(id byte, content string) string {
		return string(append([]byte{id}, binary.AppendUvarint(nil, uint64(len(content)))...)) + content
	}
	count := func(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }
	code := count(len(bodies))
	for _, b := range bodies {
		code += count(len(b)) + b
	}
	return []byte("\x00asm\x01\x00\x00\x00" +
		section(1, "\x01\x60\x03\x7b\x7b\x7b\x01\x7b") +
		section(3, count(len(bodies))+string(make([]byte, len(bodies)))) +
		section(5, "\x01\x00\x01") +
		section(10, code) +
		section(11, "\x01\x00\x41\x00\x0b"+count(len(data))+data) +
		section(0, "\x04note"+faulty))
}

// validate has wazero check structure and types. It has no relaxed SIMD, so the
// instruction is replaced by another that takes three vectors and returns one.
func validate(t *testing.T, m []byte) {
	t.Helper()
	const bitselect = "\xfd\x52\x01\x01"
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer r.Close(ctx)
	_, err := r.CompileModule(ctx, bytes.ReplaceAll(m, []byte(correct), []byte(bitselect)))
	require.NoError(t, err)
}

func TestRepair(t *testing.T) {
	// Every place where the pattern is no instruction: constants, lane numbers
	// and offsets of vectors, branch tables, numbers of locals, data.
	elsewhere := "\x01\x93\x01\x7f" + // 147 locals
		"\x41\xfd\x93\x01" + "\x1a" + // i32.const, i64.const
		"\x42\xfd\x93\x81\x02" + "\x1a" +
		"\x43" + faulty + "\x1a" +
		"\x44" + faulty + faulty + "\x1a" +
		"\xfd\x0c" + faulty + faulty + faulty + faulty + "\x1a" + // v128.const
		"\x41\x00\x28\x02\xfd\x93\x01" + "\x1a" + // i32.load
		"\x20\x00\x20\x01\xfd\x93\x01" + "\x01\x1a" + // i16x8.sub_sat_u, nop: what Go writes for it
		"\x02\x40\x41\x00\x0e\x01\x00\x00\x0b" + // block, br_table
		"\x20\x00" + "\x0b"
	in := module(faulty+correct+faulty, dots(faulty), elsewhere, dots(correct), dots(faulty+"\x20\x00\x20\x01"+faulty))
	out, n, err := relax.Repair(in)
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	assert.Equal(t, module(faulty+correct+faulty, dots(correct), elsewhere, dots(correct), dots(correct+"\x20\x00\x20\x01"+correct)), out)
	assert.Contains(t, string(in), dots(faulty), "the input is left alone")
	uses, err := relax.Count(out)
	require.NoError(t, err)
	assert.Equal(t, 4, uses)
	again, n, err := relax.Repair(out)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, out, again)
}

// TestRepairLeavesRightCode has the pattern as two instructions that mean it: a
// subtraction and the beginning of a block.
func TestRepairLeavesRightCode(t *testing.T) {
	right := module("", "\x00\x20\x00\x20\x01\xfd\x93\x01"+"\x02\x40\x0b\x0b", dots(correct), dots("\xfd\x93\x02"))
	validate(t, bytes.ReplaceAll(right, []byte("\xfd\x93\x02\x0b"), []byte("\xfd\x52\x01\x0b")))
	out, n, err := relax.Repair(right)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, right, out)
}

// TestRepairBeforeBlock has a faulty instruction right before the beginning of a
// block, which read as it stands is well-formed, too: a subtraction, a block of
// function type 2, 3 or 4, memory.grow.
func TestRepairBeforeBlock(t *testing.T) {
	for _, block := range []string{"\x02\x40\x01\x0b", "\x03\x40\x01\x0b", "\x04\x40\x01\x0b", "\x02\x7b\x0b\x1a"} {
		out, n, err := relax.Repair(module("", dots(faulty+block)))
		require.NoError(t, err, "% x", block)
		assert.Equal(t, 1, n, "% x", block)
		assert.Equal(t, module("", dots(correct+block)), out)
	}
}

// TestRepairBesideRightCode has the pattern as both in one body.
func TestRepairBesideRightCode(t *testing.T) {
	const right = "\x20\x00\x20\x01\xfd\x93\x01" + "\x02\x40\x0b\x1a" + "\x20\x00\x20\x01\xfd\x93\x01" + "\x02\x7f\x41\x00\x0b\x1a\x1a"
	out, n, err := relax.Repair(module("", dots(faulty+right)))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, module("", dots(correct+right)), out)
	validate(t, out)
}

// TestRepairRelaxedOpcodes has every relaxed instruction as Go writes it.
func TestRepairRelaxedOpcodes(t *testing.T) {
	for low := byte(0x80); low <= 0x93; low++ {
		out, n, err := relax.Repair(module("", dots("\xfd"+string([]byte{low})+"\x01\x02")))
		require.NoError(t, err, "%#x", low)
		assert.Equal(t, 1, n)
		assert.Contains(t, string(out), dots("\xfd"+string([]byte{low})+"\x02\x01"))
	}
}

func TestRepairRefuses(t *testing.T) {
	whole := module("data", dots(faulty))
	for name, c := range map[string]struct {
		module []byte
		want   string
	}{
		"nothing":                  {nil, "0 bytes that do not begin as a WebAssembly 1.0 module"},
		"text":                     {[]byte("module"), "6 bytes that do not begin"},
		"unknown opcode":           {module("", dots("\x06")), "function 0, offset 0x1f: instruction at 0x7: unknown opcode 0x6"},
		"block of a function type": {module("", dots("\x02\x00\x0b")), "instruction at 0x7: block type 0x0, want none (0x40) or a value type"},
		"unknown numeric":          {module("", dots("\xfc\x12")), "unknown opcode 0xfc 0x12"},
		"unknown vector":           {module("", dots("\xfd\x94\x02")), "unknown opcode 0xfd 0x114"},
		"unassigned vector":        {module("", dots("\xfd\x9a\x01")), "unassigned opcode 0xfd 0x9a"},
		"unknown atomic":           {module("", dots("\xfe\x04")), "unknown opcode 0xfe 0x4"},
		"unknown after faulty":     {module("", dots(faulty+"\xff")), "instruction at 0xb: unknown opcode 0xff"},
		"no end":                   {module("", "\x00\x01"), "instruction at 0x2: cut off"},
		"after the end":            {module("", "\x00\x0b\x01"), "1 bytes after the end of a body of 3"},
		"long number":              {module("", "\x00\x41\x80\x80\x80\x80\x80\x00\x0b"), "number of more than 5 bytes"},
		"long branch table":        {module("", "\x00\x0e\xff\xff\xff\xff\x0f\x0b"), "cut off"},
	} {
		_, _, err := relax.Repair(c.module)
		assert.ErrorContains(t, err, c.want, name)
	}
	// A module that is cut at a section's end is whole.
	for n := range whole {
		if _, _, err := relax.Repair(whole[:n]); err == nil {
			repaired, _, _ := relax.Repair(whole)
			assert.Equal(t, repaired[:n], must(relax.Repair(whole[:n])), "cut to %d bytes", n)
		}
	}
}

func must(b []byte, _ int, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestRepairModules repairs what the toolchain writes.
func TestRepairModules(t *testing.T) {
	strict := wasmtest.Module(t)
	out, n, err := relax.Repair(strict)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.True(t, bytes.Equal(strict, out))

	relaxed := wasmtest.RelaxedModule(t)
	n, err = relax.Count(relaxed)
	require.NoError(t, err)
	assert.Positive(t, n)
	validate(t, relaxed)
	again, repaired, err := relax.Repair(relaxed)
	require.NoError(t, err)
	assert.Zero(t, repaired)
	assert.True(t, bytes.Equal(relaxed, again))
}

func FuzzRepair(f *testing.F) {
	f.Add(module("data", dots(faulty)))
	f.Add(module("", dots(correct), "\x00\x02\x40\x0b\x0b"))
	f.Fuzz(func(t *testing.T, m []byte) {
		out, _, err := relax.Repair(m)
		if err != nil {
			return
		}
		if len(out) != len(m) {
			t.Fatalf("%d bytes became %d", len(m), len(out))
		}
		sorted := func(b []byte) []byte { b = bytes.Clone(b); slices.Sort(b); return b }
		if !bytes.Equal(sorted(m), sorted(out)) {
			t.Fatal("bytes were not only moved")
		}
		if _, n, err := relax.Repair(out); n != 0 || err != nil {
			t.Fatal(errors.Join(err, errors.New("repairing again changes something")))
		}
	})
}
