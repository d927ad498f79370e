//go:build wasm && !relaxed

package kernel

import "unsafe"

const moduleName = "simd128"

// maxTileRows is the number of rows of the largest tile.
const maxTileRows = 2

// tileOf runs the tile function of a number of rows.
func tileOf(rows int, args *tile) {
	switch rows {
	case 1:
		tile1x8(args)
	case 2:
		tile2x8(args)
	}
}

// tile2x8 computes tiles of two rows of int16.
//
//go:noescape
func tile2x8(args *tile)

//go:noescape
func tile1x8(args *tile)

// tileOperand returns the left operand as the tiles take it, and the bytes of
// one element. Values up to 127 are the same signed.
func tileOperand(a []uint8, s *Scratch) (unsafe.Pointer, int) {
	s.a16 = grow(s.a16, len(a))
	widenVectors(&s.a16[0], (*int8)(unsafe.Pointer(&a[0])), len(a)/16, 16)
	return unsafe.Pointer(&s.a16[0]), 2
}
