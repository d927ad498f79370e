// Command probe tells what a program sees under wasirun.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	fmt.Println("arguments:", strings.Join(os.Args[1:], " "))
	fmt.Println("environment:", os.Getenv("PROBE"))
	show("working directory", "note.txt")
	data := os.Getenv("ECOR_DATA")
	if data != "" {
		show("data", data+"/note.txt")
		fmt.Println("data can be written:", os.WriteFile(data+"/new.txt", nil, 0o600) == nil)
	}
	fmt.Println("working directory can be written:", os.WriteFile("new.txt", nil, 0o600) == nil)
	fmt.Println("temporary directory can be written:", writeTemp() == nil)
	input, err := io.ReadAll(os.Stdin)
	fmt.Println("input:", string(input), err)
	fmt.Fprintln(os.Stderr, "to standard error")
	os.Exit(7)
}

func show(what, file string) {
	text, err := os.ReadFile(file)
	fmt.Printf("%s: %s %v\n", what, text, err)
}

func writeTemp() error {
	f, err := os.CreateTemp("", "probe")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}
