// Package kernel is the arithmetic of the engine: matrix products, their
// quantization, and the elementwise functions between them, on plain slices.
//
// Matrices are row-major. Every function has a generic Go twin that is the
// reference. In WebAssembly builds most have a 128-bit SIMD implementation, too,
// which package gen writes; on amd64 there are some for AVX2 and for AVX-512,
// chosen when the program starts. All give the same integers always and the same
// float bits for finite input: the order of every sum is part of a function's
// contract, and no product is fused into the sum that follows it. Sums in
// "four-lane order" keep four partial sums from 0, lane l taking the elements
// whose index is l mod 4, in increasing order, and end as
// (lane0+lane1)+(lane2+lane3).
//
// Lengths are the caller's promise; a slice that is too short panics.
package kernel

//go:generate go run ./gen

// Align is the multiple to which the inner dimension of an integer product is
// padded.
const Align = 16

// PadK returns k rounded up to a multiple of Align.
func PadK(k int) int { return (k + Align - 1) &^ (Align - 1) }

// Name returns the implementation in use: "generic", "simd128", or on amd64 the
// instruction set that the processor offers, "avx2" or "avx512".
func Name() string { return name() }

// Scratch holds work buffers that grow to the largest product seen and are
// never shrunk. The zero value is ready. It serves one call at a time.
type Scratch struct {
	a16   []int16   // left operand, widened
	acc   []int32   // integer results
	edge  []int32   // bits of the results of tiles that reach over the edge
	whole []float32 // a result that is to be divided
	a8    []uint8   // left operand with zero rows up to a tile's number
}

// grow returns b with length n, keeping nothing of its contents.
func grow[T uint8 | int8 | int16 | int32 | float32](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n)
	}
	return b[:n]
}

// Texts of the panics on misuse.
const (
	badDim   = "kernel: negative dimension"
	badPad   = "kernel: inner dimension is not a multiple of Align"
	badLd    = "kernel: leading dimension below the row length"
	badHead  = "kernel: length of a head is not a multiple of 8"
	badLen   = "kernel: slices of different length"
	shortDst = "kernel: destination too short"
	shortSrc = "kernel: source too short"
	shortRow = "kernel: per-row vector too short"
	shortCol = "kernel: per-column vector too short"
)

// checkMatrix panics with short where a has no room for rows×cols with leading
// dimension ld.
func checkMatrix(have, ld, rows, cols int, short string) {
	if rows < 0 || cols < 0 {
		panic(badDim)
	}
	if ld < cols {
		panic(badLd)
	}
	if rows > 0 && have < (rows-1)*ld+cols {
		panic(short)
	}
}
