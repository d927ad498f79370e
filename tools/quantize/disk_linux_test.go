package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
)

// A file that cannot grow further, as on a full disk, leaves nothing behind, wherever it stops.
func TestDiskFull(t *testing.T) {
	if limit, err := strconv.ParseUint(os.Getenv("TEST_FILE_LIMIT"), 10, 64); err == nil {
		signal.Ignore(syscall.SIGXFSZ)
		r := syscall.Rlimit{Cur: limit, Max: limit}
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r))
		os.Exit(run(context.Background(), []string{"-in", os.Getenv("TEST_IN"), "-out", os.Getenv("TEST_OUT"), "-labels", os.Getenv("TEST_LABELS")}, os.Stdout, os.Stderr))
	}
	for _, limit := range []int{100, 20_000, 90_000} {
		out := filepath.Join(t.TempDir(), "out")
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskFull$")
		child.Env = append(os.Environ(), fmt.Sprint("TEST_FILE_LIMIT=", limit), "TEST_IN="+checkpointtest.Golden(t, "tiny"),
			"TEST_OUT="+out, "TEST_LABELS="+filepath.Join("..", "..", "weights", "labels", "animals.json"))
		said, err := child.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%s", said)
		assert.Equal(t, exitFailed, exit.ExitCode())
		assert.Regexp(t, `quantize: write tiny\.safetensors: file too large`, string(said))
		assert.NoDirExists(t, out)
	}
}
