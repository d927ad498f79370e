//go:build wasm

package kernel

import "unsafe"

func gemmU7S8SIMD128(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
	if m == 0 || n == 0 || k == 0 {
		clear(acc[:m*n])
		return
	}
	pairs := (m + 1) / 2
	s.a16 = grow(s.a16, pairs*2*k)
	s.w16 = grow(s.w16, 4*k)
	s.edge = grow(s.edge, pairs*2*4)
	packPairs(s.a16, a, m, k)
	for j := 0; j < n; j += 4 {
		cols := min(4, n-j)
		packPanel(s.w16, w[j*k:(j+cols)*k], cols, k)
		row := 0
		if cols == 4 && m >= 2 {
			dotTile2x4(&acc[j], 4*n, &s.a16[0], &s.w16[0], m/2, k)
			row = m &^ 1
		}
		if row == m {
			continue
		}
		dotTile2x4(&s.edge[0], 4*4, &s.a16[row*k], &s.w16[0], (m-row+1)/2, k)
		for e := 0; row < m; row++ {
			copy(acc[row*n+j:row*n+j+cols], s.edge[e:])
			e += 4
		}
	}
}

// packPairs widens the rows of a in pairs: eight elements of one row, the same
// eight of the next, and so on. An odd last row is paired with zeros. Values up
// to 127 are the same signed.
func packPairs(dst []int16, a []uint8, m, k int) {
	if m%2 != 0 {
		clear(dst[(m-1)*k:])
	}
	for i := range m {
		row := (*int8)(unsafe.Pointer(&a[i*k]))
		widenVectors(&dst[i/2*2*k+i%2*8], row, k/16, 2*16)
	}
}

// packPanel widens up to four rows of w: eight elements of each in turn. Rows
// that are missing keep what dst held.
func packPanel(dst []int16, w []int8, rows, k int) {
	for j := range rows {
		widenVectors(&dst[j*8], &w[j*k], k/16, 4*16)
	}
}

func gemmSIMD128(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
	if n < 8 || m == 0 || k == 0 {
		gemmGeneric(y, ldy, x, ldx, b, ldb, m, n, k)
		return
	}
	// The last block of rows and the last tile of columns overlap the ones before
	// them: what is computed twice has the same bits.
	for i := 0; i < m; {
		tile := gemmTile1x8
		rows := 1
		if m >= 4 {
			tile, rows = gemmTile4x8, 4
			i = min(i, m-4)
		}
		yi, xi := y[i*ldy:], x[i*ldx:]
		tile(&yi[0], 4*ldy, &xi[0], 4*ldx, &b[0], 4*ldb, n/8, k)
		if n%8 != 0 {
			tile(&yi[n-8], 4*ldy, &xi[0], 4*ldx, &b[n-8], 4*ldb, 1, k)
		}
		i += rows
	}
}
