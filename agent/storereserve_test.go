package agent

import (
	"os"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/spec"
)

// The reserve grows with the assignment, and stays when that becomes smaller.
func TestReserveGrowsWithAssignment(t *testing.T) {
	f := storeFile{root: t.TempDir()}
	f.reserve() // nothing is saved yet
	if _, err := os.Stat(f.reservePath()); err == nil {
		t.Error("a host without an assignment has a reserve")
	}
	save := func(image string) int64 {
		t.Helper()
		a := &accepted{Local: []spec.Container{{Name: "web", Image: image}}}
		if err := f.save(a); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(f.reservePath())
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if size := save("nginx"); size != minReserve {
		t.Errorf("reserve = %d bytes, want %d", size, minReserve)
	}
	large := save(strings.Repeat("x", minReserve))
	if large <= 2*minReserve {
		t.Errorf("reserve = %d bytes for an assignment of %d, want twice as much", large, minReserve)
	}
	if size := save("nginx"); size != large {
		t.Errorf("reserve = %d bytes, want %d as before", size, large)
	}
}
