// Command evaluate measures how often weights name what is in a photo, and how
// often for the right reason.
//
//	go run ./tools/evaluate [flags] [FOLDER...]
//	go run ./tools/evaluate compare [flags] RUN.json [RUN.json...]
//
// Without folders it reads the photo sets below ECOR_DATA. A FOLDER is a plain
// folder of categories: FOLDER/CATEGORY/PHOTO.jpg. docs/evaluation.md says what
// the figures mean. The exit code is 0, 1 where a set could not be scored, 2
// where the command line is wrong and 130 after an interrupt.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errUsage is wrapped by the errors of a wrong command line.
var errUsage = errors.New("wrong command line")

// run is the command: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var err error
	if len(args) > 0 && args[0] == "compare" {
		err = compare(args[1:], stdout, stderr)
	} else {
		err = evaluate(ctx, args, stdout, stderr)
	}
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitOK
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "evaluate: interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "evaluate: %v\n", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

// An output is a file that takes its name when it is whole; nil for none.
type output struct {
	file *os.File
	path string
}

// create begins a file, none where path is empty.
func create(path string) (*output, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path + ".new")
	if err != nil {
		return nil, err
	}
	return &output{f, path}, nil
}

// write writes what write gives and puts the file in the place of an older one.
func (o *output) write(write func(io.Writer) error) error {
	if o == nil {
		return nil
	}
	err := errors.Join(write(o.file), o.file.Close())
	if err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	return err
}

// discard removes what write has not finished.
func (o *output) discard() {
	if o != nil {
		o.file.Close()
		os.Remove(o.file.Name())
	}
}
