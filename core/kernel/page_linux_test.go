package kernel

import (
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pages hands out memory that ends at a page without access, a number of blocks
// in turn: a block is used again once all others were.
type pages struct {
	blocks [][]byte
	next   int
}

const pageBlock = 2 << 20

func newPages(t *testing.T, blocks int) *pages {
	p := &pages{}
	guardPage := syscall.Getpagesize()
	for range blocks {
		b, err := syscall.Mmap(-1, 0, pageBlock+guardPage, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, syscall.Munmap(b)) })
		require.NoError(t, syscall.Mprotect(b[pageBlock:], syscall.PROT_NONE))
		p.blocks = append(p.blocks, b[:pageBlock])
	}
	return p
}

func (p *pages) last(bytes int) unsafe.Pointer {
	p.next = (p.next + 1) % len(p.blocks)
	return unsafe.Pointer(&p.blocks[p.next][pageBlock-bytes])
}

// atPageEnd lets guard place buffers before pages without access.
func atPageEnd(t *testing.T) {
	// No check has more buffers than that at a time.
	endOfMemory = newPages(t, 64).last
	before := debug.SetPanicOnFault(true)
	t.Cleanup(func() {
		endOfMemory = nil
		debug.SetPanicOnFault(before)
	})
}

// TestSweepsAtPageEnd runs the sweeps on operands and results after which an
// access of memory faults.
func TestSweepsAtPageEnd(t *testing.T) {
	atPageEnd(t)
	require.NotPanics(t, func() {
		require.NoError(t, sweep(dispatched, newSeed(t)))
	})
}

// TestPageEndFaults reads and writes the element after a buffer.
func TestPageEndFaults(t *testing.T) {
	atPageEnd(t)
	x := guard(3, floatGuard).data()
	past := (*float32)(unsafe.Add(unsafe.Pointer(&x[2]), 4))
	assert.Panics(t, func() { x[0] = *past })
	assert.Panics(t, func() { *past = 1 })
}
