// Package work spreads loops over processors. How a loop is cut never depends on how many there are, so that results
// are the same on every machine.
package work

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Do calls f(i) for every i in 0..n-1, on as many goroutines as there are processors. Calls must not depend on each
// other.
func Do(n int, f func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	group.Wait()
}

// Blocks cuts 0..n into blocks of the given size, the last one shorter, and calls f with the bounds of each as Do does.
func Blocks(n, size int, f func(first, end int)) {
	Do((n+size-1)/size, func(i int) { f(i*size, min((i+1)*size, n)) })
}
