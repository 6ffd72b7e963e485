// Command dockhost-test-app runs in the containers of dockhost's tests. It is a small HTTP server. By flags and requests
// it becomes ready late, turns unhealthy, hangs, crashes, eats memory, ignores SIGTERM, and writes log lines at a rate.
// With -check, -reload and -send it is that server's health check, its reload command and a systemd-notify(1). With
// "stall" it is a registry proxy whose downloads stop half way, with "copy" it copies its input to its output.
// It is linked statically, imports only the standard library, and is independent of dockhost.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// host is the program's environment.
type host struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(name string) (string, bool)
	hostname       string
	signals        <-chan os.Signal
}

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "unknown"
	}
	machine := host{
		stdin:     os.Stdin,
		stdout:    os.Stdout,
		stderr:    os.Stderr,
		lookupEnv: os.LookupEnv,
		hostname:  hostname,
		signals:   signals,
	}
	code := run(context.Background(), machine, os.Args[1:])
	os.Exit(code)
}

// run picks the mode by the first argument. It returns the exit status: 2 for a wrong command line, 1 for other errors.
func run(ctx context.Context, machine host, args []string) int {
	mode := runServer
	switch {
	case len(args) > 0 && args[0] == "stall":
		mode, args = runStall, args[1:]
	case len(args) > 0 && args[0] == "copy":
		mode = runCopy
	}
	code, err := mode(ctx, machine, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(machine.stderr, "dockhost-test-app: %v\n", err)
		return max(code, 1)
	}
	return code
}

// runCopy copies standard input to standard output.
func runCopy(_ context.Context, machine host, _ []string) (int, error) {
	_, err := io.Copy(machine.stdout, machine.stdin)
	return 0, err
}

// options are the server's command line.
type options struct {
	listen        string
	check         string
	reload        string
	send          string
	notify        bool
	firstAnswer   bool
	readyAfter    time.Duration
	exitAfter     time.Duration
	exitCode      int
	ignoreSigterm bool
	logRate       int
	logStderr     bool
}

func parseOptions(stderr io.Writer, args []string) (options, error) {
	var opts options
	flags := flag.NewFlagSet("dockhost-test-app", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.listen, "listen", ":8080", "`address` to serve HTTP on")
	flags.StringVar(&opts.check, "check", "", "ask the server at this `port or URL` for its health, and exit 0 or 1")
	flags.StringVar(&opts.reload, "reload", "", "make the server at this `port or URL` reload, and exit 0 or 1")
	flags.StringVar(&opts.send, "send", "", "send this `state` to the service manager, wait until it has been read, and exit 0 or 1")
	flags.BoolVar(&opts.notify, "notify", false, "send READY=1 and WATCHDOG=1 to the service manager")
	flags.BoolVar(&opts.firstAnswer, "first-answer", false, "request / at the start, and serve the time of the answer at /first-answer")
	flags.DurationVar(&opts.readyAfter, "ready-after", 0, "answer /healthz with 503 for this `time` after the start")
	flags.DurationVar(&opts.exitAfter, "exit-after", 0, "exit with -exit-code after this `time` (0: never)")
	flags.IntVar(&opts.exitCode, "exit-code", 0, "`status` to exit with after -exit-after")
	flags.BoolVar(&opts.ignoreSigterm, "ignore-sigterm", false, "keep running on SIGTERM")
	flags.IntVar(&opts.logRate, "log-rate", 0, "write this `number` of log lines per second")
	flags.BoolVar(&opts.logStderr, "log-stderr", false, "write the log lines to stderr instead of stdout")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if opts.logRate < 0 {
		return options{}, fmt.Errorf("cannot write %d lines a second: lowest is 0", opts.logRate)
	}
	return opts, nil
}

// runServer runs the server until it is stopped. With -check, -reload or -send it sends a request to a running server or
// a state to the service manager instead.
func runServer(ctx context.Context, machine host, args []string) (int, error) {
	opts, err := parseOptions(machine.stderr, args)
	if err != nil {
		return 2, err
	}
	switch {
	case opts.check != "":
		return 0, ask(ctx, http.MethodGet, opts.check, "/healthz")
	case opts.reload != "":
		return 0, ask(ctx, http.MethodPost, opts.reload, "/reload")
	case opts.send != "":
		return 0, machine.sendState(opts.send)
	}
	return newServer(opts, machine).Run(ctx)
}
