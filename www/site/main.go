// Command site builds the page into static files and serves them.
//
//	go run ./www/site build -dist dist
//	go run ./www/site serve -dir dist/www -addr 127.0.0.1:8080
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ecor-clip/ecor/www/site/static"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("want build or serve")
	}
	switch args[0] {
	case "build":
		return build(args[1:])
	case "serve":
		return serve(args[1:])
	}
	return fmt.Errorf("unknown command %q: want build or serve", args[0])
}

func build(args []string) error {
	flags := flag.NewFlagSet("site build", flag.ExitOnError)
	source := flags.String("src", "www", "folder with src/ and public/")
	dist := flags.String("dist", "dist", "folder with ecor.wasm, ecor-relaxed.wasm and weights/; the site is written to its www/")
	flags.Parse(args)
	out := filepath.Join(*dist, "www")
	assets, err := static.Build(static.Options{
		Source:  *source,
		Module:  filepath.Join(*dist, "ecor.wasm"),
		Relaxed: filepath.Join(*dist, "ecor-relaxed.wasm"),
		Weights: filepath.Join(*dist, "weights"),
		Out:     out,
	})
	if err != nil {
		return err
	}
	size := 0
	for _, f := range assets.Files {
		size += f.Size
	}
	fmt.Printf("%s: version %s, %d files, %.1f MB\n", out, assets.Version, len(assets.Files), float64(size)/1e6)
	return nil
}

func serve(args []string) error {
	flags := flag.NewFlagSet("site serve", flag.ExitOnError)
	dir := flags.String("dir", "dist/www", "folder that build wrote")
	addr := flags.String("addr", "127.0.0.1:8080", "address to listen on; a free port is taken where this one is in use")
	flags.Parse(args)
	handler, err := static.Handler(*dir)
	if err != nil {
		return err
	}
	l, err := static.Listen(*addr)
	if err != nil {
		return err
	}
	fmt.Printf("ecor is at http://%s/\n", l.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(l)
}
