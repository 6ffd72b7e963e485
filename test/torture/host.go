package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/dockhost/dockhost/test/session"
)

// host is a test host.
type host struct {
	session.Host
}

// try runs a script and returns what it printed and its exit status. It gives up when ctx ends.
func (h *host) try(ctx context.Context, script string) (string, int, error) {
	return h.Run(ctx, script)
}

// run is try for a script that must succeed within a minute.
func (h *host) run(ctx context.Context, script string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, status, err := h.try(ctx, script)
	if err == nil && status != 0 {
		err = fmt.Errorf("exit status %d", status)
	}
	if err != nil {
		return out, fmt.Errorf("on %s: %s: %w: %s", h.Name, script, err, out)
	}
	return out, nil
}

// write writes a file that only root may read.
func (h *host) write(ctx context.Context, path, text string) error {
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	_, err := h.run(ctx, fmt.Sprintf("umask 077; mkdir -p $(dirname %[1]s) && base64 -d >%[1]s <<<'%[2]s'", path, encoded))
	return err
}

// restart reboots the host, or cuts its power first. It returns when the host has booted.
func (h *host) restart(ctx context.Context, cut bool) error {
	h.Close()
	commands := [][]string{{"restart", "--time", "60", h.Name}}
	if cut {
		commands = [][]string{{"kill", h.Name}, {"start", h.Name}}
	}
	for _, args := range commands {
		if out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		out, status, err := h.try(ctx, "timeout 60 systemctl is-system-running --wait")
		if err == nil && status <= 1 && strings.TrimSpace(out) != "offline" {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("boot of %s: %w: %s", h.Name, context.Cause(ctx), out)
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
