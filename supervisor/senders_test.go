package supervisor

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sleeping starts a process that the test can kill.
func sleeping(t *testing.T) (*process, func()) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sleep", "infinity")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := openProcess(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p, func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
}

// A message belongs to the process that sent it, whether the supervisor learns of a
// docker restart before or after it reads the message.
func TestSendersKnowTheStart(t *testing.T) {
	var s senders
	before, endBefore := sleeping(t)
	first, _, restarted := s.begin(before)
	if restarted {
		t.Error("begin() = restarted, want the first start")
	}
	child, endChild := sleeping(t)
	if got := s.receive(message{ready: true}, child.id()); got != first {
		t.Errorf("receive() while the process runs = %v, want its start", got)
	}
	if got := s.receive(message{ready: true}, os.Getpid()); got != nil {
		t.Errorf("receive() of a process that is older than the container = %v, want nil", got)
	}
	endBefore()
	if got := s.receive(message{stopping: true}, before.id()); got != first {
		t.Errorf("receive() of the last message of a process = %v, want its start", got)
	}
	<-time.After(30 * time.Millisecond) // three clock ticks
	after, _ := sleeping(t)
	busy, serving := "busy", "serving"
	for _, m := range []message{
		{status: &busy, pass: []string{"WATCHDOG=1"}},
		{reloading: true, pass: []string{"RELOADING=1", "MONOTONIC_USEC=1"}},
		{ready: true, status: &serving, pass: []string{"WATCHDOG=1"}},
	} {
		if got := s.receive(m, after.id()); got != nil {
			t.Errorf("receive() of a start that Docker has not reported = %v, want nil", got)
		}
	}
	second, early, restarted := s.begin(after)
	want := message{ready: true, status: &serving, pass: []string{"WATCHDOG=1"}}
	if diff := cmp.Diff(want, early, cmp.AllowUnexported(message{})); diff != "" || !restarted {
		t.Errorf("begin() = %v, early messages (-want +got):\n%s", restarted, diff)
	}
	if !s.isLatest(second) || s.isLatest(first) {
		t.Error("isLatest() does not name the second start")
	}
	if got := s.receive(message{ready: true}, before.id()); got != nil {
		t.Errorf("receive() of the former process = %v, want nil", got)
	}
	if got := s.receive(message{ready: true}, child.id()); got != nil {
		t.Errorf("receive() of a child of the former process = %v, want nil", got)
	}
	endChild()
	if got := s.receive(message{ready: true}, 0); got != second {
		t.Errorf("receive() of an unknown sender = %v, want the latest start", got)
	}
}
