// Command exit prints its arguments and ends with their number.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	args := os.Args[1:]
	fmt.Println("arguments:", strings.Join(args, " "))
	fmt.Fprintln(os.Stderr, "note")
	os.Exit(len(args))
}
