//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"sync"
)

// serve runs the scripts that it reads, one after the other, each in its own
// shell. It answers when the shell exits, even if the script's children run on.
const serve = `
out=$(mktemp /run/e2e.XXXXXX)
trap 'rm -f $out' EXIT
while IFS= read -r -d '' script; do
	bash -c "$script" >$out 2>&1 </dev/null
	echo "$? $(stat -c %s $out)"
	cat $out
	rm $out
done`

// session is a process on the test host that runs scripts. One docker exec per
// script would take longer than most scripts do.
type session struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// sessions holds the sessions that run no script.
var sessions struct {
	sync.Mutex
	idle []*session
}

func newSession() (*session, error) {
	cmd := exec.Command("docker", "exec", "-i", hostName(), "bash", "-c", serve)
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

// takeSession returns an idle session, or a new one.
func takeSession() (*session, error) {
	sessions.Lock()
	defer sessions.Unlock()
	if last := len(sessions.idle) - 1; last >= 0 {
		s := sessions.idle[last]
		sessions.idle = sessions.idle[:last]
		return s, nil
	}
	return newSession()
}

// endSessions ends the idle sessions. Call it before the test host restarts.
func endSessions() {
	sessions.Lock()
	defer sessions.Unlock()
	for _, s := range sessions.idle {
		s.end()
	}
	sessions.idle = nil
}

func (s *session) end() {
	_ = s.in.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// runScript runs a script on the test host and returns its output and exit
// status. It stops waiting when ctx ends.
func runScript(ctx context.Context, script string) (string, int, error) {
	s, err := takeSession()
	if err != nil {
		return "", 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() })
	out, status, err := s.run(script)
	if !stop() || err != nil {
		s.end()
		return out, status, err
	}
	sessions.Lock()
	defer sessions.Unlock()
	sessions.idle = append(sessions.idle, s)
	return out, status, nil
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
