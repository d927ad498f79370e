//go:build wasm

package kernel

import "unsafe"

func quantizeKeys(w []int8, scale, sum, x []float32, n, d int) {
	dp := PadK(d)
	for j := range n {
		row := x[j*d : j*d+d]
		lo, hi := bounds(row)
		var inv float32
		scale[j], inv = symmetricScale(max(-lo, hi))
		var total [4]float32
		quantizeKeyVectors(&w[packedAt(j, 0, dp)], &row[0], d/4, &vectorConstants[0], &total, inv)
		sum[j] = sumLanes(&total)
	}
}

func quantizeValues(w []int8, scale, x []float32, n, d int) {
	clear(scale[:d])
	for t := range n {
		maxSizeVectors(&scale[0], &x[t*d], d/4)
	}
	np, groups := PadK(n), n/4
	for c := 0; c < d; c += 4 {
		var inv [4]float32
		for lane := range inv {
			scale[c+lane], inv[lane] = symmetricScale(scale[c+lane])
		}
		if groups > 0 {
			quantizeValueVectors(&w[packedAt(c, 0, np)], &x[c], 4*d, groups, &vectorConstants[0], &inv[0])
		}
		for t := groups * 4; t < n; t++ {
			for lane := range inv {
				w[packedAt(c+lane, t, np)], _ = roundS8(x[t*d+c+lane], inv[lane])
			}
		}
	}
}

func linearHeads(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, k int, s *Scratch) {
	if m == 0 || n == 0 || k == 0 {
		linearGeneric(y, d, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, k, false, s)
		return
	}
	p := packLeft(a, m, k, s)
	t := tile{ldy: 4 * d, k: k, rowScale: &rowScale[0], rowMin: &rowMin[0]}
	for j := 0; j < n; j += t.panels * panelRows {
		t.panels = p.panels(d-j%d, k)
		t.w, t.y = p.panel(w[j*k:], k), unsafe.Pointer(&y[j/d*d*m+j%d])
		t.colScale, t.colSum = &colScale[j], &colSum[j]
		if bias != nil {
			t.bias = &bias[j]
		}
		p.rows(&t, m)
	}
}

func softmaxU7(q []uint8, rowScale, x []float32, m, n int, scale float32) {
	for i := range m {
		row := x[i*n : i*n+n]
		var lanes [4]float32
		maxVectors(&row[0], n/4, &lanes, scale)
		top := max(lanes[0], lanes[1], lanes[2], lanes[3])
		weightVectors(&q[i*n], &row[0], n/16, &vectorConstants[0], &lanes, scale, top)
		rowScale[i] = 1 / sumLanes(&lanes)
	}
}
