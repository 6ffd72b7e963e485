// Command dockhost-bench measures, on a test host, what dockhost adds to docker's own start and stop of a container, and
// the memory of an idle supervisor beside that of docker's own client. It runs on the host itself, so that nothing but
// the measured commands is in the times. It judges nothing: the goals stand beside the numbers. test/bench/run.sh
// prepares the host and starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	runs      int
	image     string
	container string
	idle      time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "dockhost-bench: %v\n", err)
		os.Exit(1)
	}
}

func parseOptions(stderr io.Writer, args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("dockhost-bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.runs, "n", 15, "measure each way this `number` of times")
	flags.StringVar(&o.image, "image", "localhost:5000/app:1", "run this `image`, which the host has")
	flags.StringVar(&o.container, "container", "app", "`name` of the assigned container of the same image")
	flags.DurationVar(&o.idle, "idle", 10*time.Second, "let a program be idle for this `time` before its memory is read")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if o.runs < 1 {
		return options{}, fmt.Errorf("cannot measure %d times: lowest is 1", o.runs)
	}
	return o, nil
}

func run(ctx context.Context, stdout, stderr io.Writer, args []string) error {
	o, err := parseOptions(stderr, args)
	if err != nil {
		return err
	}
	all := newWays(o)
	if err := measure(ctx, stderr, all, o.runs); err != nil {
		return err
	}
	calls, err := measureCalls(ctx, o.runs)
	if err != nil {
		return err
	}
	memory, err := measureMemory(ctx, o)
	if err != nil {
		return err
	}
	return report{ways: all, calls: calls, memory: memory}.write(stdout)
}

// pause lets what the last command left behind come to rest.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
