// Command screenshot draws the output of a command in a terminal, from its standard
// input to standard output, as SVG. Its arguments are what was typed.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Stdin, os.Stdout, strings.Join(os.Args[1:], " ")); err != nil {
		fmt.Fprintf(os.Stderr, "screenshot: %v\n", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, typed string) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, draw(typed, screen(string(text))))
	return err
}
