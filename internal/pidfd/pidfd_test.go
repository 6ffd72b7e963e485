package pidfd

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestProcess(t *testing.T) {
	command := exec.CommandContext(t.Context(), "sleep", "infinity")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Open(command.Process.Pid)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !p.Alive() {
		t.Error("Alive() = false, want true")
	}
	select {
	case <-p.Ended():
		t.Error("Ended() although it runs")
	default:
	}
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Errorf("Signal() = %v", err)
	}
	<-p.Ended()
	if p.Alive() {
		t.Error("Alive() after its end = true, want false")
	}
	_ = command.Wait()
	if err := p.Signal(unix.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal() after its end = %v, want ErrProcessDone", err)
	}
	p.Close()
	if p.Alive() {
		t.Error("Alive() of a closed one = true, want false")
	}
	if again, err := Open(command.Process.Pid); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Open() after its end = %+v, %v, want ErrProcessDone", again, err)
	}
}

// A process that is closed while it runs is followed no longer.
func TestClose(t *testing.T) {
	p, err := Open(os.Getpid())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	select {
	case <-p.Ended():
		t.Error("Ended() although it runs")
	default:
	}
}
