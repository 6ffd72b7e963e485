package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/rundir"
)

func TestAgentTakesNoArguments(t *testing.T) {
	if code := run([]string{"dockhost-agent", "web"}); code != 1 {
		t.Errorf("exit status = %d, want 1", code)
	}
}

// Someone who starts a second agent learns which process the first one is.
func TestErrorExplainsTheFirstAgent(t *testing.T) {
	other := errors.New("disk full")
	for _, err := range []error{other, &rundir.AgentRunsError{}} {
		if got := explainAgent(err); !errors.Is(got, err) || strings.Contains(got.Error(), "kill") {
			t.Errorf("explainAgent(%v) = %v", err, got)
		}
	}
	pid := strconv.Itoa(os.Getpid())
	if got := explainAgent(&rundir.AgentRunsError{PID: os.Getpid()}).Error(); !strings.Contains(got, "process "+pid) || !strings.Contains(got, "kill "+pid) {
		t.Errorf("explainAgent() = %q, want process %s and what to do", got, pid)
	}
}
