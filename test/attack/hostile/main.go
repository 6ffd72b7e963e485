// Command hostile attacks a test host, for `make attack`: as a program in a container, as a registry, as a metadata
// service, and as a client of the local API. It says what it did, and leaves the verdict to the test.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// role is one thing that the program can be.
type role func(ctx context.Context, args []string) error

func main() {
	roles := map[string]role{
		"idle": idle, "notify": notify, "output": output, "registry": serveRegistry, "metadata": serveMetadata, "client": attackSocket,
	}
	if len(os.Args) < 2 || roles[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "hostile: unknown role: write idle, notify, output, registry, metadata or client")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := roles[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

// idle waits for its end. With an argument it first says that it is ready.
func idle(ctx context.Context, args []string) error {
	if len(args) > 0 {
		s, err := newSender()
		if err != nil {
			return err
		}
		if err := s.send([]byte("READY=1\nSTATUS=serving")); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// deadline is how long an attack with a connection lasts.
const deadline = 20 * time.Second

// pick returns the value of a name, or an error that lists nothing: the test has the names.
func pick[T any](all map[string]T, args []string) (T, error) {
	var none T
	if len(args) == 0 {
		return none, fmt.Errorf("the name of the attack is missing")
	}
	value, known := all[args[0]]
	if !known {
		return none, fmt.Errorf("unknown attack %q", args[0])
	}
	return value, nil
}
