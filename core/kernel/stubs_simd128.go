//go:build wasm

package kernel

import "math"

// The functions that package gen writes. Counts are positive; n counts whole
// vectors of four float32, one of each pointer that is not a result. What is
// written "[4]" is one value for each lane.

// gemmTile4x8 computes four rows of y = x·b for 8·tiles columns; the leading
// dimensions are in bytes.
//
//go:noescape
func gemmTile4x8(y *float32, ldy int, x *float32, ldx int, b *float32, ldb, tiles, k int)

// gemmTile1x8 is gemmTile4x8 for one row; ldy and ldx are unused.
//
//go:noescape
func gemmTile1x8(y *float32, ldy int, x *float32, ldx int, b *float32, ldb, tiles, k int)

// widenVectors widens 16·n bytes, writing each eight of them step bytes after
// the eight before.
//
//go:noescape
func widenVectors(dst *int16, src *int8, n, step int)

// expVectors sets x = Exp(x·a - b) and sum[4] to the sums of the results.
//
//go:noescape
func expVectors(x *float32, n int, c *[4]float32, sum *[4]float32, a, b float32)

//go:noescape
func quickGELUVectors(x *float32, n int, c *[4]float32)

//go:noescape
func geluVectors(x *float32, n int, c *[4]float32)

// maxVectors sets top[4] to the greatest x·scale.
//
//go:noescape
func maxVectors(x *float32, n int, top *[4]float32, scale float32)

// sumVectors adds x to sum[4], squareVectors adds (x-mean)².
//
//go:noescape
func sumVectors(x *float32, n int, sum *[4]float32)

//go:noescape
func squareVectors(x *float32, n int, sum *[4]float32, mean float32)

// normVectors sets y = (x-mean)·inv·gamma + beta.
//
//go:noescape
func normVectors(y, x, gamma, beta *float32, n int, mean, inv float32)

// addVectors adds x to y, axpyVectors a·x; scaleVectors multiplies x by a;
// dotVectors adds a·b to sum[4].
//
//go:noescape
func addVectors(y, x *float32, n int)

//go:noescape
func axpyVectors(y, x *float32, n int, a float32)

//go:noescape
func scaleVectors(x *float32, n int, a float32)

//go:noescape
func dotVectors(a, b *float32, n int, sum *[4]float32)

// boundVectors sets lohi to the least x[4], the greatest x[4] and a vector that
// is 0 where every x was finite and NaN elsewhere; then the first two mean
// nothing.
//
//go:noescape
func boundVectors(x *float32, n int, c *[4]float32, lohi *[3][4]float32)

// quantizeVectors quantizes n times sixteen elements.
//
//go:noescape
func quantizeVectors(q *uint8, x *float32, n int, c *[4]float32, offset, inv float32)

// dequantizeVectors dequantizes a row; the others add the bias, add to what y
// held, or both. bias is not used by the first two.
//
//go:noescape
func dequantizeVectors(y *float32, acc *int32, colScale, colSum, bias *float32, n int, rowScale, rowMin float32)

//go:noescape
func dequantizeAddVectors(y *float32, acc *int32, colScale, colSum, bias *float32, n int, rowScale, rowMin float32)

//go:noescape
func dequantizeBiasVectors(y *float32, acc *int32, colScale, colSum, bias *float32, n int, rowScale, rowMin float32)

//go:noescape
func dequantizeBiasAddVectors(y *float32, acc *int32, colScale, colSum, bias *float32, n int, rowScale, rowMin float32)

// quantizeKeyVectors quantizes n vectors to words of a panel and sets sum[4] to
// sums of the integers.
//
//go:noescape
func quantizeKeyVectors(dst *int8, x *float32, n int, c *[4]float32, sum *[4]float32, inv float32)

// maxSizeVectors sets top to the greater of top and |x|.
//
//go:noescape
func maxSizeVectors(top, x *float32, n int)

// quantizeValueVectors quantizes four columns of n groups of four rows, step
// bytes apart, to a panel. inv has the columns' factors.
//
//go:noescape
func quantizeValueVectors(dst *int8, x *float32, step, n int, c *[4]float32, inv *float32)

// weightVectors sets q = round(127·Exp(x·a - b)) for n times sixteen elements,
// and sum[4] to sums of the integers.
//
//go:noescape
func weightVectors(q *uint8, x *float32, n int, c *[4]float32, sum *[4]float32, a, b float32)

// vectorConstants are the constants of these functions, in the order of gen's
// constantNames.
var vectorConstants = [...][4]float32{
	splat(expMin), splat(expMax), splat(expLog2e), splat(roundToInt), splat(expLn2Hi), splat(expLn2Lo), splat(1),
	splat(expC0), splat(expC1), splat(expC2), splat(expC3), splat(expC4),
	splat(quickGELUSlope), splat(-0.5), splat(0),
	splat(geluP), splat(geluC0), splat(geluC1), splat(geluC2), splat(geluC3), splat(geluC4), splat(geluC5),
	splat(math.Float32frombits(0xff)), // the low byte of each lane
	{ // byte 0 of each lane, then byte 1, 2 and 3
		math.Float32frombits(0x0c080400), math.Float32frombits(0x0d090501),
		math.Float32frombits(0x0e0a0602), math.Float32frombits(0x0f0b0703),
	},
	splat(127),
}

func splat(x float32) [4]float32 { return [4]float32{x, x, x, x} }
