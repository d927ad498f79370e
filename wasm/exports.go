//go:build wasm

package main

import (
	"unsafe"

	"github.com/ecor-clip/ecor/wasm/wire"
)

// abi returns the version of the exports and of the wire format.
//
//go:wasmexport ecor_abi
func abi() int32 { return wire.ABI }

// inputBuffer returns the address of a buffer of at least n bytes, or 0 where n
// is negative or larger than wire.MaxRequest.
//
//go:wasmexport ecor_input
func inputBuffer(n int32) int32 {
	if n < 0 || n > wire.MaxRequest {
		return 0
	}
	if int(n) > len(input) {
		input = make([]byte, max(int(n), 64<<10))
	}
	return address(input)
}

// callOp runs an operation on the first n bytes of the input buffer and
// returns its wire.Status.
//
//go:wasmexport ecor_call
func callOp(op, n int32) int32 { return int32(call(wire.Op(op), int(n))) }

// outputBuffer returns the address of the last call's response.
//
//go:wasmexport ecor_output
func outputBuffer() int32 { return address(output) }

// outputLen returns the length of the last call's response in bytes.
//
//go:wasmexport ecor_output_len
func outputLen() int32 { return int32(len(output)) }

func address(b []byte) int32 { return int32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
