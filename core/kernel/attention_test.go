package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plainAttend is what Attend promises, on rows as they are.
func plainAttend(out []float32, ldo int, q, k, v []float32, rows, tokens, d int, scale float32) {
	dp := PadK(d)
	u7, qScale, qMin := make([]uint8, rows*dp), make([]float32, rows), make([]float32, rows)
	quantizeRowsGeneric(u7, qScale, qMin, q, rows, d)
	symmetric := func(x []float32) (ints []int32, scale, sum float32) {
		var size float32
		for _, v := range x {
			size = max(size, v, -v)
		}
		scale, inv := symmetricScale(size)
		for _, v := range x {
			n := int32(math.RoundToEven(float64(float32(v * inv))))
			ints, sum = append(ints, n), sum+float32(n)
		}
		return ints, scale, sum
	}
	scores, weights := make([]float32, tokens), make([]int32, tokens)
	for i := range rows {
		for j := range tokens {
			key, keyScale, keySum := symmetric(k[j*d : j*d+d])
			var acc int32
			for p, n := range key {
				acc += int32(u7[i*dp+p]) * n
			}
			scores[j] = float32(keyScale*(float32(qScale[i]*float32(acc))+float32(qMin[i]*keySum))) * scale
		}
		top := scores[0]
		for _, s := range scores {
			top = max(top, s)
		}
		var sum float32
		for j, s := range scores {
			weights[j] = int32(math.RoundToEven(float64(float32(Exp(s-top) * 127))))
			sum += float32(weights[j])
		}
		for c := range d {
			column := make([]float32, tokens)
			for t := range column {
				column[t] = v[t*d+c]
			}
			ints, columnScale, _ := symmetric(column)
			var acc int32
			for t, n := range ints {
				acc += weights[t] * n
			}
			out[i*ldo+c] = columnScale * float32(1/sum*float32(acc))
		}
	}
}

// attendGeneric is Attend with the generic kernels.
func attendGeneric(out []float32, ldo int, q, k, v []float32, rows, tokens, d int, scale float32, s *AttentionScratch) {
	dp, tp := PadK(d), PadK(tokens)
	u7, qScale, qMin := make([]uint8, rows*dp), make([]float32, rows), make([]float32, rows)
	quantizeRowsGeneric(u7, qScale, qMin, q, rows, d)
	keys, keyScale, keySum := make([]int8, PanelLen(tp, dp)), make([]float32, tp), make([]float32, tp)
	quantizeKeysGeneric(keys, keyScale, keySum, k, tokens, d)
	values, valueScale := make([]int8, PanelLen(d, tp)), make([]float32, d)
	quantizeValuesGeneric(values, valueScale, v, tokens, d)
	mask, zeros := make([]float32, tp), make([]float32, max(d, rows))
	fill(mask[tokens:], -maxFloat32)
	scores, weights, weightScale := make([]float32, rows*tp), make([]uint8, rows*tp), make([]float32, rows)
	linearGeneric(scores, tp, u7, qScale, qMin, keys, keyScale, keySum, mask, rows, tp, dp, false, &s.Scratch)
	softmaxU7Generic(weights, weightScale, scores, rows, tp, scale)
	linearGeneric(out, ldo, weights, weightScale, zeros, values, valueScale, zeros, nil, rows, d, tp, false, &s.Scratch)
}

// checkAttend compares impl with the generic kernels, bit for bit. The work
// buffers are just large enough.
func checkAttend(impl implementation, r *rand.Rand, numbers operand, rows, tokens, d, pad int) error {
	what := fmt.Sprintf("attention of %d to %d of %d", rows, tokens, d)
	ldo, dp, tp := d+pad, PadK(d), PadK(tokens)
	q, k, v := numbers(r, rows*d, d), numbers(r, tokens*d, d), numbers(r, tokens*d, d)
	// From one token that takes all the weight to all tokens alike.
	scale := float32(math.Ldexp(0.7, -r.IntN(14)))
	out := floats(r, span(rows, d, ldo))
	want := out.clone()
	number := func(n int) guarded[float32] { return guard(n, floatGuard) }
	qScale, qMin, keyScale, keySum := number(rows), number(rows), number(tp), number(tp)
	mask, valueScale, scores, weightScale := number(tp), number(d), number(attendRows*tp), number(attendRows)
	u7, weights := guard(rows*dp, uint8(101)), guard(attendRows*tp, uint8(101))
	keys, values := guard(PanelLen(tp, dp), int8(-103)), guard(PanelLen(d, tp), int8(-103))
	impl.attend(out.data(), ldo, q.data(), k.data(), v.data(), rows, tokens, d, scale, &AttentionScratch{
		q: u7.data(), qScale: qScale.data(), qMin: qMin.data(), keys: keys.data(), keyScale: keyScale.data(), keySum: keySum.data(), mask: mask.data(),
		values: values.data(), valueScale: valueScale.data(), scores: scores.data(), weights: weights.data(), weightScale: weightScale.data(),
	})
	attendGeneric(want.data(), ldo, q.data(), k.data(), v.data(), rows, tokens, d, scale, &AttentionScratch{})
	for _, b := range []guarded[float32]{out, qScale, qMin, keyScale, keySum, mask, valueScale, scores, weightScale} {
		if err := b.check(what); err != nil {
			return err
		}
	}
	return firstError(sameBits(what, out.data(), want.data()), u7.check(what), weights.check(what), keys.check(what), values.check(what))
}

// checkLinearHeads compares impl with the generic kernels, bit for bit.
func checkLinearHeads(impl implementation, r *rand.Rand, numbers operand, m, heads, d, k int, s *Scratch) error {
	kp, n := PadK(k), heads*d
	what := fmt.Sprintf("%d rows of %d heads of %d", m, heads, d)
	l := newLayer(r, numbers, m, n, k)
	for _, bias := range [][]float32{nil, l.bias.data()} {
		y, whole := guard(m*n, floatGuard), make([]float32, m*n)
		impl.linearHeads(y.data(), d, l.a.data(), l.rowScale.data(), l.rowMin.data(), l.w.data(), l.colScale.data(), l.colSum.data(), bias, m, n, kp, s)
		linearGeneric(whole, n, l.a.data(), l.rowScale.data(), l.rowMin.data(), l.w.data(), l.colScale.data(), l.colSum.data(), bias, m, n, kp, false, &Scratch{})
		want := make([]float32, 0, m*n)
		for head := range heads {
			for i := range m {
				want = append(want, whole[i*n+head*d:i*n+(head+1)*d]...)
			}
		}
		if err := firstError(sameBits(what, y.data(), want), y.check(what)); err != nil {
			return err
		}
	}
	return nil
}

// sweepLinearHeads holds impl to the generic kernels over shapes around the tile.
func sweepLinearHeads(impl implementation, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 23))
	var s Scratch
	for _, m := range []int{1, 2, 7} {
		for _, c := range []struct{ d, heads int }{{8, 1}, {8, 3}, {16, 2}, {24, 3}, {64, 2}} {
			if err := checkLinearHeads(impl, r, ordinary, m, c.heads, c.d, 32, &s); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepAttend holds impl to the generic kernels over shapes around the tile.
func sweepAttend(impl implementation, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 24))
	for _, tokens := range []int{1, 4, 16, 17, 37, 50} {
		for _, d := range []int{8, 16, 24, 64} {
			for _, rows := range []int{1, 5, min(tokens, 33)} {
				if err := checkAttend(impl, r, ordinary, rows, tokens, d, tokens%3); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func TestLinearHeads(t *testing.T) {
	require.NoError(t, sweepLinearHeads(dispatched, newSeed(t)))
	var s Scratch
	f := func(n int) []float32 { return make([]float32, n) }
	for _, d := range []int{0, 4, 16} {
		assert.PanicsWithValue(t, badHead, func() {
			LinearHeads(f(24), d, make([]uint8, 16), f(1), f(1), make([]int8, PanelLen(24, 16)), f(24), f(24), nil, 1, 24, 16, &s)
		})
	}
}

// TestAttend holds Attend to the generic kernels, and to what it promises.
func TestAttend(t *testing.T) {
	require.NoError(t, sweepAttend(dispatched, newSeed(t)))
	r := rand.New(rand.NewPCG(newSeed(t), 20))
	var s AttentionScratch
	for _, tokens := range []int{1, 3, 4, 16, 17, 37, 50} {
		for _, d := range []int{8, 16, 24, 64} {
			for _, rows := range []int{0, 1, 5, min(tokens, 33)} {
				what := fmt.Sprintf("%d×%d of %d", rows, tokens, d)
				ldo := d + tokens%3
				out := floats(r, span(rows, d, ldo))
				want := out.clone()
				q, k, v := normals(r, rows*d), normals(r, tokens*d), normals(r, tokens*d)
				Attend(out.data(), ldo, q.data(), k.data(), v.data(), rows, tokens, d, 0.3, &s)
				plainAttend(want.data(), ldo, q.data(), k.data(), v.data(), rows, tokens, d, 0.3)
				require.NoError(t, firstError(sameBits(what, out.data(), want.data()), out.check(what)))
			}
		}
	}
}

// normals returns a guarded buffer of n numbers around 0, some of them large.
func normals(r *rand.Rand, n int) guarded[float32] {
	g := guard(n, floatGuard)
	for i := range g.data() {
		g.data()[i] = float32(r.NormFloat64() * math.Pow(10, r.Float64()-0.5))
	}
	return g
}

// TestAttendIsNear holds the integer products to attention in float64.
func TestAttendIsNear(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 21))
	const rows, tokens, d, scale = 7, 50, 64, 0.125
	plain := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	q, k, v := plain(rows*d), plain(tokens*d), plain(tokens*d)
	out := make([]float32, rows*d)
	Attend(out, d, q, k, v, rows, tokens, d, scale, &AttentionScratch{})
	for i := range rows {
		weights, sum := make([]float64, tokens), 0.0
		for j := range tokens {
			for p := range d {
				weights[j] += scale * float64(q[i*d+p]) * float64(k[j*d+p])
			}
		}
		for j := range weights {
			weights[j] = math.Exp(weights[j])
			sum += weights[j]
		}
		var off, size float64
		for c := range d {
			want := 0.0
			for j := range tokens {
				want += weights[j] / sum * float64(v[j*d+c])
			}
			off += (want - float64(out[i*d+c])) * (want - float64(out[i*d+c]))
			size += want * want
		}
		assert.Less(t, math.Sqrt(off/size), 0.05, "row %d", i)
	}
}

func TestAttendExtremes(t *testing.T) {
	const tokens, d = 5, 16
	attend := func(q, k, v []float32) []float32 {
		out := make([]float32, d)
		Attend(out, d, q, k, v, 1, tokens, d, 1, &AttentionScratch{})
		return out
	}
	ones := func(n int, x float32) []float32 {
		y := make([]float32, n)
		fill(y, x)
		return y
	}
	tall := ones(tokens*d, 1)
	assert.Equal(t, ones(d, 0), attend(ones(d, 0), ones(tokens*d, 0), ones(tokens*d, 0)), "zeros")
	assert.InDeltaSlice(t, ones(d, 3), attend(ones(d, 5), tall, ones(tokens*d, 3)), 1e-5, "equal tokens")
	assert.InDeltaSlice(t, ones(d, 0), attend(ones(d, 1), tall, ones(tokens*d, 1e-38)), 1e-37, "values too small")
	huge := ones(tokens*d, 1)
	fill(huge[2*d:3*d], 1e30)
	for _, x := range attend(ones(d, 1), huge, huge) {
		assert.InEpsilon(t, 1e30, x, 0.01, "one key takes all")
	}
	for _, bad := range []float32{nan(), float32(math.Inf(1)), float32(math.Inf(-1))} {
		k, v := ones(tokens*d, 1), ones(tokens*d, 1)
		k[2*d+3] = bad
		for _, x := range attend(ones(d, 1), k, tall) {
			assert.True(t, x != x, "a key with %v", bad)
		}
		v[2*d+3] = bad
		got := attend(ones(d, 1), tall, v)
		assert.True(t, got[3] != got[3], "a value %v", bad)
		assert.InDelta(t, 1, got[4], 1e-5)
		q := ones(d, 1)
		q[5] = bad
		for _, x := range attend(q, tall, tall) {
			assert.True(t, x != x, "a query with %v", bad)
		}
	}
	assert.PanicsWithValue(t, badHead, func() { Attend(ones(4, 0), 4, ones(4, 0), ones(4, 0), ones(4, 0), 1, 1, 4, 1, &AttentionScratch{}) })
	assert.PanicsWithValue(t, shortSrc, func() { Attend(ones(8, 0), 8, ones(8, 0), ones(8, 0), ones(7, 0), 1, 1, 8, 1, &AttentionScratch{}) })
	assert.PanicsWithValue(t, shortDst, func() { Attend(ones(7, 0), 8, ones(8, 0), ones(8, 0), ones(8, 0), 1, 1, 8, 1, &AttentionScratch{}) })
}

// TestAttendScratch attends to many tokens, then to few, and without allocation
// after the first time.
func TestAttendScratch(t *testing.T) {
	r := rand.New(rand.NewPCG(newSeed(t), 22))
	var s AttentionScratch
	for _, tokens := range []int{50, 3, 20, 21} {
		const d = 8
		q, k, v := normals(r, tokens*d).data(), normals(r, tokens*d).data(), normals(r, tokens*d).data()
		got, want := make([]float32, tokens*d), make([]float32, tokens*d)
		Attend(got, d, q, k, v, tokens, tokens, d, 0.2, &s)
		plainAttend(want, d, q, k, v, tokens, tokens, d, 0.2)
		require.NoError(t, sameBits("out", got, want))
		assert.Zero(t, testing.AllocsPerRun(5, func() { Attend(got, d, q, k, v, tokens, tokens, d, 0.2, &s) }))
	}
}
