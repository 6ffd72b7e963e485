package rundir

import (
	"errors"
	"os"
	"testing"
)

// A second agent learns the process of the first one. The end of that one frees the
// lock, and its file stays.
func TestLockAgent(t *testing.T) {
	dir := Dir(t.TempDir())
	unlock, err := dir.LockAgent()
	if err != nil {
		t.Fatal(err)
	}
	_, err = dir.LockAgent()
	var runs *AgentRunsError
	if !errors.As(err, &runs) || runs.PID != os.Getpid() {
		t.Fatalf("second LockAgent() error = %v, want process %d", err, os.Getpid())
	}
	unlock()
	unlock, err = dir.LockAgent()
	if err != nil {
		t.Fatalf("LockAgent() after the end of the first agent: %v", err)
	}
	unlock()
}
