//go:build !wasm

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestSweepsCatch feeds the sweeps kernels with the mistakes that such code
// tends to have. A sweep that lets one pass proves nothing about the others. They
// are the generic kernels with a change, so that a native run is enough.
func TestSweepsCatch(t *testing.T) {
	for name, breakIt := range map[string]func(k *implementation){
		"gemmU7S8 leaves out the last of k": func(k *implementation) {
			k.gemmU7S8 = func(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
				gemmU7S8Generic(acc, a, w, m, n, k, s)
				for i := range m {
					for j := range n {
						acc[i*n+j] -= int32(a[i*k+k-1]) * int32(w[j*k+k-1])
					}
				}
			}
		},
		"gemmU7S8 skips the last column": func(k *implementation) {
			k.gemmU7S8 = func(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
				for i := range m {
					if n > 0 {
						gemmU7S8Generic(acc[i*n:], a[i*k:], w, 1, n-1, k, s)
					}
				}
			}
		},
		"gemmU7S8 skips an odd last row": func(k *implementation) {
			k.gemmU7S8 = func(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
				gemmU7S8Generic(acc, a, w, m&^1, n, k, s)
			}
		},
		"gemmU7S8 writes past the end": func(k *implementation) {
			k.gemmU7S8 = func(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
				gemmU7S8Generic(acc, a, w, m, n, k, s)
				if n%4 != 0 {
					acc[: m*n+1 : cap(acc)][m*n] = 0
				}
			}
		},
		"gemmU7S8 adds to what is there": func(k *implementation) {
			k.gemmU7S8 = func(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
				before := append([]int32(nil), acc...)
				gemmU7S8Generic(acc, a, w, m, n, k, s)
				for i := range acc {
					acc[i] += before[i]
				}
			}
		},
		"gemmU7S8 saturates at 16 bits": func(k *implementation) {
			k.gemmU7S8 = func(acc []int32, a []uint8, w []int8, m, n, k int, s *Scratch) {
				gemmU7S8Generic(acc, a, w, m, n, k, s)
				for i := range acc {
					acc[i] = min(acc[i], 32767)
				}
			}
		},
		"linear takes the first row's scale for all": func(k *implementation) {
			k.linear = func(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, kk int, accumulate bool, s *Scratch) {
				scales := append([]float32(nil), rowScale...)
				for i := range scales {
					scales[i] = scales[0]
				}
				linearGeneric(y, ldy, a, scales, rowMin, w, colScale, colSum, bias, m, n, kk, accumulate, s)
			}
		},
		"linear ignores the leading dimension": func(k *implementation) {
			k.linear = func(y []float32, _ int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, kk int, accumulate bool, s *Scratch) {
				linearGeneric(y, n, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, kk, accumulate, s)
			}
		},
		"linear takes numbers too small to be normal as zero": func(k *implementation) {
			k.linear = func(y []float32, ldy int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, kk int, accumulate bool, s *Scratch) {
				linearGeneric(y, ldy, a, withoutDenormals(rowScale), withoutDenormals(rowMin), w, withoutDenormals(colScale), withoutDenormals(colSum), withoutDenormals(bias), m, n, kk, accumulate, s)
			}
		},
		"linearHeads does not divide": func(k *implementation) {
			k.linearHeads = func(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, kk int, s *Scratch) {
				linearGeneric(y, n, a, rowScale, rowMin, w, colScale, colSum, bias, m, n, kk, false, s)
			}
		},
		"linearHeads forgets the bias": func(k *implementation) {
			k.linearHeads = func(y []float32, d int, a []uint8, rowScale, rowMin []float32, w []int8, colScale, colSum, bias []float32, m, n, kk int, s *Scratch) {
				linearHeadsGeneric(y, d, a, rowScale, rowMin, w, colScale, colSum, nil, m, n, kk, s)
			}
		},
		"attend ignores the leading dimension": func(k *implementation) {
			k.attend = func(out []float32, ldo int, q, key, v []float32, rows, tokens, d int, scale float32, s *AttentionScratch) {
				attendGeneric(out, d, q, key, v, rows, tokens, d, scale, s)
			}
		},
		"attend gives weight to the padding": func(k *implementation) {
			k.attend = func(out []float32, ldo int, q, key, v []float32, rows, tokens, d int, scale float32, s *AttentionScratch) {
				padded := func(x []float32) []float32 {
					return append(append(make([]float32, 0, (tokens+1)*d), x...), make([]float32, d)...)
				}
				attendGeneric(out, ldo, q, padded(key), padded(v), rows, tokens+1, d, scale, s)
			}
		},
		"attend does not scale": func(k *implementation) {
			k.attend = func(out []float32, ldo int, q, key, v []float32, rows, tokens, d int, scale float32, s *AttentionScratch) {
				attendGeneric(out, ldo, q, key, v, rows, tokens, d, 1, s)
			}
		},
		"attend writes past its work buffers": func(k *implementation) {
			k.attend = func(out []float32, ldo int, q, key, v []float32, rows, tokens, d int, scale float32, s *AttentionScratch) {
				attendGeneric(out, ldo, q, key, v, rows, tokens, d, scale, &AttentionScratch{})
				scores := s.scores
				scores[: len(scores)+1 : cap(scores)][len(scores)] = 0
			}
		},
		"gemm takes numbers too small to be normal as zero": func(k *implementation) {
			k.gemm = func(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
				gemmGeneric(y, ldy, withoutDenormals(x), ldx, b, ldb, m, n, k)
			}
		},
		"gemm sums from the end": func(k *implementation) {
			k.gemm = func(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
				for i := range m {
					for j := range n {
						var sum float32
						for p := k - 1; p >= 0; p-- {
							sum += float32(x[i*ldx+p] * b[p*ldb+j])
						}
						y[i*ldy+j] = sum
					}
				}
			}
		},
		"gemm fuses products into sums": func(k *implementation) {
			k.gemm = func(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
				for i := range m {
					for j := range n {
						var sum float32
						for p := range k {
							sum = float32(float64(sum) + float64(x[i*ldx+p])*float64(b[p*ldb+j]))
						}
						y[i*ldy+j] = sum
					}
				}
			}
		},
		"gemm writes whole tiles": func(k *implementation) {
			k.gemm = func(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
				gemmGeneric(y, ldy, x, ldx, b, ldb, m, n, k)
				for i := range m {
					if ldy > n {
						y[: i*ldy+n+1 : cap(y)][i*ldy+n] = 0
					}
				}
			}
		},
		"gemm takes b as packed": func(k *implementation) {
			k.gemm = func(y []float32, ldy int, x []float32, ldx int, b []float32, ldb int, m, n, k int) {
				gemmGeneric(y, ldy, x, ldx, b, n, m, n, k)
			}
		},
		"add forgets the tail": func(k *implementation) {
			k.add = func(y, x []float32) { addGeneric(y[:len(y)&^3], x) }
		},
		"scale runs over the end": func(k *implementation) {
			k.scale = func(x []float32, a float32) { scaleGeneric(x[:(len(x)+3)&^3:cap(x)], a) }
		},
		"dot sums in sequence": func(k *implementation) {
			k.dot = func(a, b []float32) (sum float32) {
				for i, v := range a {
					sum += float32(v * b[i])
				}
				return sum
			}
		},
		"dots leaves out an odd last row": func(k *implementation) {
			k.dots = func(dst, q, rows []float32, ld int) { dotsGeneric(dst[:len(dst)&^1], q, rows, ld) }
		},
		"dots ignores the leading dimension": func(k *implementation) {
			k.dots = func(dst, q, rows []float32, _ int) { dotsGeneric(dst, q, rows, len(q)) }
		},
		"combine sums from the end": func(k *implementation) {
			k.combine = func(y, a, rows []float32, ld int) {
				for i := len(a) - 1; i >= 0; i-- {
					axpyGeneric(y, a[i], rows[i*ld:i*ld+len(y)])
				}
			}
		},
		"combine starts from zero": func(k *implementation) {
			k.combine = func(y, a, rows []float32, ld int) {
				clear(y)
				combineGeneric(y, a, rows, ld)
			}
		},
		"axpy fuses": func(k *implementation) {
			k.axpy = func(y []float32, a float32, x []float32) {
				for i := range y {
					y[i] = float32(float64(y[i]) + float64(a)*float64(x[i]))
				}
			}
		},
		"gelu is quickGELU": func(k *implementation) { k.gelu = quickGELUGeneric },
		"softmaxRow does not scale": func(k *implementation) {
			k.softmaxRow = func(x []float32, _ float32) { softmaxRowGeneric(x, 1) }
		},
		"layerNormRow cannot work in place": func(k *implementation) {
			k.layerNormRow = func(y, x, gamma, beta []float32, eps float32) {
				clear(y)
				layerNormRowGeneric(y, x, gamma, beta, eps)
			}
		},
		"quantizeRows leaves the padding": func(k *implementation) {
			k.quantizeRows = func(q []uint8, rowScale, rowMin []float32, x []float32, m, k int) {
				before := append([]uint8(nil), q...)
				quantizeRowsGeneric(q, rowScale, rowMin, x, m, k)
				for i := range m {
					copy(q[i*PadK(k)+k:(i+1)*PadK(k)], before[i*PadK(k)+k:])
				}
			}
		},
		"dequantizeRows forgets the bias": func(k *implementation) {
			k.dequantizeRows = func(y []float32, acc []int32, rowScale, rowMin, colScale, colSum, _ []float32, m, n int, accumulate bool) {
				dequantizeRowsGeneric(y, acc, rowScale, rowMin, colScale, colSum, nil, m, n, accumulate)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			broken := generic
			breakIt(&broken)
			err := sweep(broken, newSeed(t))
			assert.Error(t, err)
			t.Log(err)
		})
	}
	assert.NoError(t, sweep(generic, newSeed(t)))
}

// sweep runs every sweep.
func sweep(impl implementation, seed uint64) error {
	err := firstError(
		sweepGemmU7S8(impl, seed), sweepLinear(impl, seed), sweepGemm(impl, seed),
		sweepLinearHeads(impl, seed), sweepAttend(impl, seed),
		sweepVectors(impl, seed), sweepRows(impl, seed), sweepRuns(impl, seed))
	if err != nil {
		return err
	}
	return sweepRandom(impl, seed, 20)
}

// withoutDenormals returns x, nil where it is nil, with zeros for numbers too small
// to be normal.
func withoutDenormals(x []float32) []float32 {
	y := append([]float32(nil), x...)
	for i, v := range y {
		if max(v, -v) < 0x1p-126 {
			y[i] = v * 0 // of the same sign
		}
	}
	return y
}
