// Dockhost-nvidia generates the CDI spec (Container Device Interface) of the host's
// NVIDIA GPUs and runs the spec's hooks. It only wraps NVIDIA's library. It is a
// binary of its own because the library needs cgo. It is a module of its own, so that
// the static programs and their tests need neither a C compiler nor the
// dependencies of NVIDIA's toolkit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// The linker sets it.
var version = "devel"

const usage = `usage:
  dockhost-nvidia generate [--output FILE]   write a CDI spec of the GPUs to standard output or FILE
  dockhost-nvidia hook NAME [OPTION]...      run a hook of the spec while a container is created
  dockhost-nvidia --version
`

// hookName is the name of NVIDIA's program for hooks. This program also works under
// that name.
const hookName = "nvidia-cdi-hook"

var errUsage = errors.New("unknown command")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args, os.Stdout)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "dockhost-nvidia:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if filepath.Base(args[0]) == hookName {
		return hook(ctx, args[1:])
	}
	if len(args) < 2 {
		return errUsage
	}
	switch args[1] {
	case "generate":
		return runGenerate(args[2:], out)
	case "hook":
		return hook(ctx, args[2:])
	case "--version", "version":
		_, err := fmt.Fprintln(out, "dockhost-nvidia", version)
		return err
	case "--help", "-h", "help":
		_, err := fmt.Fprint(out, usage)
		return err
	}
	return errUsage
}

func runGenerate(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	output := flags.String("output", "", "the file")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	spec, err := generate(host{root: "/", hook: self})
	if err != nil {
		return err
	}
	if *output == "" {
		return spec.print(out)
	}
	return spec.save(*output)
}
