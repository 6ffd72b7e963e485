package supervisor

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestProcess(t *testing.T) {
	command := exec.CommandContext(t.Context(), "sleep", "infinity")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := openProcess(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if p.held == nil {
		t.Skip("the kernel has no pidfds")
	}
	if !p.alive() {
		t.Error("alive() = false, want true")
	}
	if err := p.signal(unix.SIGTERM); err != nil {
		t.Errorf("signal() = %v", err)
	}
	select {
	case <-p.ended():
	case <-time.After(patience):
		t.Errorf("the process has not ended within %s", patience)
	}
	if p.alive() {
		t.Error("alive() after its end = true, want false")
	}
	_ = command.Wait()
	if err := p.signal(unix.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal() after its end = %v, want ErrProcessDone", err)
	}
	if again, err := openProcess(command.Process.Pid); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("openProcess() after its end = %+v, %v, want ErrProcessDone", again, err)
	}
	var none *process
	if none.alive() || none.id() != 0 || none.ended() != nil || !errors.Is(none.signal(unix.SIGTERM), os.ErrProcessDone) {
		t.Error("no process is alive")
	}
}

func TestStopSignal(t *testing.T) {
	tests := map[string]unix.Signal{
		"": unix.SIGTERM, "SIGQUIT": unix.SIGQUIT, "quit": unix.SIGQUIT, "3": unix.SIGQUIT, "SIGRTMIN+3": 37, "RTMIN": 34, "RTMAX-2": 62,
		"SIGRTMIN+99": unix.SIGTERM, "nonsense": unix.SIGTERM, "0": unix.SIGTERM, "65": unix.SIGTERM, "-9": unix.SIGTERM,
	}
	for name, want := range tests {
		if got := stopSignal(name); got != want {
			t.Errorf("stopSignal(%q) = %d, want %d", name, got, want)
		}
	}
}
