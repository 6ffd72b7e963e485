// Package session runs scripts on a test host.
package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
)

// serve runs the scripts that it reads, one after the other, each in its own shell. It
// answers when the shell exits, even if the script's children keep running and writing to
// the same file. $1 is the directory for what the scripts print. The shell itself reads it,
// as each process would take as long as a short script. It cannot hold a NUL.
const serve = `
mkdir -p "$1"
dir=$(mktemp -d "$1/session.XXXXXX")
trap 'rm -rf "$dir"' EXIT
LC_ALL=C # count bytes
for ((n = 1; ; n++)); do
	IFS= read -r -d '' script || exit
	out=$dir/$n
	bash -c "$script" >$out 2>&1 </dev/null
	status=$?
	if IFS= read -r -d '' text <$out; then
		echo "$status $(stat -c %s $out)"
		cat $out
	else
		printf '%d %d\n%s' $status ${#text} "$text"
	fi
	((n % 50)) || rm -f "$dir"/*
done`

// Host is a test host, which runs scripts in several sessions.
type Host struct {
	// Name is the name of its container.
	Name string
	// Dir is the directory on the host for what the scripts print.
	Dir string

	mu sync.Mutex
	// idle are the sessions that run no script.
	idle []*session
}

// session is a process on the test host that runs scripts. One docker exec per
// script would take longer than most scripts do.
type session struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Run runs a script, and returns what it printed and its exit status. It stops waiting
// when ctx ends.
func (h *Host) Run(ctx context.Context, script string) (out string, status int, err error) {
	s, err := h.take()
	if err != nil {
		return "", 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() })
	out, status, err = s.run(script)
	if !stop() || err != nil {
		s.end()
		return out, status, errors.Join(err, context.Cause(ctx))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.idle = append(h.idle, s)
	return out, status, nil
}

// Close ends the idle sessions. Call it before the host restarts.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.idle {
		s.end()
	}
	h.idle = nil
}

// take returns an idle session, or a new one.
func (h *Host) take() (*session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := len(h.idle) - 1; last >= 0 {
		s := h.idle[last]
		h.idle = h.idle[:last]
		return s, nil
	}
	cmd := exec.Command("docker", "exec", "-i", h.Name, "bash", "-c", serve, "session", h.Dir)
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
	return &session{cmd, in, bufio.NewReader(out)}, nil
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

func (s *session) end() {
	_ = s.in.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
