//go:build goexperiment.simd

package kernel

import (
	"math"
	"sync"
)

const (
	panelRows   = 32  // columns of a product in a panel, a multiple of every tile's
	maxTileRows = 8   // rows of the highest tile
	blockK      = 256 // elements of a row that a float panel has at most
)

// linearScales points to what dequantizes a tile, a value for each of its rows or
// columns.
type linearScales struct {
	rowScale, rowMin       *float32
	colScale, colSum, bias *float32
	add                    int // 1: add to y
}

// The register tiles. Each computes a level's rows×cols results from that many
// rows of the left operand and a panel of the right one; distances between rows
// are in bytes. k is positive, and a multiple of Align where operands are integers.

//go:noescape
func dotTileAVX512(acc *int32, stride int, a *uint8, lda int, w *int8, k int)

//go:noescape
func dotTileAVX2(acc *int32, stride int, a *uint8, lda int, w *int8, k int)

//go:noescape
func linearTileAVX512(y *float32, ldy int, a *uint8, lda int, w *int8, k int, c *linearScales)

//go:noescape
func linearTileAVX2(y *float32, ldy int, a *uint8, lda int, w *int8, k int, c *linearScales)

//go:noescape
func addTileAVX512(y *float32, ldy int, x *float32, ldx int, b *float32, k, begun int)

//go:noescape
func addTileAVX2(y *float32, ldy int, x *float32, ldx int, b *float32, k, begun int)

// tile returns the size of the level's tiles.
func (l level) tile() (rows, cols int) {
	if l == levelAVX512 {
		return 8, 32
	}
	return 4, 16
}

// dotTile multiplies integers.
func (l level) dotTile(acc *int32, stride int, a *uint8, lda int, w *int8, k int) {
	if l == levelAVX512 {
		dotTileAVX512(acc, stride, a, lda, w, k)
		return
	}
	dotTileAVX2(acc, stride, a, lda, w, k)
}

// linearTile multiplies integers and dequantizes the products.
func (l level) linearTile(y *float32, ldy int, a *uint8, lda int, w *int8, k int, c *linearScales) {
	if l == levelAVX512 {
		linearTileAVX512(y, ldy, a, lda, w, k, c)
		return
	}
	linearTileAVX2(y, ldy, a, lda, w, k, c)
}

// addTile multiplies floats and rounds each product before it is added. The sums
// begin at zero, or at what y holds where begun is 1.
func (l level) addTile(y *float32, ldy int, x *float32, ldx int, b *float32, k, begun int) {
	if l == levelAVX512 {
		addTileAVX512(y, ldy, x, ldx, b, k, begun)
		return
	}
	addTileAVX2(y, ldy, x, ldx, b, k, begun)
}

func gemmU7S8Tiles(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
	if m == 0 || n == 0 || k == 0 {
		clear(acc[:m*n])
		return
	}
	rows, cols := active.tile()
	whole := m - m%rows
	s.padTail(a[whole*k:m*k], rows*k)
	for j := 0; j < n; j += cols {
		i := 0
		if n-j >= cols {
			for ; i < whole; i += rows {
				active.dotTile(&acc[i*n+j], 4*n, &a[i*k], k, &w[panelAt(j, k)], k)
			}
		}
		for ; i < m; i += rows {
			s.edgeTile(a, i, whole, w, j, k)
			for r := range min(rows, m-i) {
				copy(acc[(i+r)*n+j:(i+r)*n+min(j+cols, n)], s.edge[r*cols:])
			}
		}
	}
}

// noBias is a bias that changes nothing: -0 added to -0 is -0.
var noBias = func() (b [panelRows]float32) {
	for i := range b {
		b[i] = float32(math.Copysign(0, -1))
	}
	return b
}()

func linearTiles(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch) {
	if k == 0 {
		linearGeneric(y, ldy, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, accumulate, s)
		return
	}
	linearBlocks(y, ldy, n, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, accumulate, s)
}

// linearBlocks divides the columns of y into matrices of d columns, one after
// another, each with leading dimension ldy; d is n or a multiple of a tile's
// columns.
func linearBlocks(y []float32, ldy, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch) {
	if m == 0 {
		return
	}
	rows, cols := active.tile()
	whole := m - m%rows
	s.padTail(a[whole*k:m*k], rows*k)
	c := linearScales{bias: &noBias[0]}
	if accumulate {
		c.add = 1
	}
	for j := 0; j < n; j += cols {
		i, out := 0, y[j/d*m*ldy+j%d:]
		if n-j >= cols {
			c.colScale, c.colSum = &colScale[j], &colSum[j]
			if bias != nil {
				c.bias = &bias[j]
			}
			for ; i < whole; i += rows {
				c.rowScale, c.rowMin = &rowScale[i], &rowMin[i]
				active.linearTile(&out[i*ldy], 4*ldy, &a[i*k], k, &w[panelAt(j, k)], k, &c)
			}
		}
		end := min(j+cols, n)
		var edgeBias []float32
		if bias != nil {
			edgeBias = bias[j:end]
		}
		for ; i < m; i += rows {
			s.edgeTile(a, i, whole, w, j, k)
			for r := range min(rows, m-i) {
				to, from := out[(i+r)*ldy:(i+r)*ldy+end-j], s.edge[r*cols:r*cols+end-j]
				dequantizeRowAVX2(to, from, rowScale[i+r], rowMin[i+r], colScale[j:end], colSum[j:end], edgeBias, accumulate)
			}
		}
	}
}

// panelAt returns the place of column 0 of row j of weights with k columns.
func panelAt(j, k int) int { return j/panelRows*panelRows*k + j%panelRows*4 }

// padTail copies the rows after the whole tiles to a8 and adds zero rows, up to
// size values.
func (s *Scratch) padTail(tail []uint8, size int) {
	if len(tail) > 0 {
		s.a8 = grow(s.a8, size)
		clear(s.a8[copy(s.a8, tail):])
	}
}

// edgeTile computes to edge the tile at (i, j), which reaches over an edge. Rows
// from whole on are those of padTail.
func (s *Scratch) edgeTile(a []uint8, i, whole int, w []int8, j, k int) {
	rows, cols := active.tile()
	s.edge = grow(s.edge, rows*cols)
	left := s.a8
	if i < whole {
		left = a[i*k:]
	}
	active.dotTile(&s.edge[0], 4*cols, &left[0], k, &w[panelAt(j, k)], k)
}

// floatBlock holds a panel and the operands of tiles that reach over an edge.
type floatBlock struct {
	panel [blockK * panelRows]float32
	x     [maxTileRows * blockK]float32
	y     [maxTileRows * panelRows]float32
}

var floatBlocks = sync.Pool{New: func() any { return new(floatBlock) }}

func gemmTiles(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
	if k == 0 {
		for i := range m {
			clear(y[i*ldy : i*ldy+n])
		}
		return
	}
	f := floatBlocks.Get().(*floatBlock)
	defer floatBlocks.Put(f)
	for p := 0; p < k; p += blockK {
		depth := min(blockK, k-p)
		for j := 0; j < n; j += panelRows {
			cols := min(panelRows, n-j)
			f.pack(b[p*ldb+j:], ldb, depth, cols)
			f.multiply(y[j:], ldy, x[p:], ldx, m, cols, depth, min(p, 1))
		}
	}
}

// pack copies depth rows of b to the panel. Columns that are missing are zero.
func (f *floatBlock) pack(b []float32, ldb, depth, cols int) {
	for p := range depth {
		to := f.panel[p*panelRows : (p+1)*panelRows]
		clear(to[copy(to, b[p*ldb:p*ldb+cols]):])
	}
}

// multiply computes cols columns of y, of m rows, from the panel; begun as for a
// tile.
func (f *floatBlock) multiply(y []float32, ldy int, x []float32, ldx int, m, cols, depth, begun int) {
	tileRows, tileCols := active.tile()
	for i := 0; i < m; {
		rows := min(tileRows, m-i)
		from, step := x[i*ldx:], ldx
		if rows < tileRows {
			for r := range rows {
				copy(f.x[r*blockK:], from[r*ldx:r*ldx+depth])
			}
			from, step = f.x[:], blockK
		}
		for c := 0; c < cols; c += tileCols {
			if rows == tileRows && c+tileCols <= cols {
				active.addTile(&y[i*ldy+c], 4*ldy, &from[0], 4*step, &f.panel[c], depth, begun)
				continue
			}
			width := min(tileCols, cols-c)
			if begun == 1 {
				for r := range rows {
					copy(f.y[r*panelRows:], y[(i+r)*ldy+c:(i+r)*ldy+c+width])
				}
			}
			active.addTile(&f.y[0], 4*panelRows, &from[0], 4*step, &f.panel[c], depth, begun)
			for r := range rows {
				copy(y[(i+r)*ldy+c:(i+r)*ldy+c+width], f.y[r*panelRows:])
			}
		}
		i += rows
	}
}
