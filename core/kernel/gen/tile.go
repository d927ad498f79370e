package main

import "fmt"

// Registers of a tile function.
const (
	tileArgs, tileY, tileLdy, tileK        = "R0", "R1", "R2", "R3"
	tileW, tilePanel, tileEnd, tileTiles   = "R8", "R9", "R10", "R11"
	tileRowScale, tileRowMin, tileAddition = "R12", "R13", "R14"
)

// tileRow names the pointer to row i of the left operand.
func tileRow(i int) string { return fmt.Sprintf("R%d", 4+i) }

// tile writes a function that multiplies rows with a panel of eight columns.
// V(2i) and V(2i+1) end as the integer results of row i. dot adds the products
// of sixteen k to the accumulators, reduce leaves the results; an element of
// the left operand has width bytes.
func tile(a *assembler, rows, width, accumulators int, dot, reduce func()) {
	name := fmt.Sprintf("tile%dx8", rows)
	a.line("")
	a.line("TEXT ·%s(SB), NOSPLIT, $0-8", name)
	a.op("Get SP", "I64Load args+0(FP)", "Set "+tileArgs)
	field := func(register, name string) {
		a.op("Get "+tileArgs, "I32WrapI64", "I64Load $tile_"+name, "Set "+register)
	}
	field(tileY, "y")
	field(tileLdy, "ldy")
	field(tileRow(0), "a")
	field(tileK, "k")
	field(tilePanel, "w")
	field(tileTiles, "tiles")
	field(tileRowScale, "rowScale")
	field(tileRowMin, "rowMin")
	a.set(tileEnd, tileK, "I64Mul", "$8")
	a.set(tileEnd, tileEnd, "I64Add", tilePanel)
	a.set(tileK, tileK, "I64Mul", fmt.Sprintf("$%d", width))
	a.loop("tile", func() {
		a.zero(accumulators)
		a.op("Get "+tilePanel, "Set "+tileW)
		for i := 1; i < rows; i++ {
			a.set(tileRow(i), tileRow(i-1), "I64Add", tileK)
		}
		a.loop("dot", func() {
			dot()
			for i := range rows {
				a.set(tileRow(i), tileRow(i), "I64Add", fmt.Sprintf("$%d", 16*width))
			}
			a.set(tileW, tileW, "I64Add", "$128")
			a.op("Get "+tileW, "Get "+tileEnd, "I64LtU")
		})
		// Rows are contiguous: the next tile begins where the last row ended.
		if rows > 1 {
			a.op("Get "+tileRow(rows-1), "Set "+tileRow(0))
		}
		reduce()
		tileEpilogue(a, rows, field)
		a.countDown(tileTiles)
	})
	a.op("RET")
}

// tileEpilogue dequantizes the integers in V0 to V(2·rows-1), where the call has
// column scales, and stores them.
func tileEpilogue(a *assembler, rows int, field func(register, name string)) {
	// pair loads the eight values of a field to two registers.
	pair := func(low, high, name string) {
		field(tileAddition, name)
		a.load(low, tileAddition, 0)
		a.load(high, tileAddition, 16)
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
	field(tileAddition, "colScale")
	a.ifNonzero(tileAddition, func() {
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
		field(tileAddition, "bias")
		a.ifNonzero(tileAddition, func() {
			pair("V10", "V11", "bias")
			each(func(_ int, value, half string) {
				a.op("Get "+value, "Get "+scale[half], "F32x4Add", "Set "+value)
			})
		})
		field(tileAddition, "add")
		a.ifNonzero(tileAddition, func() {
			a.op("Get "+tileY, "Set "+tileAddition)
			each(func(_ int, value, half string) {
				at := map[string]int{"low": 0, "high": 16}[half]
				a.op("Get "+value, "Get "+tileAddition, "I32WrapI64", fmt.Sprintf("V128Load $%d", at), "F32x4Add", "Set "+value)
				if half == "high" {
					a.set(tileAddition, tileAddition, "I64Add", tileLdy)
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
	tile(a, rows, 1, 2*rows, func() {
		for group := range 4 {
			a.load("V8", tileW, 32*group)
			a.load("V9", tileW, 32*group+16)
			for i := range rows {
				a.loadSpecial("V128Load32Splat", "V10", tileRow(i), 4*group)
				for half, w := range []string{"V8", "V9"} {
					sum := v(2*i + half)
					a.op("Get "+w, "Get V10", "Get "+sum, "I32x4RelaxedDotI8x16I7x16AddS", "Set "+sum)
				}
			}
		}
	}, func() {})
}

// strictTile multiplies int16, two k for each of two columns at a time: two
// neighbouring lanes of an accumulator are a result, V(4i) to V(4i+3) those of
// row i.
func strictTile(a *assembler, rows int) {
	tile(a, rows, 2, 4*rows, func() {
		for group := range 4 {
			for i := range rows {
				a.loadSpecial("V128Load64Splat", v(8+i), tileRow(i), 8*group)
			}
			for quarter := range 4 {
				a.loadSpecial("V128Load8x8S", "V10", tileW, 32*group+8*quarter)
				for i := range rows {
					sum := v(4*i + quarter)
					a.op("Get "+v(8+i), "Get V10", "I32x4DotI16x8S", "Get "+sum, "I32x4Add", "Set "+sum)
				}
			}
		}
	}, func() {
		const even, none = "$0x0b0a090803020100", "$-0x7f7f7f7f7f7f7f80" // lanes 0 and 2; no lane
		for i := range 2 * rows {
			for j, mask := range []string{even + ", " + none, none + ", " + even} {
				x := v(2*i + j)
				a.op("Get "+x, "Get "+x, "I32Const $32", "I64x2ShrU", "I32x4Add", "V128Const "+mask, "I8x16Swizzle")
			}
			a.op("V128Or", "Set "+v(i))
		}
	})
}
