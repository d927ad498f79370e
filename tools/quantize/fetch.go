package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ecor-clip/ecor/tools/quantize/internal/checkpoint"
	"github.com/ecor-clip/ecor/tools/quantize/internal/hub"
	"github.com/ecor-clip/ecor/tools/quantize/internal/report"
)

const fetchUsage = `usage: quantize fetch NAME [-out DIR] [-hub URL]

Downloads a public checkpoint from the Hugging Face Hub. NAME is OWNER/NAME, OWNER/NAME@REVISION or one of

  %s

An interrupted download is continued by the same command. Size and hash of every file are checked, and recorded in
DIR/%s, to which later downloads are held.

`

// fetch is the command "quantize fetch": files and their hashes go to stdout, progress and errors to stderr.
func fetch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quantize fetch", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	out := flags.String("out", "", "`directory` to download to (default: the checkpoint's name)")
	address := flags.String("hub", "", "the hub's `address` (default: HF_ENDPOINT, or "+hub.Endpoint+")")
	name, err := parseFetch(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(stderr, fetchUsage, strings.Join(hub.ShortNames(), "\n  "), hub.LockFile)
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return exitOK
	}
	if *address == "" {
		*address = os.Getenv("HF_ENDPOINT")
	}
	if *address == "" {
		*address = hub.Endpoint
	}
	var client *hub.Client
	if err == nil {
		client, err = hub.NewClient(*address)
	}
	if err != nil {
		fmt.Fprintln(stderr, "quantize fetch:", err)
		return exitUsage
	}
	dir := *out
	if dir == "" {
		dir = name.Base()
	}
	result, err := client.Fetch(ctx, name, dir, report.NewProgress(stderr))
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "quantize fetch: interrupted; the same command continues")
		return exitFailed
	}
	if err != nil {
		fmt.Fprintln(stderr, "quantize fetch:", err)
		return exitFailed
	}
	if err := showFetched(stdout, dir, result); err != nil {
		fmt.Fprintf(stderr, "quantize fetch: %s was downloaded, but: %v\n", dir, err)
		return exitFailed
	}
	return exitOK
}

// parseFetch returns the name, which may stand before or after the flags.
func parseFetch(flags *flag.FlagSet, args []string) (hub.Name, error) {
	var names []string
	for len(args) > 0 {
		if !strings.HasPrefix(args[0], "-") {
			names, args = append(names, args[0]), args[1:]
			continue
		}
		if err := flags.Parse(args); err != nil {
			return hub.Name{}, err
		}
		args = flags.Args()
	}
	if len(names) != 1 {
		return hub.Name{}, fmt.Errorf("%d names given: want the name of one checkpoint (quantize fetch -h lists some)", len(names))
	}
	return hub.ParseName(names[0])
}

// showFetched lists the files, and opens the checkpoint to see that it can be quantized.
func showFetched(w io.Writer, dir string, r *hub.Result) error {
	for _, f := range r.Files {
		fmt.Fprintf(w, "%s: %s, sha256 %s\n", filepath.Join(dir, f.Path), report.Bytes(f.Size), f.SHA256)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = fmt.Fprintf(w, "%s at commit %s: %d of %d files fetched, licence: %s\n", r.Repo, r.Commit, r.Fetched, len(r.Files), c.License)
	return err
}
