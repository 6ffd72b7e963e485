package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// serve runs the scripts that it reads, one after the other, each in its own shell. It answers when the shell exits, even
// if the script's children keep running.
const serve = `
mkdir -p /root/torture
out=$(mktemp /root/torture/out.XXXXXX)
trap 'rm -f $out' EXIT
while IFS= read -r -d '' script; do
	bash -c "$script" >$out 2>&1 </dev/null
	echo "$? $(stat -c %s $out)"
	cat $out
	: >$out
done`

// session is a shell on the test host. One docker exec per script would take longer than most scripts do.
type session struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// host is a test host, which runs scripts in several sessions.
type host struct {
	name string

	mu   sync.Mutex
	idle []*session
}

// try runs a script and returns what it printed and its exit status. It gives up when ctx ends.
func (h *host) try(ctx context.Context, script string) (string, int, error) {
	s, err := h.take()
	if err != nil {
		return "", 0, err
	}
	stop := context.AfterFunc(ctx, s.end)
	out, status, err := s.run(script)
	if !stop() || err != nil {
		s.end()
		return out, status, errors.Join(err, context.Cause(ctx))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.idle = append(h.idle, s)
	return out, status, nil
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
		return out, fmt.Errorf("on %s: %s: %w: %s", h.name, script, err, out)
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
	h.close()
	commands := [][]string{{"restart", "--time", "60", h.name}}
	if cut {
		commands = [][]string{{"kill", h.name}, {"start", h.name}}
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
			return fmt.Errorf("boot of %s: %w: %s", h.name, context.Cause(ctx), out)
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// take returns an idle session, or a new one.
func (h *host) take() (*session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := len(h.idle) - 1; last >= 0 {
		s := h.idle[last]
		h.idle = h.idle[:last]
		return s, nil
	}
	return newSession(h.name)
}

// close ends the idle sessions.
func (h *host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.idle {
		s.end()
	}
	h.idle = nil
}

func newSession(host string) (*session, error) {
	cmd := exec.Command("docker", "exec", "-i", host, "bash", "-c", serve)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = cmd.Wait() }()
	return &session{cmd, in, bufio.NewReader(out)}, nil
}

func (s *session) end() {
	_ = s.in.Close()
	_ = s.cmd.Process.Kill()
}

func (s *session) run(script string) (string, int, error) {
	if _, err := io.WriteString(s.in, script+"\x00"); err != nil {
		return "", 0, fmt.Errorf("send a script: %w", err)
	}
	var status, size int
	if _, err := fmt.Fscanf(s.out, "%d %d\n", &status, &size); err != nil {
		return "", 0, fmt.Errorf("wait for a script: %w", err)
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(s.out, out); err != nil {
		return "", 0, fmt.Errorf("read what a script printed: %w", err)
	}
	return string(out), status, nil
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
