// Command relax repairs the relaxed SIMD instructions of a module that Go wrote
// (package wasm/relax), as a step after linking:
//
//	go run ./tools/relax IN.wasm OUT.wasm
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/ecor-clip/ecor/wasm/relax"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: relax IN.wasm OUT.wasm")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "relax:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	module, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	repaired, n, err := relax.Repair(module)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	uses, err := relax.Count(repaired)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	if uses == 0 {
		return errors.New(in + " has no relaxed SIMD instructions: was it built with -tags relaxed?")
	}
	fmt.Printf("%s: %d relaxed SIMD instructions, %d repaired\n", out, uses, n)
	return os.WriteFile(out, repaired, 0o644)
}
