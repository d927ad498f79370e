package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGeneratedFileIsCurrent(t *testing.T) {
	committed, err := os.ReadFile("../gemm_wasm.s")
	require.NoError(t, err)
	assert.True(t, source() == string(committed), "gemm_wasm.s is not what gen writes: run go generate ./core/kernel")
}
