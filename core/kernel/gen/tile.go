package main

import "fmt"

// Registers of a tile function.
const (
	tileArgs, tileY, tileLdy, tileLeft, tileRows = "R0", "R1", "R2", "R3", "R4"
	tilePanel, tileW, tileEnd, tileTiles         = "R5", "R6", "R7", "R8"
	tileRowScale, tileRowMin, tilePointer        = "R9", "R10", "R11"
	tilePanels, tileColumn, tileSize             = "R12", "R13", "R14" // panels to come, bytes to their column, bytes of one
)

// A tileShape is one tile function: rows times eight columns, V(2i) and V(2i+1)
// ending as the integer results of row i.
type tileShape struct {
	name         string
	rows         int
	accumulators int
	step         int // of k, in one turn of the loop
	leftBytes    int // of the left operand that a turn reads
	panelBytes   int // of the panel
	dot          func(a *assembler)
	reduce       func(a *assembler)
}

func (s tileShape) write(a *assembler) {
	a.line("")
	a.line("TEXT ·%s(SB), NOSPLIT, $0-8", s.name)
	a.op("Get SP", "I64Load args+0(FP)", "Set "+tileArgs)
	field := func(register, name string) {
		a.op("Get "+tileArgs, "I32WrapI64", "I64Load $tile_"+name, "Set "+register)
	}
	field(tileLdy, "ldy")
	field(tilePanel, "w")
	field(tilePanels, "panels")
	field(tileSize, "k")
	a.set(tileSize, tileSize, "I64Mul", fmt.Sprintf("$%d", s.panelBytes/s.step))
	a.op("I64Const $0", "Set "+tileColumn)
	a.loop("panel", func() {
		field(tileY, "y")
		a.set(tileY, tileY, "I64Add", tileColumn)
		field(tileLeft, "left")
		field(tileTiles, "tiles")
		field(tileRowScale, "rowScale")
		field(tileRowMin, "rowMin")
		a.set(tileEnd, tilePanel, "I64Add", tileSize)
		a.loop("tile", func() {
			a.zero(s.accumulators)
			a.op("Get "+tilePanel, "Set "+tileW)
			a.loop("dot", func() {
				s.dot(a)
				a.set(tileLeft, tileLeft, "I64Add", fmt.Sprintf("$%d", s.leftBytes))
				a.set(tileW, tileW, "I64Add", fmt.Sprintf("$%d", s.panelBytes))
				a.op("Get "+tileW, "Get "+tileEnd, "I64LtU")
			})
			if s.reduce != nil {
				s.reduce(a)
			}
			tileEpilogue(a, s.rows, field)
			a.countDown(tileTiles)
		})
		a.op("Get "+tileEnd, "Set "+tilePanel)
		a.set(tileColumn, tileColumn, "I64Add", "$32")
		a.countDown(tilePanels)
	})
	a.op("RET")
}

// tileEpilogue dequantizes the integers in V0 to V(2·rows-1), where the call has
// column scales, and stores them.
func tileEpilogue(a *assembler, rows int, field func(register, name string)) {
	// pair loads the panel's eight values of a field to two registers.
	pair := func(low, high, name string) {
		field(tilePointer, name)
		a.set(tilePointer, tilePointer, "I64Add", tileColumn)
		a.load(low, tilePointer, 0)
		a.load(high, tilePointer, 16)
	}
	splat := func(dst, pointer string, i int) {
		a.op("Get "+pointer, "I32WrapI64", fmt.Sprintf("F32Load $%d", 4*i), "F32x4Splat", "Set "+dst)
	}
	each := func(body func(i int, value, half string)) {
		for i := range rows {
			body(i, v(2*i), "low")
			body(i, v(2*i+1), "high")
		}
	}
	field(tilePointer, "colScale")
	a.ifNonzero(tilePointer, func() {
		pair("V10", "V11", "colScale")
		pair("V12", "V13", "colSum")
		scale, sum := map[string]string{"low": "V10", "high": "V11"}, map[string]string{"low": "V12", "high": "V13"}
		each(func(i int, value, half string) {
			if half == "low" {
				splat("V8", tileRowScale, i)
				splat("V9", tileRowMin, i)
			}
			a.op("Get "+scale[half], "Get V8", "Get "+value, "F32x4ConvertI32x4S", "F32x4Mul")
			a.op("Get V9", "Get "+sum[half], "F32x4Mul", "F32x4Add", "F32x4Mul", "Set "+value)
		})
		field(tilePointer, "bias")
		a.ifNonzero(tilePointer, func() {
			pair("V10", "V11", "bias")
			each(func(_ int, value, half string) {
				a.op("Get "+value, "Get "+scale[half], "F32x4Add", "Set "+value)
			})
		})
		field(tilePointer, "add")
		a.ifNonzero(tilePointer, func() {
			a.op("Get "+tileY, "Set "+tilePointer)
			each(func(_ int, value, half string) {
				at := map[string]int{"low": 0, "high": 16}[half]
				a.op("Get "+value, "Get "+tilePointer, "I32WrapI64", fmt.Sprintf("V128Load $%d", at), "F32x4Add", "Set "+value)
				if half == "high" {
					a.set(tilePointer, tilePointer, "I64Add", tileLdy)
				}
			})
		})
		a.set(tileRowScale, tileRowScale, "I64Add", fmt.Sprintf("$%d", 4*rows))
		a.set(tileRowMin, tileRowMin, "I64Add", fmt.Sprintf("$%d", 4*rows))
	})
	for i := range rows {
		a.store(tileY, 0, func() { a.op("Get " + v(2*i)) })
		a.store(tileY, 16, func() { a.op("Get " + v(2*i+1)) })
		a.set(tileY, tileY, "I64Add", tileLdy)
	}
}

// relaxedTile multiplies bytes, four k at a time: a lane of an accumulator is a
// result.
func relaxedTile(a *assembler, rows int) {
	tileShape{
		name:         fmt.Sprintf("tile%dx8", rows),
		rows:         rows,
		accumulators: 2 * rows,
		step:         4 * relaxedUnroll,
		leftBytes:    4 * relaxedUnroll * rows,
		panelBytes:   32 * relaxedUnroll,
		dot: func(a *assembler) {
			for group := range relaxedUnroll {
				a.load("V8", tileW, 32*group)
				a.load("V9", tileW, 32*group+16)
				for i := range rows {
					a.loadSpecial("V128Load32Splat", "V10", tileLeft, 4*(relaxedUnroll*i+group))
					for half, w := range []string{"V8", "V9"} {
						sum := v(2*i + half)
						a.op("Get "+w, "Get V10", "Get "+sum, "I32x4RelaxedDotI8x16I7x16AddS", "Set "+sum)
					}
				}
			}
		},
	}.write(a)
}

// relaxedUnroll is the number of four k that one turn of the loop takes.
const relaxedUnroll = 1

// strictTile multiplies int16, two k for each of two columns at a time: two
// neighbouring lanes of an accumulator are a result, V(4i) to V(4i+3) those of
// row i. The panel is wide where its weights are int16, too.
func strictTile(a *assembler, rows int, wide bool) {
	s := tileShape{
		name:         fmt.Sprintf("tile%dx8", rows),
		rows:         rows,
		accumulators: 4 * rows,
		step:         8,
		leftBytes:    16 * rows,
		panelBytes:   64,
		reduce:       func(a *assembler) { addNeighbours(a, 2*rows) },
	}
	if wide {
		s.name += "wide"
		s.panelBytes = 128
	}
	s.dot = func(a *assembler) {
		for group := range 2 {
			for i := range rows {
				a.loadSpecial("V128Load64Splat", v(8+i), tileLeft, 16*i+8*group)
			}
			for quarter := range 4 {
				if at := 4*group + quarter; wide {
					a.load("V10", tileW, 16*at)
				} else {
					a.loadSpecial("V128Load8x8S", "V10", tileW, 8*at)
				}
				for i := range rows {
					sum := v(4*i + quarter)
					a.op("Get "+v(8+i), "Get V10", "I32x4DotI16x8S", "Get "+sum, "I32x4Add", "Set "+sum)
				}
			}
		}
	}
	s.write(a)
}

// addNeighbours sets V(i), for n of them, to the sums of neighbouring lanes of
// V(2i) and V(2i+1).
func addNeighbours(a *assembler, n int) {
	const even, none = "$0x0b0a090803020100", "$-0x7f7f7f7f7f7f7f80" // lanes 0 and 2; no lane
	for i := range n {
		for j, mask := range []string{even + ", " + none, none + ", " + even} {
			x := v(2*i + j)
			a.op("Get "+x, "Get "+x, "I32Const $32", "I64x2ShrU", "I32x4Add", "V128Const "+mask, "I8x16Swizzle")
		}
		a.op("V128Or", "Set "+v(i))
	}
}

// copyWords writes a function that copies n times the given number of bytes,
// dst moving on by step bytes after each.
func copyWords(a *assembler, bytes int) {
	const dst, src, n, step = "R0", "R1", "R2", "R3"
	load, store := map[int]string{4: "I32Load $0", 8: "I64Load $0"}[bytes], map[int]string{4: "I32Store $0", 8: "I64Store $0"}[bytes]
	a.text("copyWords", []string{"dst", "src", "n", "step"}, []string{dst, src, n, step})
	a.loop("word", func() {
		a.op("Get "+dst, "I32WrapI64", "Get "+src, "I32WrapI64", load, store)
		a.set(dst, dst, "I64Add", step)
		a.set(src, src, "I64Add", fmt.Sprintf("$%d", bytes))
		a.countDown(n)
	})
	a.op("RET")
}
