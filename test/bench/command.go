package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec" //nolint:depguard // commands are what is measured here
	"strings"
	"syscall"
	"time"
)

// commandTimeout bounds each command. It is far longer than any command takes.
const commandTimeout = 2 * time.Minute

// command is a program and its arguments.
type command []string

func (c command) String() string { return strings.Join(c, " ") }

func newCmd(ctx context.Context, c command) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c[0], c[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// output runs a command that must succeed, and returns its output without white space at the ends.
func (c command) output(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := newCmd(ctx, c)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", c, err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// timed runs commands one after the other, and returns when the first began and the last ended.
func timed(ctx context.Context, commands ...command) (began, ended time.Time, err error) {
	began = time.Now()
	for _, c := range commands {
		if _, err := c.output(ctx); err != nil {
			return began, time.Now(), err
		}
	}
	return began, time.Now(), nil
}
