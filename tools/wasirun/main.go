// Command wasirun runs a wasip1 program on wazero, so that `go test` can run
// WebAssembly tests:
//
//	GOOS=wasip1 GOARCH=wasm go test -exec "$PWD/dist/wasirun" ./core/kernel/
//
// The program sees its arguments, the environment, standard input and output,
// the current directory as its root and working directory, the directory for
// temporary files as /tmp, and ECOR_DATA read-only as /ecor-data. Its exit code is passed on. Compiled code is
// cached below ECOR_CACHE or the user's cache directory.
//
// With -chromium before its name the program runs in Chromium instead, which has
// relaxed SIMD: go test -tags relaxed -exec "$PWD/dist/wasirun -chromium".
// Programs that need no files run there. Where there is no Chromium wasirun
// says so and ends with 0, or with 1 where ECOR_REQUIRE_BROWSER is 1.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/ecor-clip/ecor/www/browser"
)

// Where the program finds the directory that ECOR_DATA names, and temporary
// files.
const (
	dataMount = "/ecor-data"
	tempMount = "/tmp"
)

func main() {
	args, start := os.Args[1:], run
	if len(args) > 0 && args[0] == "-chromium" {
		args, start = args[1:], runInChromium
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: wasirun [-chromium] PROGRAM.wasm [ARGUMENT]...")
		os.Exit(2)
	}
	err := start(context.Background(), args[0], args)
	var exit *sys.ExitError
	switch {
	case errors.Is(err, browser.ErrNone) && os.Getenv("ECOR_REQUIRE_BROWSER") != "1":
		fmt.Println("not run:", err)
	case errors.As(err, &exit):
		os.Exit(int(exit.ExitCode()))
	case err != nil:
		fmt.Fprintln(os.Stderr, "wasirun:", err)
		os.Exit(1)
	}
}

// run runs the program in file to its end. A program that ends by itself gives
// nil or a *sys.ExitError.
func run(ctx context.Context, file string, args []string) error {
	code, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	config := wazero.NewRuntimeConfig()
	if dir, err := cacheDir(); err == nil {
		cache, err := wazero.NewCompilationCacheWithDir(dir)
		if err != nil {
			return err
		}
		defer cache.Close(ctx)
		config = config.WithCompilationCache(cache)
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, config)
	defer runtime.Close(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, runtime); err != nil {
		return err
	}
	module, err := moduleConfig(args)
	if err != nil {
		return err
	}
	_, err = runtime.InstantiateWithConfig(ctx, code, module)
	return err
}

func moduleConfig(args []string) (wazero.ModuleConfig, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	files := wazero.NewFSConfig().
		WithDirMount(dir, "/").
		WithDirMount(os.TempDir(), tempMount)
	data := os.Getenv("ECOR_DATA")
	if data != "" {
		files = files.WithReadOnlyDirMount(data, dataMount)
	}
	config := wazero.NewModuleConfig().
		WithArgs(args...).
		WithStdin(os.Stdin).WithStdout(os.Stdout).WithStderr(os.Stderr).
		WithRandSource(rand.Reader).
		WithSysWalltime().WithSysNanotime().WithSysNanosleep().
		WithFSConfig(files)
	for _, pair := range os.Environ() {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "PWD":
			value = "/"
		case "TMPDIR":
			value = tempMount
		case "ECOR_DATA":
			value = dataMount
		}
		if key != "" {
			config = config.WithEnv(key, value)
		}
	}
	return config, nil
}

// cacheDir returns the directory for compiled code.
func cacheDir() (string, error) {
	if dir := os.Getenv("ECOR_CACHE"); dir != "" {
		return filepath.Join(dir, "wasirun"), nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "ecor", "wasirun"), err
}
