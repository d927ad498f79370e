//go:build wasm && relaxed

package kernel

import "unsafe"

const moduleName = "relaxed simd128"

const (
	maxTileRows = 4 // rows of the largest tile
	leftSize    = 1 // bytes of an element of the left operand
	wordSize    = 4 // values of a row that lie together in the left operand
)

// A product has what the tiles of one product share.
type product struct {
	left unsafe.Pointer // groups of four rows, and the last ones
}

// packLeft copies m rows of k values, the rows of a tile wordSize values in turn.
func packLeft(a []uint8, m, k int, s *Scratch) product {
	s.a8 = grow(s.a8, m*k)
	for i := range m {
		first := i / maxTileRows * maxTileRows
		rows := min(m-first, maxTileRows)
		copyWords(&s.a8[first*k+(i-first)*wordSize], &a[i*k], k/wordSize, rows*wordSize)
	}
	return product{unsafe.Pointer(&s.a8[0])}
}

// panels returns how many panels, of those of n columns, one call takes.
func (product) panels(n, k int) int { return panelGroup(n, k) }

// panel returns panels as the tiles take them.
func (product) panel(w []int8, _ int) unsafe.Pointer { return unsafe.Pointer(&w[0]) }

// tile runs the tile function of a number of rows.
func (product) tile(rows int, args *tile) {
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

// copyWords copies n times wordSize bytes, which end up step bytes apart.
//
//go:noescape
func copyWords(dst, src *uint8, n, step int)
