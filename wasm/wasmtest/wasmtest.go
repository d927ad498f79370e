// Package wasmtest builds the module for tests.
package wasmtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// experiments are build.sh's for the module, where their reasons stand.
const experiments = "simd,nosizespecializedmalloc,nogreenteagc"

// Build compiles ./wasm as build.sh does and returns the module's bytes. A
// test binary builds it once.
var Build = sync.OnceValues(build)

// Module returns what Build does and fails the test where it cannot.
func Module(t testing.TB) []byte {
	t.Helper()
	b, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func build() ([]byte, error) {
	dir, err := os.MkdirTemp("", "ecor-module")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "ecor.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-trimpath", "-o", out, "github.com/ecor-clip/ecor/wasm")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOEXPERIMENT="+experiments, "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the module: %w\n%s", err, text)
	}
	return os.ReadFile(out)
}
