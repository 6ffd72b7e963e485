// Command dockhost-torture strikes a test host with random faults, and checks after each that dockhost has mended what broke.
// The sequence of faults depends on the seed alone. test/torture/run.sh boots the hosts and starts it.
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

	"github.com/dockhost/dockhost/test/session"
)

// options are the command line.
type options struct {
	suite    string
	host     string
	seed     uint64
	from     int
	steps    int
	time     time.Duration
	limit    time.Duration
	evidence string
	list     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	failed, err := run(ctx, os.Stdout, os.Stderr, os.Getenv("LAB_NAME"), os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "dockhost-torture: %v\n", err)
		os.Exit(2)
	case failed:
		os.Exit(1)
	}
}

func parseOptions(stderr io.Writer, labName string, args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("dockhost-torture", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.suite, "suite", "trixie", "`suite` of the test host, dockhost-lab-SUITE")
	flags.Uint64Var(&o.seed, "seed", 1, "`number` that determines the sequence of faults")
	flags.IntVar(&o.from, "from", 1, "`number` of the first step: earlier ones are skipped")
	flags.IntVar(&o.steps, "steps", 0, "`number` of the last step (0: no last step)")
	flags.DurationVar(&o.time, "time", 0, "begin no step after this `time` (0: no limit)")
	flags.DurationVar(&o.limit, "limit", 90*time.Second, "`time` in which the host must mend itself after a step")
	flags.StringVar(&o.evidence, "evidence", "build/torture", "`directory` for what the host says after a violation")
	flags.BoolVar(&o.list, "list", false, "print the steps and strike nothing")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.steps == 0 && o.time == 0 {
		o.steps = 100
	}
	o.host = "dockhost-lab-" + o.suite
	if labName != "" {
		o.host += "-" + labName
	}
	return o, nil
}

// run reports whether there was a violation.
func run(ctx context.Context, stdout, stderr io.Writer, labName string, args []string) (failed bool, err error) {
	o, err := parseOptions(stderr, labName, args)
	if err != nil {
		return false, err
	}
	if o.list {
		listSteps(stdout, o)
		return false, nil
	}
	h := &host{session.Host{Name: o.host, Dir: "/root/torture"}}
	defer h.Close()
	r := newReport(stdout, o)
	d := &driver{host: h, report: r, options: o}
	err = d.run(ctx)
	d.tidy(ctx)
	failed = r.summary() // also of a run that was interrupted
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return failed, err
}

// listSteps prints the steps without a host.
func listSteps(w io.Writer, o options) {
	p := newPlan(o.seed)
	for range o.steps {
		if s := p.next(); s.number >= o.from {
			fmt.Fprintln(w, s)
		}
	}
}
