//go:build wasm && relaxed

package kernel

import "unsafe"

const moduleName = "relaxed simd128"

// maxTileRows is the number of rows of the largest tile.
const maxTileRows = 4

// tileOf runs the tile function of a number of rows.
func tileOf(rows int, args *tile) {
	switch rows {
	case 1:
		tile1x8(args)
	case 2:
		tile2x8(args)
	case 3:
		tile3x8(args)
	case 4:
		tile4x8(args)
	}
}

// tile4x8 computes tiles of four rows of bytes.
//
//go:noescape
func tile4x8(args *tile)

//go:noescape
func tile3x8(args *tile)

//go:noescape
func tile2x8(args *tile)

//go:noescape
func tile1x8(args *tile)

// tileOperand returns the left operand as the tiles take it, and the bytes of
// one element.
func tileOperand(a []uint8, _ *Scratch) (unsafe.Pointer, int) { return unsafe.Pointer(&a[0]), 1 }
