// Command classify names what is in photos and says why, without a browser.
//
//	go run ./tools/classify [flags] FILE|DIR...
//
// Directories are searched for photos. It runs dist/ecor.wasm under wazero, so
// its answers are those of the browser for the same pixels. The exit code is 0,
// 1 where a photo could not be classified, 2 where the command line is wrong
// and 130 after an interrupt.
package main

import (
	"context"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
