package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpointtest"
)

// A service manager or a shutdown ends the command as an interrupt does: it used to leave temporary files.
func TestTerminationLeavesNothing(t *testing.T) {
	if os.Getenv("TEST_TERMINATED_OUT") != "" {
		os.Args = []string{"quantize", "-in", os.Getenv("TEST_IN"), "-out", os.Getenv("TEST_TERMINATED_OUT"), "-labels", os.Getenv("TEST_LABELS")}
		main()
	}
	dir := t.TempDir()
	out, labels := filepath.Join(dir, "out"), filepath.Join(dir, "pets.json")
	require.NoError(t, syscall.Mkfifo(labels, 0o600))
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTerminationLeavesNothing$")
	child.Env = append(os.Environ(), "TEST_IN="+checkpointtest.Golden(t, "tiny"), "TEST_TERMINATED_OUT="+out, "TEST_LABELS="+labels)
	stderr, err := child.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())

	// The command waits for its label pack when it is told to end.
	var pack *os.File
	require.Eventually(t, func() bool {
		pack, err = os.OpenFile(labels, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, child.Process.Signal(syscall.SIGTERM))
	time.Sleep(200 * time.Millisecond)
	text, err := os.ReadFile(filepath.Join("..", "..", "weights", "labels", "food.json"))
	require.NoError(t, err)
	pack.Write(text) // fails where nobody reads any more
	pack.Close()
	said := make([]byte, 4096)
	n, _ := stderr.Read(said)
	var exit *exec.ExitError
	require.ErrorAs(t, child.Wait(), &exit)
	assert.Equal(t, exitFailed, exit.ExitCode())
	assert.Equal(t, "quantize: interrupted, nothing was written\n", string(said[:n]))
	assert.NoDirExists(t, out)
}
