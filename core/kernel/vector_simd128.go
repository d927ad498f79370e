//go:build goexperiment.simd && wasm

package kernel

import (
	"simd/archsimd"
	"unsafe"
)

// quads returns x's whole vectors; rest returns the up to three elements after
// them.
func quads(x []float32) [][4]float32 {
	return unsafe.Slice((*[4]float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/4)
}

func rest(x []float32) []float32 { return x[len(x)&^3:] }

func addSIMD128(y, x []float32) {
	yq := quads(y)
	xq := quads(x)[:len(yq)]
	for i := range yq {
		archsimd.LoadFloat32x4Array(&yq[i]).Add(archsimd.LoadFloat32x4Array(&xq[i])).StoreArray(&yq[i])
	}
	addGeneric(rest(y), rest(x))
}

func axpySIMD128(y []float32, a float32, x []float32) {
	yq := quads(y)
	xq := quads(x)[:len(yq)]
	av := archsimd.BroadcastFloat32x4(a)
	for i := range yq {
		product := av.Mul(archsimd.LoadFloat32x4Array(&xq[i]))
		archsimd.LoadFloat32x4Array(&yq[i]).Add(product).StoreArray(&yq[i])
	}
	axpyGeneric(rest(y), a, rest(x))
}

func scaleSIMD128(x []float32, a float32) {
	xq := quads(x)
	av := archsimd.BroadcastFloat32x4(a)
	for i := range xq {
		archsimd.LoadFloat32x4Array(&xq[i]).Mul(av).StoreArray(&xq[i])
	}
	scaleGeneric(rest(x), a)
}

func dotSIMD128(a, b []float32) float32 {
	aq := quads(a)
	bq := quads(b)[:len(aq)]
	var sum archsimd.Float32x4
	for i := range aq {
		sum = sum.Add(archsimd.LoadFloat32x4Array(&aq[i]).Mul(archsimd.LoadFloat32x4Array(&bq[i])))
	}
	var lanes [4]float32
	sum.StoreArray(&lanes)
	b = rest(b)
	for i, v := range rest(a) {
		lanes[i] += float32(v * b[i])
	}
	return sumLanes(&lanes)
}
