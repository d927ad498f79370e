//go:build goexperiment.simd

package kernel

// eachLevel calls f with each level that the processor offers in use.
func eachLevel(f func()) {
	for l := levelGeneric; l <= offered(); l++ {
		active = l
		f()
	}
	active = offered()
}
