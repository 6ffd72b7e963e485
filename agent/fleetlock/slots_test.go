package fleetlock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

// managers stands in for all lock managers.
type managers struct {
	mu sync.Mutex
	// made are the requests, with the time since the start of the test.
	made  []string
	began time.Time
	// answer is how a request ends.
	answer func(request string) error
}

// fakeLocker is the client of one host.
type fakeLocker struct {
	*managers
	lock Lock
}

func (l fakeLocker) Acquire(context.Context) error { return l.request("take") }
func (l fakeLocker) Release(context.Context) error { return l.request("give") }

func (l fakeLocker) request(what string) error {
	what += " " + l.lock.Group
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made = append(l.made, what+" "+time.Since(l.began).Round(time.Second).String())
	if l.answer != nil {
		return l.answer(what)
	}
	return nil
}

// respond sets how requests end from now on.
func (m *managers) respond(answer func(request string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

func newManagers() *managers { return &managers{began: time.Now()} }

func (m *managers) slots(path string) *Slots {
	s := NewSlots(path, func() string { return "id" }, zap.NewNop())
	s.client = func(l Lock) locker { return fakeLocker{m, l} }
	return s
}

// requests compares the requests since the last call or drain.
func (m *managers) requests(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, m.drain()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// drain returns the requests since the last call.
func (m *managers) drain() []string {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	made := m.made
	m.made = nil
	return made
}

// run runs the slots until the returned function is called, or the test ends.
func (s *Slots) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func blue() Lock { return Lock{"https://lock.example.com", "blue"} }

func (s *Slots) mustTake(t *testing.T, name string) {
	t.Helper()
	if err := s.Take(t.Context(), name, blue()); err != nil {
		t.Fatalf("Take(%q) = %v", name, err)
	}
}

// after lets time pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestSlotIsSharedByContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManagers()
		s := m.slots(filepath.Join(t.TempDir(), "slots.json"))
		s.run(t)
		s.mustTake(t, "web")
		s.mustTake(t, "db")
		s.Give("web", 0)
		after(time.Hour)
		m.requests(t, "take blue 0s", "take blue 0s") // db still needs it
		s.Give("db", 0)
		m.requests(t, "give blue 1h0m0s")
		after(time.Hour)
		m.requests(t)
	})
}

func TestSlotIsHeldAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManagers()
		path := filepath.Join(t.TempDir(), "slots.json")
		s := m.slots(path)
		stop := s.run(t)
		s.mustTake(t, "web")
		s.Give("web", 10*time.Minute)
		after(5 * time.Minute)
		stop()
		m.requests(t, "take blue 0s")

		s = m.slots(path) // the agent was restarted
		s.Begin([]User{{Name: "web", Lock: blue()}})
		s.run(t)
		after(4 * time.Minute)
		m.requests(t)
		after(time.Minute)
		m.requests(t, "give blue 10m0s")
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is left over: %v", err)
		}
	})
}

// A container gives back what it has taken, also if its lock is another one by now.
func TestSlotOfLockBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManagers()
		s := m.slots(filepath.Join(t.TempDir(), "slots.json"))
		s.run(t)
		s.mustTake(t, "web")
		if err := s.Take(t.Context(), "db", Lock{"https://lock.example.com", "red"}); err != nil {
			t.Fatal(err)
		}
		m.drain()
		s.Give("web", 0)
		m.requests(t, "give blue 0s")
		s.Give("web", 0)
		s.Give("other", 0)
		after(time.Hour)
		m.requests(t)
	})
}

// A slot that was taken before the agent was killed is given back, unless the update
// still needs it.
func TestSlotsAfterKill(t *testing.T) {
	for _, test := range []struct {
		name  string
		users []User
		want  []string
	}{
		{"the update continues", []User{{Name: "web", Lock: blue(), Updating: true}}, nil},
		{"it did not begin", []User{{Name: "web", Lock: blue()}}, []string{"give blue 0s"}},
		{"the container is gone", nil, []string{"give blue 0s"}},
		{"it has another lock", []User{{Name: "web", Lock: Lock{"https://lock.example.com", "red"}, Updating: true}}, []string{"give blue 0s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManagers()
				path := filepath.Join(t.TempDir(), "slots.json")
				m.slots(path).mustTake(t, "web")
				m.drain()
				s := m.slots(path)
				s.Begin(test.users)
				s.run(t)
				after(time.Hour)
				m.requests(t, test.want...)
			})
		})
	}
}

// After a boot the host reports once that it is steady, not at the same second as others.
func TestSlotsReportSteadyState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManagers()
		s := m.slots(filepath.Join(t.TempDir(), "slots.json"))
		s.Begin([]User{{Name: "web", Lock: blue()}, {Name: "db", Lock: blue()}})
		s.run(t)
		after(spread)
		if made := m.drain(); len(made) != 1 {
			t.Errorf("requests = %q, want one within %s", made, spread)
		}
		after(24 * time.Hour)
		m.requests(t)
	})
}

func TestSlotNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManagers()
		busy := true
		m.answer = func(request string) error {
			if request != "take blue" {
				return nil
			}
			if busy {
				return ErrBusy
			}
			return errors.New("no answer")
		}
		s := m.slots(filepath.Join(t.TempDir(), "slots.json"))
		s.run(t)
		if err := s.Take(t.Context(), "web", blue()); !errors.Is(err, ErrBusy) {
			t.Errorf("Take() = %v, want %v", err, ErrBusy)
		}
		after(time.Hour) // there is nothing to give back
		m.requests(t, "take blue 0s")
		busy = false
		if err := s.Take(t.Context(), "web", blue()); err == nil || errors.Is(err, ErrBusy) {
			t.Errorf("Take() = %v, want no answer", err)
		}
		after(time.Hour) // the request may have had an effect
		m.requests(t, "take blue 1h0m0s", "give blue 1h5m0s")
	})
}

// An unreachable lock manager is asked every few minutes, until it answers.
func TestSlotNotGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManagers()
		s := m.slots(filepath.Join(t.TempDir(), "slots.json"))
		s.run(t)
		s.mustTake(t, "web")
		m.respond(func(string) error { return errors.New("no answer") })
		s.Give("web", 0)
		after(24 * time.Hour)
		if n := len(m.drain()); n < 200 || n > 500 {
			t.Errorf("%d requests in a day", n)
		}
		m.respond(nil)
		after(10 * time.Minute)
		m.drain()
		after(24 * time.Hour)
		m.requests(t)
	})
}

func TestDamagedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "slots.json")
		if err := os.WriteFile(path, []byte("[{"), 0o600); err != nil {
			t.Fatal(err)
		}
		m := newManagers()
		s := m.slots(path)
		s.Begin([]User{{Name: "web", Lock: blue()}})
		s.run(t)
		after(time.Hour)
		if made := m.drain(); len(made) != 1 {
			t.Errorf("requests = %q, want one that gives back", made)
		}
	})
}
