package enginetest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"
)

// App is the image of the test application (test/app) with its command line.
func App() Image { return Image{Run: runApp, Exec: execApp, Healthcheck: true} }

// app holds the flags of the command line.
type app struct {
	readyAfter, exitAfter    time.Duration
	exitCode, logRate        int
	ignoreSigterm, logStderr bool
}

func runApp(ctx context.Context, p *Process) int {
	if slices.Equal(p.Config.Cmd, []string{"copy"}) {
		_, _ = io.Copy(p.Stdout, p.Stdin)
		return 0
	}
	var a app
	flags := flag.NewFlagSet("dockhost-test-app", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	flags.DurationVar(&a.readyAfter, "ready-after", 0, "")
	flags.DurationVar(&a.exitAfter, "exit-after", 0, "")
	flags.IntVar(&a.exitCode, "exit-code", 0, "")
	flags.IntVar(&a.logRate, "log-rate", 0, "")
	flags.BoolVar(&a.ignoreSigterm, "ignore-sigterm", false, "")
	flags.BoolVar(&a.logStderr, "log-stderr", false, "")
	if err := flags.Parse(p.Config.Cmd); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		_, _ = fmt.Fprintf(p.Stderr, "dockhost-test-app: %v\n", err)
		return 2
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go a.writeLines(ctx, p)
	go a.check(ctx, p)
	return a.wait(ctx, p)
}

// execApp runs the application as a command in its container.
func execApp(p *Process, command []string, out io.Writer) int {
	switch {
	case len(command) < 2 || command[0] != "/app":
		_, _ = fmt.Fprintf(out, "OCI runtime exec failed: exec failed: unable to start container process: exec: %q: stat: no such file or directory: unknown", command)
		return 127
	case command[1] == "-check":
		return 0
	case command[1] == "-reload":
		_, _ = fmt.Fprintf(p.Stderr, "reload %d, by /reload\n", p.Reloaded())
		return 0
	}
	_, _ = fmt.Fprintf(out, "flag provided but not defined: %s\n", command[1])
	return 2
}

func (a app) wait(ctx context.Context, p *Process) int {
	var timer <-chan time.Time
	if a.exitAfter > 0 {
		timer = time.After(a.exitAfter)
	}
	for {
		select {
		case <-ctx.Done():
			return exitKilled
		case <-timer:
			return a.exitCode
		case sig := <-p.Signals:
			switch {
			case sig == unix.SIGHUP:
				_, _ = fmt.Fprintf(p.Stderr, "reload %d, by %v\n", p.Reloaded(), sig)
			case sig == unix.SIGUSR1:
				_, _ = fmt.Fprintln(p.Stderr, "got SIGUSR1")
			case sig == unix.SIGTERM && a.ignoreSigterm:
				_, _ = fmt.Fprintln(p.Stderr, "ignoring SIGTERM")
			default:
				return 0
			}
		}
	}
}

func (a app) writeLines(ctx context.Context, p *Process) {
	if a.logRate == 0 {
		return
	}
	w := p.Stdout
	if a.logStderr {
		w = p.Stderr
	}
	ticker := time.NewTicker(time.Second / time.Duration(a.logRate))
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_, _ = fmt.Fprintf(w, "line %d of the test application\n", n)
		}
	}
}

// check makes the Engine's health checks of the application.
func (a app) check(ctx context.Context, p *Process) {
	if !p.Checked {
		return
	}
	config := p.Config.Healthcheck
	if config == nil {
		config = &container.HealthConfig{Interval: 50 * time.Millisecond, StartPeriod: time.Minute, Retries: 2}
	}
	started, ticker := time.Now(), time.NewTicker(config.Interval)
	defer ticker.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		up := time.Since(started)
		switch {
		case up >= a.readyAfter:
			failures = 0
			p.Health(container.Healthy, "ok\n")
		case up > config.StartPeriod:
			if failures++; failures >= config.Retries {
				p.Health(container.Unhealthy, "503 Service Unavailable: not ready\n")
			}
		}
	}
}
