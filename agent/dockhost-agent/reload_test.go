package main

import (
	"errors"
	"os/exec"
	"strconv"
	"testing"
)

// A reload ends with the agent: systemd starts the next one only after that.
func TestOnExit(t *testing.T) {
	agent := exec.CommandContext(t.Context(), "sleep", "1h")
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(agent.Process.Pid)
	ended := make(chan struct{})
	if err := onExit(pid, func() { close(ended) }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Fatal("ended was called while the process runs")
	default:
	}
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	_ = agent.Wait()
	if err := onExit(pid, func() {}); !errors.Is(err, errEnded) {
		t.Errorf("onExit of a process that has ended = %v, want %v", err, errEnded)
	}
	if err := onExit("web", func() {}); err == nil {
		t.Error("onExit accepts a word for a process")
	}
}
