package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// local returns a container as dockhostctl run declares it.
func local(name, image string) *spec.Container {
	return &spec.Container{
		Name: name, Image: image, PullPolicy: spec.PullMissing, PullStallTimeout: time.Minute, Notify: spec.NotifyStarted,
		Config:     &container.Config{Image: image, Env: []string{"TOKEN=canary-4711"}},
		HostConfig: &container.HostConfig{},
	}
}

// declare starts an agent, and declares containers.
func (h *testHost) declare(a *Agent, each ...*spec.Container) {
	h.Helper()
	a.takeOver(h.Context())
	for _, c := range each {
		if err := a.declare(h.Context(), c); err != nil {
			h.Fatalf("declare %s: %v", c.Name, err)
		}
	}
}

// boot leaves the host as after a boot: nothing runs, and /run is empty.
func (h *testHost) boot() {
	h.Helper()
	h.stop()
	h.units.active, h.units.starts = map[string]bool{}, map[string]int{}
	if err := os.RemoveAll(filepath.Join(h.root, "run")); err != nil {
		h.Fatal(err)
	}
}

func (h *testHost) wantRunning(want map[string]int) {
	h.Helper()
	if diff := cmp.Diff(want, h.units.running()); diff != "" {
		h.Errorf("running (-want +got):\n%s", diff)
	}
}

func TestDeclare(t *testing.T) {
	h := newTestHost(t)
	a := h.agent()
	h.declare(a, local("web", "nginx:1"))
	h.wantRunning(map[string]int{"web": 1})
	if got, want := a.reporter.line(), "0 containers assigned, no user data; 1 declared by dockhostctl run"; got != want {
		t.Errorf("status line = %q, want %q", got, want)
	}
	if info, err := os.Stat(filepath.Join(h.root, storePath)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: mode %v, %v, want 0600", storePath, info, err)
	}

	// Declared again without a change it is left alone, by this agent and the next.
	h.declare(h.agent(), local("web", "nginx:1"))
	h.wantRunning(map[string]int{"web": 1})
	h.boot()
	a = h.agent()
	a.takeOver(t.Context()).wait()
	h.wantRunning(map[string]int{"web": 1})
	if a.store.snapshot().source.LastKnownGood || len(a.store.snapshot().source.Problems) > 0 {
		t.Errorf("source = %+v, want no problem without user data", a.store.snapshot().source)
	}
}

// A local container stays across changes of the user data, and is dropped on another
// instance or machine.
func TestDeclaredAcrossBoots(t *testing.T) {
	const runcmd = "runcmd: [dockhostctl run]\n"
	tests := []struct {
		name          string
		before, after func(h *testHost)
		running       map[string]int
		lastGood      bool
	}{
		{
			name:    "the user data assigns nothing",
			before:  func(h *testHost) { h.userData("i-1", runcmd) },
			running: map[string]int{"web": 1},
		},
		{
			name:    "the user data assigns another one",
			before:  func(h *testHost) { h.userData("i-1", containers("db postgres:1")) },
			running: map[string]int{"web": 1, "db": 1},
		},
		{
			name:    "the user data assigns no more",
			before:  func(h *testHost) { h.userData("i-1", containers("db postgres:1")) },
			after:   func(h *testHost) { h.userData("i-1", runcmd) },
			running: map[string]int{"web": 1},
		},
		{
			name:    "the user data is wrong",
			before:  func(h *testHost) { h.userData("i-1", containers("db postgres:1")) },
			after:   func(h *testHost) { h.userData("i-1", "dockhost: [\n") },
			running: map[string]int{"web": 1, "db": 1}, lastGood: true,
		},
		{
			name: "the user data is of a kind that is not looked into",
			before: func(h *testHost) {
				h.write(seedDir+"/meta-data", "")
				h.write(seedDir+"/user-data", "## template: jinja\n")
			},
			running: map[string]int{"web": 1},
		},
		{
			name:    "the user data is gone",
			before:  func(h *testHost) { h.userData("i-1", containers("db postgres:1")) },
			after:   func(h *testHost) { _ = os.RemoveAll(filepath.Join(h.root, seedDir)) },
			running: map[string]int{"web": 1, "db": 1}, lastGood: true,
		},
		{
			name:    "user data comes",
			after:   func(h *testHost) { h.userData("i-1", containers("db postgres:1")) },
			running: map[string]int{"web": 1, "db": 1},
		},
		{
			name:    "another instance",
			before:  func(h *testHost) { h.userData("i-1", runcmd) },
			after:   func(h *testHost) { h.userData("i-2", runcmd) },
			running: map[string]int{},
		},
		{
			name:    "another machine, without user data",
			after:   func(h *testHost) { h.write("/etc/machine-id", "machine-two\n") },
			running: map[string]int{},
		},
		{
			name: "another machine, with user data for the first time",
			after: func(h *testHost) {
				h.write("/etc/machine-id", "machine-two\n")
				h.userData("i-1", runcmd)
			},
			running: map[string]int{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newTestHost(t)
			if test.before != nil {
				test.before(h)
			}
			h.declare(h.agent(), local("web", "nginx:1"))
			h.boot()
			if test.after != nil {
				test.after(h)
			}
			a := h.agent()
			a.takeOver(t.Context()).wait()
			h.wantRunning(test.running)
			if a.store.snapshot().source.LastKnownGood != test.lastGood {
				t.Errorf("last known good = %v, want %v", a.store.snapshot().source.LastKnownGood, test.lastGood)
			}
			// And so it stays.
			h.boot()
			h.agent().takeOver(t.Context()).wait()
			h.wantRunning(test.running)
		})
	}
}

// A changed declaration is rolled out like any change, even by another agent after the
// first was killed, and disturbs no other change.
func TestDeclareReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		h.userData("i-1", containers("db postgres:1"))
		a := h.agent()
		h.declare(a, local("web", "nginx:1"))
		h.userData("i-1", containers("db postgres:2"))
		a.takeOver(t.Context())
		if err := a.declare(t.Context(), local("web", "nginx:2")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.wantRunning(map[string]int{"web": 1, "db": 1})
		for name, image := range map[string]string{"web": "nginx:2", "db": "postgres:2"} {
			if p := pendingOf(a, name); p.Image != image || p.Error == "" {
				t.Errorf("pending %s = %+v, want %s and why", name, p, image)
			}
		}
		// A third image: the rollout of the second one ends, and its error is dropped.
		h.engine.set(func() { h.engine.down = true })
		if err := a.declare(t.Context(), local("web", "nginx:3")); err != nil {
			t.Fatal(err)
		}
		if p := pendingOf(a, "web"); p.Image != "nginx:3" || p.Error != "" {
			t.Errorf("pending = %+v, want nginx:3 and no error yet", p)
		}
		a.updates.stop() // the agent is killed

		h.engine.set(func() {
			h.engine.registry["nginx:2"], h.engine.registry["nginx:3"], h.engine.down = true, true, false
		})
		b := h.agent()
		ctx, cancel := context.WithCancel(t.Context())
		b.takeOver(ctx)
		time.Sleep(time.Minute)
		h.wantRunning(map[string]int{"web": 2, "db": 1})
		if saved, err := b.store.file.load(); err != nil || saved.container("web").Image != "nginx:3" || saved.container("db").Image != "postgres:1" {
			t.Errorf("saved = %+v, %v, want nginx:3 and postgres:1 in force", saved, err)
		}
		// What is in force is declared again: nothing is pending any more.
		if err := b.declare(ctx, local("web", "nginx:none")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := b.declare(ctx, local("web", "nginx:3")); err != nil {
			t.Fatal(err)
		}
		if p := pendingOf(b, "web"); p.Image != "" {
			t.Errorf("pending = %+v, want nothing", p)
		}
		h.wantRunning(map[string]int{"web": 2, "db": 1})
		cancel()
		b.updates.wait()
	})
}

// If an agent is killed after it saved a change, the next one carries it out.
func TestNextAgentCompletesChange(t *testing.T) {
	h := newTestHost(t)
	h.units.err = errors.New("no answer")
	a := h.agent()
	a.takeOver(t.Context())
	if err := a.declare(t.Context(), local("web", "nginx:1")); err == nil {
		t.Error("declare() = nil without systemd")
	}
	h.units.err = nil
	a = h.agent()
	a.takeOver(t.Context())
	h.wantRunning(map[string]int{"web": 1})

	h.units.err = errors.New("no answer")
	if err := a.request(t.Context(), change{name: "web"}); err == nil {
		t.Error("forget() = nil without systemd")
	}
	h.units.err = nil
	h.agent().takeOver(t.Context())
	h.wantRunning(map[string]int{})

	// A second request completes it, too.
	h.declare(a, local("web", "nginx:1"))
	h.units.err = errors.New("no answer")
	_ = a.request(t.Context(), change{name: "web"})
	h.units.err = nil
	if err := a.request(t.Context(), change{name: "web"}); err != nil {
		t.Errorf("forget() = %v once systemd answers again", err)
	}
	h.wantRunning(map[string]int{})
}

func TestForget(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("db postgres:1"))
	a := h.agent()
	h.declare(a, local("web", "nginx:1"))
	if err := a.request(t.Context(), change{name: "db"}); !errors.Is(err, errDeclared) || !strings.Contains(err.Error(), seedDir+"/user-data") {
		t.Errorf("forget(db) = %v, want it refused, with the place", err)
	}
	if err := a.request(t.Context(), change{name: "none"}); !errors.Is(err, errNoContainer) {
		t.Errorf("forget(none) = %v, want %v", err, errNoContainer)
	}
	h.write("/run/dockhost/stray.json", "{}")
	if err := a.request(t.Context(), change{name: "../stray"}); !errors.Is(err, errNoContainer) {
		t.Errorf("forget(../stray) = %v, want %v", err, errNoContainer)
	}
	if err := a.request(t.Context(), change{name: "web"}); err != nil {
		t.Errorf("forget(web) = %v", err)
	}
	h.wantRunning(map[string]int{"db": 1})
	if err := a.request(t.Context(), change{name: "web"}); !errors.Is(err, errNoContainer) {
		t.Errorf("forget(web) again = %v, want %v", err, errNoContainer)
	}
	h.agent().takeOver(t.Context())
	h.wantRunning(map[string]int{"db": 1})
	if raw, err := os.ReadFile(filepath.Join(h.root, storePath)); err != nil || strings.Contains(string(raw), "canary") {
		t.Errorf("the store holds %s, %v", raw, err)
	}
}

// The user data wins a name that is also declared locally.
func TestUserDataWinsName(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	a := h.agent()
	a.takeOver(t.Context())
	err := a.declare(t.Context(), local("web", "nginx:2"))
	if !errors.Is(err, errDeclared) || !strings.Contains(err.Error(), "change it there") {
		t.Errorf("declare() = %v, want it refused", err)
	}

	// A local container that was declared first is replaced, and is restored later.
	h.engine.images["nginx:1"], h.engine.images["nginx:2"] = true, true
	h.userData("i-1", "")
	a.takeOver(t.Context())
	if err := a.declare(t.Context(), local("web", "nginx:2")); err != nil {
		t.Fatal(err)
	}
	runs := func(a *Agent, image string, origin api.Origin, problems int) {
		t.Helper()
		saved, err := a.store.file.load()
		if err != nil || saved.container("web").Image != image || saved.origin("web") != origin || len(saved.clashes()) != problems {
			t.Errorf("saved = %+v, %v, want %s of %s, and %d problems", saved, err, image, origin, problems)
		}
	}
	runs(a, "nginx:2", api.OriginLocal, 0)
	h.userData("i-1", containers("web nginx:1"))
	a = h.agent()
	a.takeOver(t.Context()).wait()
	runs(a, "nginx:1", api.OriginUserData, 1)
	if line := a.reporter.line(); !strings.Contains(line, "dockhostctl rm web") {
		t.Errorf("status line = %q, want what to do", line)
	}
	// That stays so while the user data cannot be read.
	h.userData("i-1", "dockhost: [\n")
	a = h.agent()
	a.takeOver(t.Context()).wait()
	runs(a, "nginx:1", api.OriginUserData, 1)
	h.userData("i-1", "")
	a = h.agent()
	a.takeOver(t.Context()).wait()
	runs(a, "nginx:2", api.OriginLocal, 0)

	h.userData("i-1", containers("web nginx:1"))
	a = h.agent()
	a.takeOver(t.Context()).wait()
	if err := a.request(t.Context(), change{name: "web"}); err != nil {
		t.Errorf("forget() = %v, want the shadowed one forgotten", err)
	}
	runs(a, "nginx:1", api.OriginUserData, 0)
	if !h.units.active["dockhost@web.service"] {
		t.Error("the user data's container was stopped")
	}
}

// Temporary files of an agent that was killed are removed: they contain secrets.
func TestStoreSweeps(t *testing.T) {
	h := newTestHost(t)
	h.declare(h.agent(), local("web", "nginx:1"))
	leftover := filepath.Dir(storePath) + "/.assignment.json4711"
	h.write(leftover, "canary")
	h.agent().takeOver(t.Context())
	if _, err := os.Stat(filepath.Join(h.root, leftover)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v, want it gone", leftover, err)
	}
	h.wantRunning(map[string]int{"web": 1})
}
