//go:build wasm

// Command wasm is ecor's WebAssembly module, a WASI reactor:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o ecor.wasm ./wasm
//
// A host calls _initialize once and then, for each operation of package wire,
// ecor_input, ecor_call, ecor_output and ecor_output_len. The module is single
// threaded: one host, one call at a time.
package main

import (
	"github.com/ecor-clip/ecor/core"
	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/wasm/wire"
)

// The buffers through which a host and the module talk.
var (
	input  []byte
	output []byte
	engine = core.New()
)

func main() {}

// call runs an operation on the first n bytes of input and leaves the response,
// or a message, in output. It recovers from panics: those are bugs, and the
// engine starts anew after one.
func call(op wire.Op, n int) (status wire.Status) {
	defer func() {
		if r := recover(); r != nil {
			engine = core.New()
			output = append(output[:0], "internal error in operation "...)
			output = append(output, errs.Text(uint32(op), ": ", panicText(r), "; the weights must be loaded again")...)
			status = wire.StatusInternal
		}
	}()
	output = output[:0]
	if n < 0 || n > len(input) {
		return fail(errs.OverLimit("request of ", n, " bytes, the input buffer has ", len(input)))
	}
	response, err := dispatch(engine, op, input[:n])
	if err != nil {
		return fail(err)
	}
	if response != nil {
		output = response.Append(output)
	}
	return wire.StatusOK
}

func fail(err error) wire.Status {
	output = append(output[:0], err.Error()...)
	switch errs.KindOf(err) {
	case errs.Limit:
		return wire.StatusLimit
	case errs.State:
		return wire.StatusState
	}
	return wire.StatusBadInput
}

func panicText(r any) string {
	switch v := r.(type) {
	case error:
		return v.Error()
	case string:
		return v
	}
	return "panic"
}
