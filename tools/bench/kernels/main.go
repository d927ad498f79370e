//go:build wasm

// Command kernels is a WASI reactor that measures the kernels inside the
// WebAssembly runtime that holds it. Like ecor's module it imports nothing but
// what Go's runtime needs.
package main

import "github.com/ecor-clip/ecor/tools/bench/cases"

func main() {}

// clockTimeGet sets now to a clock's nanoseconds. Package time would import
// functions for files.
//
//go:wasmimport wasi_snapshot_preview1 clock_time_get
//go:noescape
func clockTimeGet(clock uint32, precision uint64, now *uint64) uint32

func monotonic() (ns uint64) {
	const clock = 1
	clockTimeGet(clock, 1, &ns)
	return ns
}

var prepared = make(map[int32]func() uint64)

// measure runs a case of package cases the given number of times and returns
// the seconds that one call took, by the host's monotonic clock.
//
//go:wasmexport measure
func measure(index, calls int32) float64 {
	once := prepared[index]
	if once == nil {
		reset, call := cases.All[index].New()
		once = func() uint64 {
			reset()
			start := monotonic()
			call()
			return monotonic() - start
		}
		prepared[index] = once
	}
	var spent uint64
	for range calls {
		spent += once()
	}
	return float64(spent) / 1e9 / float64(calls)
}
