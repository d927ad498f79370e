package main

import "fmt"

// dotTile2x4 multiplies row pairs of one operand with a panel of four rows of
// the other. V0–V3 sum the first row's products with the panel's rows, V4–V7 the
// second's; each lane holds a part of the sum over k.
func dotTile2x4(a *assembler) {
	const (
		acc, stride, left, panel, pairs, end, w = "R0", "R1", "R2", "R3", "R4", "R5", "R6"
		unroll                                  = 2  // vectors of eight along k in one turn
		vector                                  = 16 // bytes
	)
	a.text("dotTile2x4", []string{"acc", "stride", "a", "w", "pairs", "k"},
		[]string{acc, stride, left, panel, pairs, end})
	a.set(end, end, "I64Mul", "$8") // four rows of int16
	a.set(end, end, "I64Add", panel)
	a.loop("pair", func() {
		a.zero(8)
		a.op("Get "+panel, "Set "+w)
		a.loop("dot", func() {
			for u := range unroll {
				a.load("V8", left, vector*2*u)
				a.load("V9", left, vector*(2*u+1))
				for j := range 4 {
					a.load("V10", w, vector*(4*u+j))
					for row, x := range []string{"V8", "V9"} {
						sum := v(4*row + j)
						a.op("Get "+x, "Get V10", "I32x4DotI16x8S", "Get "+sum, "I32x4Add", "Set "+sum)
					}
				}
			}
			a.set(left, left, "I64Add", fmt.Sprintf("$%d", vector*2*unroll))
			a.set(w, w, "I64Add", fmt.Sprintf("$%d", vector*4*unroll))
			a.op("Get "+w, "Get "+end, "I64LtU")
		})
		for row := range 2 {
			a.store(acc, 0, func() { sumAcross(a, 4*row) })
			a.set(acc, acc, "I64Add", stride)
		}
		a.countDown(pairs)
	})
	a.op("RET")
}

// sumAcross leaves on the stack the vector of the lane sums of the four vectors
// from V(first), using V8–V11.
func sumAcross(a *assembler, first int) {
	// V8 = c0[0]+c0[1], c1[0]+c1[1], c0[2]+c0[3], c1[2]+c1[3], V9 the same of c2, c3.
	for i, dst := range []string{"V8", "V9"} {
		even, odd := v(first+2*i), v(first+2*i+1)
		a.op("Get "+even, "Get "+odd, "I32Const $32", "I64x2Shl", "V128Const $0xffffffff, $0xffffffff", "V128Bitselect")
		a.op("Get "+even, "I32Const $32", "I64x2ShrU", "Get "+odd, "V128Const $0xffffffff, $0xffffffff", "V128Bitselect")
		a.op("I32x4Add", "Set "+dst)
	}
	a.op("Get V8", "Get V9", immediate("I64x2ExtractLane", 0), immediate("I64x2ReplaceLane", 1))
	a.op("Get V9", "Get V8", immediate("I64x2ExtractLane", 1), immediate("I64x2ReplaceLane", 0))
	a.op("I32x4Add")
}
