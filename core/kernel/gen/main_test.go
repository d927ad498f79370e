//go:build !wasm

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGeneratedFilesAreCurrent(t *testing.T) {
	for name, source := range sources() {
		committed, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		assert.True(t, source == string(committed), "%s is not what gen writes: run go generate ./core/kernel", name)
	}
}
