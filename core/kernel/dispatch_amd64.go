//go:build goexperiment.simd

package kernel

import "simd/archsimd"

// level is an instruction set that the kernels are written for.
type level int

const (
	levelGeneric level = iota
	levelAVX2          // AVX2 and FMA
	levelAVX512        // AVX-512 (F, CD, BW, DQ, VL) and its VNNI
)

// active is the level that the kernels use: the best that the processor offers.
var active = offered()

func offered() level {
	switch x := archsimd.X86; {
	case x.AVX512() && x.AVX512VNNI() && x.FMA():
		return levelAVX512
	case x.AVX2() && x.FMA():
		return levelAVX2
	}
	return levelGeneric
}

func name() string { return [...]string{"generic", "avx2", "avx512"}[active] }

// kernelSet is the kernels of a level.
type kernelSet struct {
	gemmU7S8       func(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch)
	linear         func(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch)
	gemm           func(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int)
	linearHeads    func(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, s *Scratch)
	quantizeKeys   func(w []int8, scale, sum, x []float32, n, d int)
	quantizeValues func(w []int8, scale, x []float32, n, d int)
	softmaxU7      func(q []uint8, rowScale, x []float32, m, n int, scale float32)
	quantizeRows   func(q []uint8, rowScale, rowMin []float32, x []float32, m, k int)
	dequantizeRows func(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool)
	add            func(y, x []float32)
	axpy           func(y []float32, a float32, x []float32)
	scale          func(x []float32, a float32)
	dot            func(a, b []float32) float32
	dots           func(dst, q, rows []float32, ld int)
	combine        func(y, a, rows []float32, ld int)
	softmaxRow     func(x []float32, scale float32)
	quickGELU      func(x []float32)
	gelu           func(x []float32)
	layerNormRow   func(y, x, gamma, beta []float32, eps float32)
}

var sets = [...]kernelSet{
	levelGeneric: {
		gemmU7S8Generic, linearGeneric, gemmGeneric,
		linearHeadsGeneric, quantizeKeysGeneric, quantizeValuesGeneric, softmaxU7Generic,
		quantizeRowsGeneric, dequantizeRowsGeneric,
		addGeneric, axpyGeneric, scaleGeneric, dotGeneric, dotsGeneric, combineGeneric,
		softmaxRowGeneric, quickGELUGeneric, geluGeneric, layerNormRowGeneric,
	},
	levelAVX2: {
		gemmU7S8Tiles, linearTiles, gemmTiles,
		linearHeadsTiles, quantizeKeysAVX2, quantizeValuesAVX2, softmaxU7AVX2,
		quantizeRowsAVX2, dequantizeRowsAVX2,
		addAVX2, axpyAVX2, scaleAVX2, dotAVX2, dotsVectors, combineVectors,
		softmaxRowAVX2, quickGELUAVX2, geluAVX2, layerNormRowAVX2,
	},
	levelAVX512: {
		gemmU7S8Tiles, linearTiles, gemmTiles,
		linearHeadsTiles, quantizeKeysAVX2, quantizeValuesAVX2, softmaxU7AVX2,
		quantizeRowsAVX2, dequantizeRowsAVX2,
		addAVX2, axpyAVX2, scaleAVX2, dotAVX2, dotsVectors, combineVectors,
		softmaxRowAVX2, quickGELUAVX2, geluAVX2, layerNormRowAVX2,
	},
}

func gemmU7S8(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
	sets[active].gemmU7S8(acc, a, w, m, n, k, s)
}

func linear(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch) {
	sets[active].linear(y, ldy, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, accumulate, s)
}

func gemm(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
	sets[active].gemm(y, ldy, x, ldx, b, ldb, m, n, k)
}

func linearHeads(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, s *Scratch) {
	sets[active].linearHeads(y, d, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, s)
}

func quantizeKeys(w []int8, scale, sum, x []float32, n, d int) {
	sets[active].quantizeKeys(w, scale, sum, x, n, d)
}

func quantizeValues(w []int8, scale, x []float32, n, d int) {
	sets[active].quantizeValues(w, scale, x, n, d)
}

func softmaxU7(q []uint8, rowScale, x []float32, m, n int, scale float32) {
	sets[active].softmaxU7(q, rowScale, x, m, n, scale)
}

func quantizeRows(q []uint8, rowScale, rowMin []float32, x []float32, m, k int) {
	sets[active].quantizeRows(q, rowScale, rowMin, x, m, k)
}

func dequantizeRows(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, bias []float32, m, n int, accumulate bool) {
	sets[active].dequantizeRows(y, acc, rowScale, rowMin, colScale, colSum, bias, m, n, accumulate)
}

func add(y, x []float32)                       { sets[active].add(y, x) }
func axpy(y []float32, a float32, x []float32) { sets[active].axpy(y, a, x) }
func scale(x []float32, a float32)             { sets[active].scale(x, a) }
func dot(a, b []float32) float32               { return sets[active].dot(a, b) }
func dots(dst, q, rows []float32, ld int)      { sets[active].dots(dst, q, rows, ld) }
func combine(y, a, rows []float32, ld int)     { sets[active].combine(y, a, rows, ld) }
func softmaxRow(x []float32, scale float32)    { sets[active].softmaxRow(x, scale) }
func quickGELU(x []float32)                    { sets[active].quickGELU(x) }
func gelu(x []float32)                         { sets[active].gelu(x) }

func layerNormRow(y, x, gamma, beta []float32, eps float32) {
	sets[active].layerNormRow(y, x, gamma, beta, eps)
}
