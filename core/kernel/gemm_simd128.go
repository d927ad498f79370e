//go:build goexperiment.simd && wasm

package kernel

import "simd/archsimd"

// dotTile2x4 computes two rows of four results for each row pair: acc[i,j] =
// Σ_k a[i,k]·w[j,k], rows of acc being stride bytes apart. a holds row pairs as
// widenRows packs them with two rows, w one panel with four; k is a positive
// multiple of Align and pairs is positive.
//
//go:noescape
func dotTile2x4(acc *int32, stride int, a, w *int16, pairs, k int)

// gemmTile4x8 computes four rows of y = x·b for 8·tiles columns; the leading
// dimensions are in bytes, tiles is positive.
//
//go:noescape
func gemmTile4x8(y *float32, ldy int, x *float32, ldx int, b *float32, ldb, tiles, k int)

// gemmTile1x8 is gemmTile4x8 for one row; ldy and ldx are unused.
//
//go:noescape
func gemmTile1x8(y *float32, ldy int, x *float32, ldx int, b *float32, ldb, tiles, k int)

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
// eight of the next, and so on. An odd last row is paired with zeros.
func packPairs(dst []int16, a []uint8, m, k int) {
	if m%2 != 0 {
		clear(dst[(m-1)*k:])
	}
	for i := range m {
		out := dst[i/2*2*k+i%2*8:]
		for p := 0; p < k; p += 16 {
			b := archsimd.LoadUint8x16(a[i*k+p:])
			b.ExtendLo8ToUint16().ConvertToInt16().Store(out[2*p:])
			b.ExtendHi8ToUint16().ConvertToInt16().Store(out[2*p+16:])
		}
	}
}

// packPanel widens up to four rows of w: eight elements of each in turn. Rows
// that are missing keep what dst held.
func packPanel(dst []int16, w []int8, rows, k int) {
	for j := range rows {
		out := dst[j*8:]
		for p := 0; p < k; p += 16 {
			b := archsimd.LoadInt8x16(w[j*k+p:])
			b.ExtendLo8ToInt16().Store(out[4*p:])
			b.ExtendHi8ToInt16().Store(out[4*p+32:])
		}
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
