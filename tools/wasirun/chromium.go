package main

import (
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/chromedp/chromedp"
	"github.com/tetratelabs/wazero/sys"

	"github.com/ecor-clip/ecor/wasm/relax"
	"github.com/ecor-clip/ecor/www/browser"
)

//go:embed chromium.js
var chromiumScript []byte

// runInChromium runs the program in file in a tab of Chromium, its relaxed SIMD
// instructions repaired. It sees its arguments and no environment, and it has no files but
// standard output and error, both of which go to standard output at its end.
func runInChromium(ctx context.Context, file string, args []string) error {
	code, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	code, n, err := relax.Repair(code)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	path, err := browser.Find()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	serve := func(at, mediaType string, body []byte) {
		mux.HandleFunc(at, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			// Isolated pages have the finer clock.
			w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
			w.Header().Set("Cross-Origin-Embedder-Policy", "require-corp")
			w.Write(body)
		})
	}
	serve("/", "text/html", []byte("<!doctype html>"))
	serve("/run.js", "text/javascript", chromiumScript)
	serve("/program.wasm", "application/wasm", code)
	server := httptest.NewServer(mux)
	defer server.Close()

	tab, stop, err := browser.Start(ctx, path)
	if err != nil {
		return err
	}
	defer stop()
	if err := chromedp.Do(tab, chromedp.Navigate(server.URL)); err != nil {
		return err
	}
	words, err := json.Marshal(args)
	if err != nil {
		return err
	}
	ended, err := browser.Eval[struct {
		Output string // base64
		Code   uint32
		Fault  string
	}](tab, fmt.Sprintf("import('/run.js').then((m) => m.run(%s))", words))
	if err != nil {
		return err
	}
	output, err := base64.StdEncoding.DecodeString(ended.Output)
	if err != nil {
		return err
	}
	if _, err := os.Stdout.Write(output); err != nil {
		return err
	}
	if ended.Fault != "" {
		return fmt.Errorf("%s in Chromium, %d instructions repaired: %s", file, n, ended.Fault)
	}
	if ended.Code != 0 {
		return sys.NewExitError(ended.Code)
	}
	return nil
}
