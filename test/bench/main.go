// Command dockhost-bench compares dockhost with docker, and with Podman if it is installed, on a test host: the time that
// a container takes to start, to stop and to return after a crash, the process that stays resident for it, and the rate at
// which its output is relayed. It runs on the host itself, so that the times cover only the measured commands. It prints
// goals next to the numbers, but judges none. test/bench/run.sh prepares the host and starts it.
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
	checked   string
	idle      time.Duration

	shellImage string
	linesMiB   int
	// noQuadlet is the reason why Podman is not measured; "" if it is.
	noQuadlet string
	// downtimeOnly measures the downtime of an update alone.
	downtimeOnly bool
	// agentOnly measures the idle agent alone.
	agentOnly bool
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
	flags.IntVar(&o.runs, "n", 15, "`number` of runs of each way")
	flags.StringVar(&o.image, "image", "localhost:5000/app:1", "`image` to run, which the host must have")
	flags.StringVar(&o.container, "container", "app", "`name` of the assigned container of this image without a health check")
	flags.StringVar(&o.checked, "checked", "checked", "`name` of the assigned container of this image with a health check")
	flags.DurationVar(&o.idle, "idle", 2*time.Minute, "`time` for which wakeups of idle programs are counted")
	flags.StringVar(&o.shellImage, "shell-image", "localhost:5000/busybox", "`image` with a shell, which prints the log lines")
	flags.IntVar(&o.linesMiB, "log-mb", 1024, "`number` of MiB of log lines")
	flags.StringVar(&o.noQuadlet, "no-quadlet", "", "`reason` why no Podman quadlet is measured")
	flags.BoolVar(&o.downtimeOnly, "downtime", false, "measure the downtime of an update alone")
	flags.BoolVar(&o.agentOnly, "agent", false, "measure the idle agent alone")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if o.runs < 1 {
		return options{}, fmt.Errorf("cannot measure %d times: lowest is 1", o.runs)
	}
	if o.linesMiB < 1 {
		return options{}, fmt.Errorf("cannot relay %d MiB: lowest is 1", o.linesMiB)
	}
	return o, nil
}

func run(ctx context.Context, stdout, stderr io.Writer, args []string) (err error) {
	o, err := parseOptions(stderr, args)
	if err != nil {
		return err
	}
	units := unitFiles(o)
	if err := installUnits(ctx, units); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeUnits(context.WithoutCancel(ctx), units)) }()
	r, err := measure(ctx, stderr, o)
	if err != nil {
		return err
	}
	return r.write(stdout)
}

// measure measures everything, one after the other.
func measure(ctx context.Context, progress io.Writer, o options) (report, error) {
	if o.agentOnly {
		agent, err := measureAgent(ctx, o)
		return report{options: o, agent: agent}, err
	}
	r := report{options: o, ways: newWays(o), replacements: newReplacements(o), residents: newResidents(o), relays: newRelays()}
	if err := measureDowntime(ctx, progress, r.replacements.list(), o.runs); err != nil || o.downtimeOnly {
		return r, err
	}
	if err := inTurns(ctx, progress, "start and stop", r.ways.toStart(), o.runs, measureStart); err != nil {
		return r, err
	}
	if err := inTurns(ctx, progress, "crash", r.ways.toCrash(), o.runs, measureCrash); err != nil {
		return r, err
	}
	var err error
	if r.calls, err = measureCalls(ctx, o.runs); err != nil {
		return r, err
	}
	fmt.Fprintln(progress, "dockhost-bench: memory")
	if err := measureMemory(ctx, r.residents.unchecked()); err != nil {
		return r, err
	}
	fmt.Fprintln(progress, "dockhost-bench: wakeups, for", o.idle)
	if err := measureWakeups(ctx, r.residents.all(), o.idle); err != nil {
		return r, err
	}
	fmt.Fprintln(progress, "dockhost-bench: the idle agent")
	if r.agent, err = measureAgent(ctx, o); err != nil {
		return r, err
	}
	fmt.Fprintln(progress, "dockhost-bench: log lines")
	return r, measureLines(ctx, o, r.relays.list())
}

// pause waits until the machine is quiet after the last command.
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
