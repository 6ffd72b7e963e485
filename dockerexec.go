package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/dockhost/dockhost/ctl"
)

// endTime is how long the docker command has to end after a signal.
const endTime = 10 * time.Second

// dockerExec runs a command in a container, by the docker command of the host:
// that passes on the terminal, its size and signals. Without it the Engine is asked, which
// gives the command neither a terminal nor input.
func dockerExec(ctx context.Context, r ctl.ExecRequest) (int, error) {
	if !mayUseDocker() {
		return 0, errors.New("only root and members of the group docker may do this (use sudo)")
	}
	docker, err := exec.LookPath("docker")
	if err != nil {
		return engineExec(ctx, r)
	}
	args := []string{"exec", "--interactive"}
	if r.Terminal {
		args = append(args, "--tty")
	}
	if r.User != "" {
		args = append(args, "--user", r.User)
	}
	args = append(append(args, r.ID), r.Command...)
	cmd := exec.CommandContext(ctx, docker, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = endTime
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

func engineExec(ctx context.Context, r ctl.ExecRequest) (int, error) {
	if r.User != "" {
		return 0, errors.New("--user needs the docker command, which this host does not have (install the package docker-cli)")
	}
	docker, err := newEngine()
	if err != nil {
		return 0, err
	}
	defer docker.Close()
	return docker.Exec(ctx, r.ID, r.Command, os.Stdout)
}

// isTerminal reports whether both standard input and output are terminals.
func isTerminal() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
}
