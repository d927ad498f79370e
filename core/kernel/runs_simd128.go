//go:build wasm

package kernel

func dots(dst, q, rows []float32, ld int) {
	for i := range dst {
		dst[i] = dotSIMD128(q, rows[i*ld:i*ld+len(q)])
	}
}

func combine(y, a, rows []float32, ld int) {
	for i, v := range a {
		axpySIMD128(y, v, rows[i*ld:i*ld+len(y)])
	}
}
