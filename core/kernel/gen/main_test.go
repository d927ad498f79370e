//go:build !wasm

package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGeneratedFileIsCurrent(t *testing.T) {
	committed, err := os.ReadFile("../simd128_wasm.s")
	require.NoError(t, err)
	assert.True(t, source() == string(committed), "simd128_wasm.s is not what gen writes: run go generate ./core/kernel")
}
