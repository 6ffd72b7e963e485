package agent

import (
	"testing"

	"github.com/dockhost/dockhost/rundir"
)

// A container that is never restarted runs again only when it is declared again.
func TestFailedOnceStaysEnded(t *testing.T) {
	h := newTestHost(t)
	a := h.agent()
	a.takeOver(t.Context())
	once := local("once", "job:1")
	once.Restart = "no"
	starts := func(want int) {
		t.Helper()
		if got := h.units.starts["dockhost@once.service"]; got != want {
			t.Errorf("the unit was started %d times, want %d", got, want)
		}
	}
	fail := func(containerID string) {
		t.Helper()
		h.stop()
		delete(h.units.active, "dockhost@once.service")
		failure := &rundir.Failure{Message: "exit status 3", ConfigHash: once.Hash()}
		state := rundir.State{Phase: "ended", Restart: "no", ConfigHash: once.Hash(), ContainerID: containerID, LastError: failure}
		if err := h.units.run.WriteState("once", state); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.declare(t.Context(), once); err != nil {
		t.Fatal(err)
	}
	starts(1)
	fail("0123")
	h.agent().takeOver(t.Context()).wait()
	starts(1)
	if err := a.declare(t.Context(), once); err != nil {
		t.Fatal(err)
	}
	starts(2)
	// The container was never created: its image was missing.
	fail("")
	h.agent().takeOver(t.Context()).wait()
	starts(3)
	// Another policy applies at once.
	fail("0123")
	always := local("once", "job:1")
	always.Restart = "always"
	if err := a.declare(t.Context(), always); err != nil {
		t.Fatal(err)
	}
	starts(4)
	fail("0123")
	h.agent().takeOver(t.Context()).wait()
	starts(5)
}
