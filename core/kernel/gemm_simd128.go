//go:build wasm

package kernel

import "unsafe"

// panelRows is the number of columns of a product that one tile computes.
const panelRows = 8

// A tile is what a call of a tile function needs: for each of some panels, which
// follow one another, tiles tiles of some rows and the panel's eight columns.
type tile struct {
	y        unsafe.Pointer // results: int32, or float32 where there are column scales
	ldy      int            // in bytes
	left     unsafe.Pointer // rows of the left operand, as packLeft wrote them
	w        unsafe.Pointer // the first panel
	k        int            // a positive multiple of Align
	tiles    int            // a positive number
	panels   int            // a positive number
	rowScale *float32
	rowMin   *float32
	colScale *float32 // eight a panel, or nil; then the fields around it are not used
	colSum   *float32 // eight a panel
	bias     *float32 // eight a panel, or nil
	add      int      // not 0: add to y
}

func gemmU7S8SIMD128(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
	if m == 0 || n == 0 || k == 0 {
		clear(acc[:m*n])
		return
	}
	p := packLeft(a, m, k, s)
	t := tile{ldy: 4 * n, k: k}
	whole := n / panelRows * panelRows
	for j := 0; j < whole; j += t.panels * panelRows {
		t.panels = p.panels(whole-j, k)
		t.w, t.y = p.panel(w[j*k:], k), unsafe.Pointer(&acc[j])
		p.rows(&t, m)
	}
	if whole == n {
		return
	}
	s.edge = grow(s.edge, m*panelRows)
	t.w, t.panels = p.panel(w[whole*k:], k), 1
	t.y, t.ldy = unsafe.Pointer(&s.edge[0]), 4*panelRows
	p.rows(&t, m)
	for i := range m {
		copy(acc[i*n+whole:i*n+n], s.edge[i*panelRows:])
	}
}

// groupBytes bounds the panels that one call of a tile function takes, so that
// they stay near while the last rows, which another function takes, use them too.
const groupBytes = 64 << 10

// panelGroup returns how many panels, of those of n columns, one call takes.
func panelGroup(n, k int) int { return min(n/panelRows, max(1, groupBytes/(panelRows*k))) }

// rows computes m rows of t's panels.
func (p *product) rows(t *tile, m int) {
	call := *t
	whole := m / maxTileRows
	if whole > 0 {
		call.left, call.tiles = p.left, whole
		p.tile(maxTileRows, &call)
	}
	if rest := m % maxTileRows; rest > 0 {
		done := whole * maxTileRows
		call.left, call.tiles = unsafe.Add(p.left, done*t.k*leftSize), 1
		call.y = unsafe.Add(t.y, done*t.ldy)
		if t.colScale != nil {
			call.rowScale = (*float32)(unsafe.Add(unsafe.Pointer(t.rowScale), 4*done))
			call.rowMin = (*float32)(unsafe.Add(unsafe.Pointer(t.rowMin), 4*done))
		}
		p.tile(rest, &call)
	}
}

// blockBytes bounds the rows of the left operand that are multiplied with one
// panel after the other, so that they stay in the second-level cache.
const blockBytes = 256 << 10

func linearSIMD128(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch) {
	if k == 0 {
		linearGeneric(y, ldy, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, accumulate, s)
		return
	}
	block := max(blockBytes/(k*leftSize)/maxTileRows, 4) * maxTileRows
	for i := 0; i < m && n > 0; i += block {
		rows := min(block, m-i)
		linearBlock(y[i*ldy:], ldy, a[i*k:(i+rows)*k], rowScale[i:], rowMin[i:], w, colScale, colSum, bias, rows, n, k, accumulate, s)
	}
}

func linearBlock(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch) {
	p := packLeft(a, m, k, s)
	t := tile{ldy: 4 * ldy, k: k, rowScale: &rowScale[0], rowMin: &rowMin[0]}
	if accumulate {
		t.add = 1
	}
	whole := n / panelRows * panelRows
	for j := 0; j < whole; j += t.panels * panelRows {
		t.panels = p.panels(whole-j, k)
		t.w, t.y = p.panel(w[j*k:], k), unsafe.Pointer(&y[j])
		t.colScale, t.colSum = &colScale[j], &colSum[j]
		if bias != nil {
			t.bias = &bias[j]
		}
		p.rows(&t, m)
	}
	if whole == n {
		return
	}
	var scales [3][panelRows]float32
	copy(scales[0][:], colScale[whole:n])
	copy(scales[1][:], colSum[whole:n])
	t.panels = 1
	t.w, t.colScale, t.colSum, t.bias = p.panel(w[whole*k:], k), &scales[0][0], &scales[1][0], nil
	if bias != nil {
		copy(scales[2][:], bias[whole:n])
		t.bias = &scales[2][0]
	}
	s.edge = grow(s.edge, m*panelRows)
	t.y, t.ldy = unsafe.Pointer(&s.edge[0]), 4*panelRows
	edge := unsafe.Slice((*float32)(t.y), m*panelRows)
	for i := range m {
		copy(edge[i*panelRows:], y[i*ldy+whole:i*ldy+n])
	}
	p.rows(&t, m)
	for i := range m {
		copy(y[i*ldy+whole:i*ldy+n], edge[i*panelRows:])
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
