package kernel

import "math"

// AttentionScratch holds the work buffers of Attend. The zero value is ready. It
// serves one call at a time.
type AttentionScratch struct {
	q              []uint8   // (rows, PadK(d)) queries, 7 bits
	qScale, qMin   []float32 // (rows)
	keys           []int8    // (PadK(tokens), PadK(d)) in panels
	keyScale       []float32 // (PadK(tokens)), padding 0
	keySum         []float32 // (PadK(tokens)), padding 0
	mask           []float32 // (PadK(tokens)): 0, padding the least float32
	values         []int8    // (d, PadK(tokens)) in panels
	valueScale     []float32 // (d)
	zeros          []float32 // of a block of rows, or d
	scores         []float32 // (attendRows, PadK(tokens))
	weights        []uint8   // (attendRows, PadK(tokens)) softmax, 7 bits
	weightScale    []float32 // (attendRows)
	Scratch        Scratch
	tokens, padded int // that mask was made for
}

// attendRows is the number of queries whose scores are held at a time.
const attendRows = 40

// Attend computes softmax(scale·q·kᵀ)·v with integer products: q is rows×d, k
// and v are tokens×d, all contiguous, out is rows×d with leading dimension ldo.
// d is a multiple of 8.
//
// Queries are quantized as QuantizeRows does. Each key, and each column of v, is
// quantized to int8: x ≈ scale·round(x/scale) with scale = max|x|/127. The softmax's
// weights are p = round(127·Exp(scale·score - greatest)), and the result is the
// products with p divided by their sum. A key, or a column of v, that has a
// number that is not finite counts as NaN.
func Attend(out []float32, ldo int, q, k, v []float32, rows, tokens, d int, scale float32, s *AttentionScratch) {
	checkMatrix(len(out), ldo, rows, d, shortDst)
	checkMatrix(len(q), d, rows, d, shortSrc)
	checkMatrix(len(k), d, tokens, d, shortSrc)
	checkMatrix(len(v), d, tokens, d, shortSrc)
	if d%8 != 0 {
		panic(badHead)
	}
	if rows == 0 || tokens == 0 || d == 0 {
		for i := range rows {
			clear(out[i*ldo : i*ldo+d])
		}
		return
	}
	dp, tp := PadK(d), PadK(tokens)
	s.q = grow(s.q, rows*dp)
	s.qScale, s.qMin = grow(s.qScale, rows), grow(s.qMin, rows)
	quantizeRows(s.q, s.qScale, s.qMin, q, rows, d)

	s.keys = grow(s.keys, PanelLen(tp, dp))
	s.keyScale, s.keySum = grow(s.keyScale, tp), grow(s.keySum, tp)
	clear(s.keys[tokens/panelRows*panelRows*dp:])
	if dp != d {
		clear(s.keys)
	}
	clear(s.keyScale[tokens:])
	clear(s.keySum[tokens:])
	quantizeKeys(s.keys, s.keyScale, s.keySum, k, tokens, d)

	s.values, s.valueScale = grow(s.values, PanelLen(d, tp)), grow(s.valueScale, d)
	clear(s.values)
	quantizeValues(s.values, s.valueScale, v, tokens, d)

	s.prepare(tokens, d)
	for i := 0; i < rows; i += attendRows {
		n := min(attendRows, rows-i)
		linear(s.scores, tp, s.q[i*dp:], s.qScale[i:], s.qMin[i:], s.keys, s.keyScale, s.keySum, s.mask, n, tp, dp, false, &s.Scratch)
		softmaxU7(s.weights, s.weightScale, s.scores, n, tp, scale)
		linear(out[i*ldo:], ldo, s.weights, s.weightScale, s.zeros, s.values, s.valueScale, s.zeros, nil, n, d, tp, false, &s.Scratch)
	}
}

// prepare makes the buffers of one block of rows.
func (s *AttentionScratch) prepare(tokens, d int) {
	tp := PadK(tokens)
	if len(s.zeros) < max(d, attendRows) {
		s.zeros = make([]float32, max(d, attendRows))
	}
	if s.tokens == tokens {
		return
	}
	s.tokens = tokens
	s.mask = grow(s.mask, tp)
	clear(s.mask)
	for j := tokens; j < tp; j++ {
		s.mask[j] = -maxFloat32
	}
	s.scores = grow(s.scores, attendRows*tp)
	s.weights, s.weightScale = grow(s.weights, attendRows*tp), grow(s.weightScale, attendRows)
}

// symmetricScale returns the scale and its reciprocal for numbers of at most the
// given size, which is NaN where one of them is not finite. inv is 0 where
// every quantized number is 0.
func symmetricScale(size float32) (scale, inv float32) {
	if !(size <= maxFloat32) {
		return nan(), 0
	}
	if size < minRange {
		return 0, 0
	}
	scale = size / 127
	return scale, 1 / scale
}

// quantizeKeysGeneric writes the rows of x (n×d) to panels w with inner
// dimension PadK(d), whose padding is not written. sum is the sum of a row's
// integers.
func quantizeKeysGeneric(w []int8, scale, sum, x []float32, n, d int) {
	for j := range n {
		row := x[j*d : j*d+d]
		lo, hi := boundsGeneric(row)
		var inv float32
		scale[j], inv = symmetricScale(max(-lo, hi))
		var total float32
		for p, v := range row {
			q, number := roundS8(v, inv)
			w[packedAt(j, p, PadK(d))] = q
			total += number
		}
		sum[j] = total
	}
}

// quantizeValuesGeneric writes the columns of x (n×d) as rows of panels w with
// inner dimension PadK(n), whose padding is not written.
func quantizeValuesGeneric(w []int8, scale, x []float32, n, d int) {
	for c := range d {
		var size float32
		for t := range n {
			v := x[t*d+c]
			size = max(size, v, -v)
		}
		var inv float32
		scale[c], inv = symmetricScale(size)
		for t := range n {
			w[packedAt(c, t, PadK(n))], _ = roundS8(x[t*d+c], inv)
		}
	}
}

// roundS8 returns x·inv rounded to an integer, ties to even; 0 where inv is 0.
func roundS8(x, inv float32) (q int8, number float32) {
	if inv == 0 {
		return 0, 0
	}
	t := float32(x*inv) + roundToInt
	return int8(math.Float32bits(t)), t - roundToInt
}

// softmaxU7Generic turns each row of scores x (m×n) into weights q and the
// reciprocal of their sum. A sum of such numbers is exact in every order.
func softmaxU7Generic(q []uint8, rowScale, x []float32, m, n int, scale float32) {
	for i := range m {
		row := x[i*n : i*n+n]
		top := float32(row[0] * scale)
		for _, v := range row {
			top = max(top, float32(v*scale))
		}
		var sum float32
		for p, v := range row {
			t := float32(Exp(float32(v*scale)-top)*127) + roundToInt
			q[i*n+p] = uint8(math.Float32bits(t)) & 127
			sum += t - roundToInt
		}
		rowScale[i] = 1 / sum
	}
}
