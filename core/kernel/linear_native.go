//go:build !wasm && !(amd64 && goexperiment.simd)

package kernel

// panelRows is 1: weights stay in the order of rows.
const panelRows = 1

func linear(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, accumulate bool, s *Scratch) {
	s.acc = grow(s.acc, m*n)
	gemmU7S8(s.acc, a, w, m, n, k, s)
	if ldy == n {
		dequantizeRows(y, s.acc, rowScale, rowMin, colScale, colSum, bias, m, n, accumulate)
		return
	}
	for i := range m {
		dequantizeRows(y[i*ldy:], s.acc[i*n:], rowScale[i:], rowMin[i:], colScale, colSum, bias, 1, n, accumulate)
	}
}
