//go:build wasm && !relaxed

package kernel

import "unsafe"

const moduleName = "simd128"

const (
	maxTileRows = 2 // rows of the largest tile
	leftSize    = 2 // bytes of an element of the left operand
	wideRows    = 8 // from so many rows on it pays to widen a panel for all of them
)

// A product has what the tiles of one product share.
type product struct {
	left unsafe.Pointer // row pairs, and an odd last row
	wide []int16        // a panel, or nil where tiles widen weights themselves
}

// packLeft widens m rows of k values, the rows of a tile eight values in turn.
// Values up to 127 are the same signed.
func packLeft(a []uint8, m, k int, s *Scratch) product {
	s.a16 = grow(s.a16, (m+panelRows)*k)
	left := s.a16[:m*k]
	for i := range m {
		first := i / maxTileRows * maxTileRows
		rows := min(m-first, maxTileRows)
		widenVectors(&left[first*k+(i-first)*8], (*int8)(unsafe.Pointer(&a[i*k])), k/16, rows*16)
	}
	p := product{left: unsafe.Pointer(&left[0])}
	if m >= wideRows {
		p.wide = s.a16[m*k:]
	}
	return p
}

// panels returns how many panels, of those of n columns, one call takes: one
// where it is widened.
func (p *product) panels(n, k int) int {
	if p.wide != nil {
		return 1
	}
	return panelGroup(n, k)
}

// panel returns panels as the tiles take them.
func (p *product) panel(w []int8, k int) unsafe.Pointer {
	if p.wide == nil {
		return unsafe.Pointer(&w[0])
	}
	widenVectors(&p.wide[0], &w[0], panelRows*k/16, 16)
	return unsafe.Pointer(&p.wide[0])
}

// tile runs the tile function of a number of rows.
func (p *product) tile(rows int, args *tile) {
	switch wide := p.wide != nil; {
	case rows == 2 && wide:
		tile2x8wide(args)
	case rows == 2:
		tile2x8(args)
	case wide:
		tile1x8wide(args)
	default:
		tile1x8(args)
	}
}

// tile2x8 computes tiles of two rows of int16 and a panel of bytes.
//
//go:noescape
func tile2x8(args *tile)

// tile2x8wide computes tiles of two rows of int16 and a panel of int16.
//
//go:noescape
func tile2x8wide(args *tile)

//go:noescape
func tile1x8(args *tile)

//go:noescape
func tile1x8wide(args *tile)
