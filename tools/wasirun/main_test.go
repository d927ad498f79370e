package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/www/browser"
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

func TestChromium(t *testing.T) {
	if _, err := browser.Find(); errors.Is(err, browser.ErrNone) && os.Getenv("ECOR_REQUIRE_BROWSER") != "1" {
		t.Skip(err)
	}
	program := filepath.Join(t.TempDir(), "exit.wasm")
	build := exec.Command("go", "build", "-o", program, "./testdata/exit")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for args, want := range map[string]int{"": 0, "a b": 2} {
		stdout, stderr, code := wasirun(t, t.TempDir(), nil, append([]string{"-chromium", program}, strings.Fields(args)...)...)
		assert.Equal(t, fmt.Sprintf("arguments: %s\nnote\n", args), stdout)
		assert.Empty(t, stderr)
		assert.Equal(t, want, code)
	}

	trap := filepath.Join(t.TempDir(), "trap.wasm")
	require.NoError(t, os.WriteFile(trap, []byte("\x00asm\x01\x00\x00\x00"+
		"\x01\x04\x01\x60\x00\x00"+"\x03\x02\x01\x00"+"\x07\x0a\x01\x06_start\x00\x00"+"\x0a\x05\x01\x03\x00\x00\x0b"), 0o600))
	_, stderr, code := wasirun(t, t.TempDir(), nil, "-chromium", trap)
	assert.Contains(t, stderr, "unreachable")
	assert.Equal(t, 1, code)
}

func TestNoChromium(t *testing.T) {
	program := filepath.Join(t.TempDir(), "empty.wasm")
	require.NoError(t, os.WriteFile(program, []byte("\x00asm\x01\x00\x00\x00"), 0o600))
	for needed, want := range map[string]int{"0": 0, "1": 1} {
		env := []string{"CHROMIUM=no-such-browser", "ECOR_REQUIRE_BROWSER=" + needed}
		stdout, stderr, code := wasirun(t, t.TempDir(), env, "-chromium", program)
		assert.Contains(t, stdout+stderr, "no-such-browser")
		assert.Equal(t, want, code)
	}
}
