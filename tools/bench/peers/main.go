// Command peers writes a folder that a comparison with other engines can put
// into its rotation: a page that runs the image tower of ecor's module in one
// worker for each thread.
//
//	go run ./tools/bench/peers -module dist/ecor-relaxed.wasm -weights FILE -out DIR
//
// The page sets window.ready and window.bench:
//
//	load({ key: "v", threads, image }) returns { createMs }
//	run("v", "v" + photos, warm, n)    returns n times in milliseconds
//
// A run computes the embeddings of that many photos, which the module already
// has in the size that the tower takes, and reads them. Workers run side by side;
// the time is that of the one that took longest.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ecor-clip/ecor/www/site/static"
)

func main() {
	module := flag.String("module", filepath.Join("dist", "ecor-relaxed.wasm"), "the module")
	weights := flag.String("weights", "", "weights file of tools/quantize")
	out := flag.String("out", "", "folder to write")
	flag.Parse()
	if err := run(*module, *weights, *out); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(module, weights, out string) error {
	script, err := static.Bundle(filepath.Join("tools", "bench", "peers", "page.ts"), nil)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	files := map[string][]byte{
		"bench.js":   script,
		"index.html": []byte("<!doctype html><script src=\"bench.js\"></script>\n"),
	}
	for name, from := range map[string]string{"module.wasm": module, "weights.safetensors": weights} {
		if files[name], err = os.ReadFile(from); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
