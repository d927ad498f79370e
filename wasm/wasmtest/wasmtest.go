// Package wasmtest builds the modules for tests.
package wasmtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ecor-clip/ecor/wasm/relax"
)

// experiments are build.sh's for the module, where their reasons stand.
const experiments = "simd,nosizespecializedmalloc,nogreenteagc"

// Build compiles ./wasm as build.sh does and returns the bytes of ecor.wasm. A
// test binary builds it once.
var Build = sync.OnceValues(func() ([]byte, error) { return build("-tags=") })

// BuildRelaxed is Build for ecor-relaxed.wasm.
var BuildRelaxed = sync.OnceValues(func() ([]byte, error) {
	b, err := build("-tags=relaxed")
	if err != nil {
		return nil, err
	}
	b, _, err = relax.Repair(b)
	return b, err
})

// Module returns what Build does and fails the test where it cannot.
func Module(t testing.TB) []byte { return need(t, Build) }

// RelaxedModule returns what BuildRelaxed does and fails the test where it
// cannot.
func RelaxedModule(t testing.TB) []byte { return need(t, BuildRelaxed) }

func need(t testing.TB, build func() ([]byte, error)) []byte {
	t.Helper()
	b, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func build(tags string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "ecor-module")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "ecor.wasm")
	cmd := exec.Command("go", "build", tags, "-buildmode=c-shared", "-ldflags=-s -w", "-trimpath", "-o", out, "github.com/ecor-clip/ecor/wasm")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOEXPERIMENT="+experiments, "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the module: %w\n%s", err, text)
	}
	return os.ReadFile(out)
}
