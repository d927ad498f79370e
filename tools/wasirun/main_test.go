package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain turns the test binary into wasirun itself where asked to.
func TestMain(m *testing.M) {
	if os.Getenv("BE_WASIRUN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// wasirun runs the command in dir and returns what it wrote and its exit code.
func wasirun(t *testing.T, dir string, env []string, args ...string) (stdout, stderr string, code int) {
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(self, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), append(env, "BE_WASIRUN=1")...)
	command.Stdin = strings.NewReader("typed")
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	if err := command.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return out.String(), errOut.String(), command.ProcessState.ExitCode()
}

func TestProgramSeesItsWorld(t *testing.T) {
	program := filepath.Join(t.TempDir(), "probe.wasm")
	build := exec.Command("go", "build", "-o", program, "./testdata/probe")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	dir, data, cache := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "note.txt"), []byte("here"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(data, "note.txt"), []byte("there"), 0o600))
	env := []string{"PROBE=set", "ECOR_DATA=" + data, "ECOR_CACHE=" + cache}
	for _, run := range []string{"compiled", "from the cache"} {
		stdout, stderr, code := wasirun(t, dir, env, program, "-a", "b c")
		assert.Equal(t, strings.Join([]string{
			"arguments: -a b c",
			"environment: set",
			"working directory: here <nil>",
			"data: there <nil>",
			"data can be written: false",
			"working directory can be written: true",
			"temporary directory can be written: true",
			"input: typed <nil>",
			"",
		}, "\n"), stdout, run)
		assert.Equal(t, "to standard error\n", stderr, run)
		assert.Equal(t, 7, code, run)
	}
	assert.FileExists(t, filepath.Join(dir, "new.txt"))
	cached, err := os.ReadDir(cache)
	require.NoError(t, err)
	assert.NotEmpty(t, cached, "compiled code is kept")
}

func TestErrors(t *testing.T) {
	_, stderr, code := wasirun(t, ".", nil)
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "usage: wasirun")

	_, stderr, code = wasirun(t, ".", nil, "missing.wasm")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "missing.wasm")

	notWasm := filepath.Join(t.TempDir(), "not.wasm")
	require.NoError(t, os.WriteFile(notWasm, []byte("hello"), 0o600))
	_, stderr, code = wasirun(t, ".", nil, notWasm)
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "wasirun: ")
}
