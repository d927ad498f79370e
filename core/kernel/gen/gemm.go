package main

import "fmt"

// gemmTile multiplies a block of rows with a matrix, eight columns at a time.
// V(2i) and V(2i+1) sum the eight columns of row i.
func gemmTile(a *assembler, rows int) {
	const (
		y, ldy, x, ldx, b, ldb, tiles, k = "R0", "R1", "R2", "R3", "R4", "R5", "R6", "R7"
		right, count                     = "R12", "R13"
		unroll                           = 4
		tileBytes                        = 8 * 4
	)
	left := func(i int) string { return fmt.Sprintf("R%d", 8+i) }
	name := fmt.Sprintf("gemmTile%dx8", rows)
	a.text(name, []string{"y", "ldy", "x", "ldx", "b", "ldb", "tiles", "k"},
		[]string{y, ldy, x, ldx, b, ldb, tiles, k})

	// columns adds n elements of k to the sums and moves on.
	columns := func(n int) {
		for u := range n {
			a.load("V8", right, 0)
			a.load("V9", right, 16)
			for i := range rows {
				a.op("Get "+left(i), "I32WrapI64", fmt.Sprintf("F32Load $%d", 4*u), "F32x4Splat", "Set V10")
				for half, w := range []string{"V8", "V9"} {
					sum := v(2*i + half)
					a.op("Get "+sum, "Get V10", "Get "+w, "F32x4Mul", "F32x4Add", "Set "+sum)
				}
			}
			a.set(right, right, "I64Add", ldb)
		}
		for i := range rows {
			a.set(left(i), left(i), "I64Add", fmt.Sprintf("$%d", 4*n))
		}
		a.countDown(count)
	}

	a.loop("tile", func() {
		a.zero(2 * rows)
		a.op("Get "+x, "Set "+left(0))
		for i := 1; i < rows; i++ {
			a.set(left(i), left(i-1), "I64Add", ldx)
		}
		a.op("Get "+b, "Set "+right)
		a.set(count, k, "I64DivU", fmt.Sprintf("$%d", unroll))
		a.ifNonzero(count, func() { a.loop("unrolled", func() { columns(unroll) }) })
		a.set(count, k, "I64RemU", fmt.Sprintf("$%d", unroll))
		a.ifNonzero(count, func() { a.loop("single", func() { columns(1) }) })
		a.op("Get "+y, "Set "+right)
		for i := range rows {
			a.store(right, 0, func() { a.op("Get " + v(2*i)) })
			a.store(right, 16, func() { a.op("Get " + v(2*i+1)) })
			a.set(right, right, "I64Add", ldy)
		}
		a.set(y, y, "I64Add", fmt.Sprintf("$%d", tileBytes))
		a.set(b, b, "I64Add", fmt.Sprintf("$%d", tileBytes))
		a.countDown(tiles)
	})
	a.op("RET")
}
