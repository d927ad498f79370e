package kernel

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
)

func TestMain(m *testing.M) {
	fmt.Printf("core/kernel on %s/%s: every sweep runs the %s kernels against the generic ones\n", runtime.GOOS, runtime.GOARCH, Name())
	os.Exit(m.Run())
}

// newSeed returns a random seed and has the log tell it, for a failure to be
// repeated.
func newSeed(t testing.TB) uint64 {
	seed := rand.Uint64()
	t.Logf("%s: %s kernels, seed %d", t.Name(), Name(), seed)
	return seed
}
