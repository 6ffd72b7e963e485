package gate

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/agent/fleetlock"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// world stands in for the application and the fleet.
type world struct {
	// statuses are the exit statuses of the next commands; then they are 0.
	statuses []int
	busy     bool
	made     []string
}

func (w *world) Exec(_ context.Context, id string, _ []string, out io.Writer) (int, error) {
	w.made = append(w.made, "ask "+id)
	if len(w.statuses) == 0 {
		return 0, nil
	}
	status := w.statuses[0]
	w.statuses = w.statuses[1:]
	_, _ = io.WriteString(out, "a job runs\n")
	return status, nil
}

func (w *world) Inspect(context.Context, string) (engine.Container, error) {
	return engine.Container{}, errors.New("not asked for")
}

func (w *world) Take(_ context.Context, name string, lock fleetlock.Lock) error {
	w.made = append(w.made, "take "+name+" "+lock.Group)
	if w.busy {
		return fleetlock.ErrBusy
	}
	return nil
}

func (w *world) Give(name string, after time.Duration) {
	w.made = append(w.made, "give "+name+" "+after.String())
}

func TestClosed(t *testing.T) {
	command := &spec.UpdateLock{Exec: []string{"/may-stop"}}
	fleet := &spec.FleetLock{BaseURL: "https://lock.example.com", Group: "blue"}
	tests := []struct {
		name     string
		settings spec.Update
		id       string
		world    world
		want     string
		made     []string
	}{
		{"nobody to ask", spec.Update{}, "c1", world{}, "", nil},
		{"the application", spec.Update{Lock: command}, "c1", world{}, "", []string{"ask c1"}},
		{"it does not run", spec.Update{Lock: command}, "", world{}, "", nil},
		{"not now", spec.Update{Lock: command, FleetLock: fleet}, "c1", world{statuses: []int{75}}, "the application must not be stopped now: a job runs", []string{"ask c1"}},
		{
			"a broken command",
			spec.Update{Lock: command},
			"c1",
			world{statuses: []int{1}},
			"update.lock.exec exited with 1: write a command that exits with 0 (may be stopped) or 75 (not now): a job runs",
			[]string{"ask c1"},
		},
		{"the fleet", spec.Update{FleetLock: fleet}, "c1", world{}, "", []string{"take web blue"}},
		{"no slot", spec.Update{FleetLock: fleet}, "c1", world{busy: true}, "no free slot", []string{"take web blue"}},
		{"both", spec.Update{Lock: command, FleetLock: fleet}, "c1", world{}, "", []string{"ask c1", "take web blue", "ask c1"}},
		{
			"the application changes its mind",
			spec.Update{Lock: command, FleetLock: fleet},
			"c1",
			world{statuses: []int{0, 75}},
			"the application must not be stopped now: a job runs",
			[]string{"ask c1", "take web blue", "ask c1", "give web 0s"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &test.world
			if why := (Gates{w, w}).Closed(t.Context(), "web", test.id, test.settings); why != test.want {
				t.Errorf("Closed() = %q, want %q", why, test.want)
			}
			if diff := cmp.Diff(test.made, w.made); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClosedByFile(t *testing.T) {
	settings := spec.Update{Lock: &spec.UpdateLock{File: filepath.Join(t.TempDir(), "lock")}}
	closed := func() string { return Gates{}.Closed(t.Context(), "web", "c1", settings) }
	if why := closed(); why != "" {
		t.Errorf("Closed() = %q without a file", why)
	}
	file, err := os.Create(settings.Lock.File)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if why, want := closed(), "the application holds its lock "+settings.Lock.File; why != want {
		t.Errorf("Closed() = %q, want %q", why, want)
	}
	settings.Lock.File = filepath.Dir(settings.Lock.File)
	if why := closed(); !strings.Contains(why, "it is a directory") {
		t.Errorf("Closed() = %q, want that the file is a directory", why)
	}
}

func TestPassed(t *testing.T) {
	fleet := func(hold time.Duration) spec.Update {
		return spec.Update{FleetLock: &spec.FleetLock{Group: "blue", HoldAfterFailure: hold}}
	}
	tests := []struct {
		name     string
		settings spec.Update
		failed   bool
		want     []string
	}{
		{"no fleet now", spec.Update{}, true, []string{"give web 0s"}},
		{"confirmed", fleet(time.Hour), false, []string{"give web 0s"}},
		{"rolled back", fleet(time.Hour), true, []string{"give web 1h0m0s"}},
		{"not held", fleet(0), true, []string{"give web 0s"}},
	}
	for _, test := range tests {
		w := &world{}
		Gates{w, w}.Passed("web", test.settings, test.failed)
		if diff := cmp.Diff(test.want, w.made); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
