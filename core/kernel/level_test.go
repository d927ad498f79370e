//go:build !(amd64 && goexperiment.simd)

package kernel

// eachLevel calls f; there is one kernel set.
func eachLevel(f func()) { f() }
