package work

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBlocksCoverEverythingOnce(t *testing.T) {
	for _, c := range [][2]int{{0, 4}, {1, 4}, {4, 4}, {5, 4}, {1000, 7}} {
		seen := make([]atomic.Int32, c[0])
		Blocks(c[0], c[1], func(first, end int) {
			assert.LessOrEqual(t, end-first, c[1])
			for i := first; i < end; i++ {
				seen[i].Add(1)
			}
		})
		for i := range seen {
			assert.Equal(t, int32(1), seen[i].Load(), "%v: %d", c, i)
		}
	}
}
