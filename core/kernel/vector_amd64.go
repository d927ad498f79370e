//go:build goexperiment.simd

package kernel

import "simd/archsimd"

func addAVX2(y, x []float32) {
	for len(y) >= 8 && len(x) >= 8 {
		archsimd.LoadFloat32x8(y).Add(archsimd.LoadFloat32x8(x)).Store(y)
		y, x = y[8:], x[8:]
	}
	archsimd.ClearAVXUpperBits()
	addGeneric(y, x)
}

func axpyAVX2(y []float32, a float32, x []float32) {
	as := archsimd.BroadcastFloat32x8(a)
	for len(y) >= 8 && len(x) >= 8 {
		archsimd.LoadFloat32x8(y).Add(as.Mul(archsimd.LoadFloat32x8(x))).Store(y)
		y, x = y[8:], x[8:]
	}
	archsimd.ClearAVXUpperBits()
	axpyGeneric(y, a, x)
}

func scaleAVX2(x []float32, a float32) {
	as := archsimd.BroadcastFloat32x8(a)
	for len(x) >= 8 {
		archsimd.LoadFloat32x8(x).Mul(as).Store(x)
		x = x[8:]
	}
	archsimd.ClearAVXUpperBits()
	scaleGeneric(x, a)
}

func dotAVX2(a, b []float32) float32 {
	var sums archsimd.Float32x4
	for len(a) >= 4 && len(b) >= 4 {
		sums = sums.Add(archsimd.LoadFloat32x4(a).Mul(archsimd.LoadFloat32x4(b)))
		a, b = a[4:], b[4:]
	}
	var sum [4]float32
	sums.StoreArray(&sum)
	for i, v := range a {
		sum[i] += float32(v * b[i])
	}
	return sumLanes(&sum)
}
