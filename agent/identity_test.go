package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// A host must give a slot of its fleet back under the id under which it took it, also if
// its user data is not there yet after a boot.
func TestFleetIDWithoutUserData(t *testing.T) {
	h := newTestHost(t)
	h.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	h.userData("i-1", containers("web nginx:1"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	id := a.fleetID()
	h.boot()
	if err := os.RemoveAll(filepath.Join(h.root, seedDir)); err != nil {
		t.Fatal(err)
	}
	a = h.agent()
	a.takeOver(t.Context()).wait()
	if source := a.store.snapshot().source; source.InstanceID != "" {
		t.Fatalf("source = %+v, want none", source)
	}
	if again := a.fleetID(); again != id {
		t.Errorf("fleetID() = %s without user data, want %s", again, id)
	}
}
