package rundir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// AgentRunsError says that an agent of this host runs.
type AgentRunsError struct {
	// PID is the process of that agent, 0 if it is not known.
	PID int
}

func (e *AgentRunsError) Error() string {
	if e.PID == 0 {
		return "an agent of this host runs"
	}
	return fmt.Sprintf("an agent of this host runs, as process %d", e.PID)
}

// LockAgent makes this process the only agent of the host until unlock is called, or
// the process ends. The error is an [AgentRunsError] if another process is the agent.
func (d Dir) LockAgent() (unlock func(), err error) {
	if err := os.MkdirAll(string(d), 0o750); err != nil {
		return nil, fmt.Errorf("lock the agent: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(string(d), "agent.lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the agent (are you root?): %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer file.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the agent: %w", err)
		}
		text := make([]byte, 32)
		n, _ := file.ReadAt(text, 0)
		pid, _ := strconv.Atoi(string(bytes.TrimSpace(text[:n]))) // an agent that has just begun has not written it
		return nil, &AgentRunsError{PID: pid}
	}
	if err := errors.Join(file.Truncate(0), writeAt(file, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock the agent: %w", err)
	}
	return func() { _ = file.Close() }, nil
}

func writeAt(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}
