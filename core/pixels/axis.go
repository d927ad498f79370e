package pixels

import "math"

const (
	precision = 32 - 8 - 2 // fractional bits of a weight: sums of weight · byte stay inside an int32
	half      = 1 << (precision - 1)
	support   = 2 // half width of the bicubic filter, in output pixels
)

// An axis resamples one dimension. Only pixels inside the crop are described.
type axis struct {
	source  int // source pixels
	resized int // output pixels before the crop
	count   int // output pixels inside the crop
	pad     int // black pixels of the crop before the first output pixel

	start  []int32 // (count) first source pixel of each output pixel, never decreasing
	taps   []int32 // (count) source pixels of each output pixel; start + taps never decreases
	stride int
	weight []int32 // (count, stride) fixed point; the first taps of each row are used

	exact []float64 // (stride) one output pixel's weights before rounding
}

// set prepares the axis to take source pixels to resized and to keep the crop in the middle.
func (a *axis) set(source, resized, crop int) {
	a.source, a.resized = source, resized
	first := 0
	a.count, a.pad = resized, (crop-resized+1)/2
	if resized >= crop {
		first = (resized - crop) / 2
		a.count, a.pad = crop, 0
	}

	// Explicit conversions keep the compiler from fusing multiply and add, so that weights
	// are the same on every processor.
	scale := float64(source) / float64(resized)
	stretch := max(scale, 1)
	reach := float64(support * stretch)
	inverse := 1 / stretch
	a.stride = 2*int(math.Ceil(reach)) + 1
	a.start = grow(a.start, a.count)
	a.taps = grow(a.taps, a.count)
	a.weight = grow(a.weight, a.count*a.stride)
	a.exact = grow(a.exact, a.stride)
	for o := range a.count {
		center := float64((float64(first+o) + 0.5) * scale)
		begin := max(int(center-reach+0.5), 0)
		end := min(int(center+reach+0.5), source)
		exact, sum := a.exact[:end-begin], 0.0
		for i := range exact {
			w := bicubic(float64((float64(begin+i) - center + 0.5) * inverse))
			exact[i] = w
			sum += w
		}
		fixed := a.weight[o*a.stride:][:len(exact)]
		for i, w := range exact {
			if sum != 0 {
				w /= sum
			}
			fixed[i] = int32(float64(w*(1<<precision)) + math.Copysign(0.5, w))
		}
		a.start[o], a.taps[o] = int32(begin), int32(len(exact))
	}
}

// weights returns the weights of output pixel o.
func (a *axis) weights(o int) []int32 { return a.weight[o*a.stride:][:a.taps[o]] }

// overlap returns the largest number of output pixels that use the same source pixel.
func (a *axis) overlap() int {
	most, oldest := 0, 0
	for o := range a.count {
		for a.start[oldest]+a.taps[oldest] <= a.start[o] {
			oldest++
		}
		most = max(most, o-oldest+1)
	}
	return most
}

// bicubic is the cubic convolution kernel with a = -0.5 (Keys, 1981).
func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	if x < 1 {
		return float64(float64(float64(float64((a+2)*x)-(a+3))*x)*x) + 1
	}
	if x < support {
		return float64((float64((float64((x-5)*x)+8)*x) - 4) * a)
	}
	return 0
}
