package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/dropin"
	"github.com/dockhost/dockhost/spec"
)

// containers makes a dockhost section; each is "name image".
func containers(each ...string) string {
	section := "dockhost:\n  networks: {default: {}}\n  containers:\n" // on one network, however many there are
	for _, c := range each {
		name, image, _ := strings.Cut(c, " ")
		section += "    " + name + ":\n      image: " + image + "\n"
	}
	return section
}

func TestFirstBoot(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1", "db postgres:1"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	if diff := cmp.Diff(map[string]int{"web": 1, "db": 1}, h.units.running()); diff != "" {
		t.Errorf("running (-want +got):\n%s", diff)
	}
	for _, path := range []string{storePath, "/run/dockhost/containers/web.json", "/run/dockhost/logins/config.json"} {
		info, err := os.Stat(filepath.Join(h.root, path))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v, want 0600", path, info, err)
		}
	}
	if got, want := a.reporter.line(), "2 containers assigned by NoCloud, instance i-1"; got != want {
		t.Errorf("status line = %q, want %q", got, want)
	}

	// Another agent changes nothing.
	h.agent().takeOver(t.Context()).wait()
	if diff := cmp.Diff(map[string]int{"web": 1, "db": 1}, h.units.running()); diff != "" {
		t.Errorf("after a restart of the agent (-want +got):\n%s", diff)
	}
	if h.units.reloads != 0 {
		t.Errorf("daemon-reloads = %d, want none for units that systemd has not read", h.units.reloads)
	}
}

func TestUnassignedContainerStops(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1", "db postgres:1"))
	h.agent().takeOver(t.Context()).wait()
	h.userData("i-1", containers("web nginx:1"))
	h.agent().takeOver(t.Context()).wait()
	if diff := cmp.Diff(map[string]int{"web": 1}, h.units.running()); diff != "" {
		t.Errorf("running (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/run/dockhost/containers/db.json", "/run/dockhost/state/db.json", "/run/systemd/system/dockhost@db.service.d"} {
		if _, err := os.Stat(filepath.Join(h.root, path)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want it gone", path, err)
		}
	}
}

// User data may have changed, or be broken or missing, since the last boot.
func TestLastKnownGood(t *testing.T) {
	tests := []struct {
		name     string
		change   func(h *testHost)
		running  map[string]int
		lastGood bool
		problems bool
	}{
		{
			name:     "broken",
			change:   func(h *testHost) { h.userData("i-1", containers("web nginx:1")+"      nonsense: 1\n") },
			running:  map[string]int{"web": 1},
			lastGood: true, problems: true,
		},
		{
			name:     "gone",
			change:   func(h *testHost) { _ = os.RemoveAll(filepath.Join(h.root, seedDir)) },
			running:  map[string]int{"web": 1},
			lastGood: true, problems: true,
		},
		{
			name: "gone, on a clone",
			change: func(h *testHost) {
				_ = os.RemoveAll(filepath.Join(h.root, seedDir))
				h.write("/etc/machine-id", "machine-two\n")
			},
			running: map[string]int{},
		},
		{
			name:     "broken, for another instance",
			change:   func(h *testHost) { h.userData("i-2", "dockhost: [\n") },
			running:  map[string]int{},
			problems: true,
		},
		{
			name:    "for another instance",
			change:  func(h *testHost) { h.userData("i-2", containers("db postgres:1")) },
			running: map[string]int{"db": 1},
		},
		{
			name:     "of others, with includes off",
			change:   func(h *testHost) { h.write(seedDir+"/user-data", "#include\nhttps://example.org/user-data\n") },
			running:  map[string]int{"web": 1},
			lastGood: true, problems: true,
		},
		{
			name:    "without a dockhost section",
			change:  func(h *testHost) { h.userData("i-1", "runcmd: [ls]\n") },
			running: map[string]int{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newTestHost(t)
			h.userData("i-1", containers("web nginx:1"))
			h.agent().takeOver(t.Context()).wait()
			// A boot: nothing runs, and /run is empty.
			h.stop()
			h.units.active, h.units.starts = map[string]bool{}, map[string]int{}
			if err := os.RemoveAll(filepath.Join(h.root, "run")); err != nil {
				t.Fatal(err)
			}
			test.change(h)
			a := h.agent()
			a.takeOver(t.Context()).wait()
			if diff := cmp.Diff(test.running, h.units.running()); diff != "" {
				t.Errorf("running (-want +got):\n%s", diff)
			}
			if a.store.snapshot().source.LastKnownGood != test.lastGood || (len(a.store.snapshot().source.Problems) > 0) != test.problems {
				t.Errorf("source = %+v, want last known good %v, problems %v", a.store.snapshot().source, test.lastGood, test.problems)
			}
		})
	}
}

// The agent starts with a store that a power cut or a bug damaged.
func TestDamagedStoreIsReplaced(t *testing.T) {
	h := newTestHost(t)
	h.write(storePath, `{"instance_id": "i-1", "assign`)
	h.userData("i-1", containers("web nginx:1"))
	h.agent().takeOver(t.Context()).wait()
	if diff := cmp.Diff(map[string]int{"web": 1}, h.units.running()); diff != "" {
		t.Errorf("running (-want +got):\n%s", diff)
	}
}

func TestRolloutWaitsForImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		h.userData("i-1", containers("web nginx:1"))
		h.agent().takeOver(t.Context()).wait()

		h.userData("i-1", containers("web nginx:2"))
		a := h.agent()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rollouts := a.takeOver(ctx)
		synctest.Wait()
		if diff := cmp.Diff(map[string]int{"web": 1}, h.units.running()); diff != "" {
			t.Errorf("while the image is missing, running (-want +got):\n%s", diff)
		}
		if p := pendingOf(a, "web"); p.Image != "nginx:2" || !strings.Contains(p.Error, "manifest unknown") {
			t.Errorf("pending = %+v, want nginx:2 and why", p)
		}
		if got := h.notify.last(); !strings.Contains(got, "web not updated: manifest unknown") {
			t.Errorf("status line = %q", got)
		}
		if saved, err := a.store.file.load(); err != nil || saved.container("web").Image != "nginx:1" {
			t.Errorf("saved = %+v, %v, want nginx:1 in force", saved, err)
		}

		h.engine.set(func() { h.engine.registry["nginx:2"] = true })
		time.Sleep(time.Minute)
		rollouts.wait()
		if diff := cmp.Diff(map[string]int{"web": 2}, h.units.running()); diff != "" {
			t.Errorf("once the image is there, running (-want +got):\n%s", diff)
		}
		if saved, err := a.store.file.load(); err != nil || saved.container("web").Image != "nginx:2" || pendingOf(a, "web").Image != "" {
			t.Errorf("saved = %+v, %v, pending = %v, want nginx:2 in force", saved, err, pendingOf(a, "web"))
		}
	})
}

// A container whose GPUs are not available does not replace the one that runs.
func TestRolloutWaitsForGPU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		h.engine.set(func() { h.engine.registry["cuda:1"] = true })
		h.userData("i-1", containers("web cuda:1"))
		h.agent().takeOver(t.Context()).wait()

		h.userData("i-1", "dockhost:\n  containers:\n    web: {image: 'cuda:1', gpus: all}\n")
		var there atomic.Bool
		a := h.agent(func(o *Options) {
			o.GPUs = func(_ context.Context, c *spec.Container) error {
				if c.GPU == nil || there.Load() {
					return nil
				}
				return errors.New("no NVIDIA driver is loaded")
			}
		})
		rollouts := a.takeOver(t.Context())
		synctest.Wait()
		if p := pendingOf(a, "web"); !strings.Contains(p.Error, "no NVIDIA driver") || h.units.running()["web"] != 1 {
			t.Errorf("pending = %+v, running = %v, want the old one and why", p, h.units.running())
		}
		there.Store(true)
		time.Sleep(time.Minute)
		rollouts.wait()
		if diff := cmp.Diff(map[string]int{"web": 2}, h.units.running()); diff != "" {
			t.Errorf("once the driver is there, running (-want +got):\n%s", diff)
		}
	})
}

// pendingOf returns what waits to replace a container.
func pendingOf(a *Agent, name string) api.Pending {
	return a.store.snapshot().pending[name]
}

// At boot the old container does not run yet. It is started if the image of the new
// one is not on the host.
func TestRolloutAtBoot(t *testing.T) {
	tests := []struct {
		name             string
		onHost, atOrigin bool
		image            string
		starts           int
	}{
		{"image on the host", true, false, "nginx:2", 1},
		{"image at the registry", false, true, "nginx:2", 2},
		{"image nowhere", false, false, "nginx:1", 1},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			h := newTestHost(t)
			h.userData("i-1", containers("web nginx:1"))
			h.agent().takeOver(t.Context()).wait()
			h.stop()
			h.units.active, h.units.starts = map[string]bool{}, map[string]int{}
			if err := os.RemoveAll(filepath.Join(h.root, "run")); err != nil {
				t.Fatal(err)
			}
			h.engine.images["nginx:2"], h.engine.registry["nginx:2"] = test.onHost, test.atOrigin
			h.engine.down = true
			h.userData("i-1", containers("web nginx:2"))
			ctx, cancel := context.WithCancel(t.Context())
			rollouts := h.agent().takeOver(ctx)
			time.Sleep(time.Second)
			if diff := cmp.Diff(map[string]int{}, h.units.running()); diff != "" {
				t.Errorf("before Docker is up, running (-want +got):\n%s", diff)
			}
			h.engine.set(func() { h.engine.down = false })
			time.Sleep(10 * time.Second)
			if c, err := h.units.run.Container("web"); err != nil || c.Image != test.image || h.units.running()["web"] != test.starts {
				t.Errorf("%s: starts %v, the last of %+v, %v, want %d, the last of %s", test.name, h.units.running(), c, err, test.starts, test.image)
			}
			cancel()
			rollouts.wait()
		})
	}
}

// A change of unit settings alone restarts nothing.
func TestUnitSettingsNeedNoRestart(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	h.agent().takeOver(t.Context()).wait()
	h.userData("i-1", containers("web nginx:1")+"      x-dockhost: {unit: {Service: {MemoryMax: 1G}}}\n")
	h.agent().takeOver(t.Context()).wait()
	if diff := cmp.Diff(map[string]int{"web": 1}, h.units.running()); diff != "" {
		t.Errorf("running (-want +got):\n%s", diff)
	}
	if h.units.reloads != 1 {
		t.Errorf("daemon-reloads = %d, want 1", h.units.reloads)
	}
	raw, err := os.ReadFile(filepath.Join(h.root, dropin.Path("web")))
	if err != nil || !strings.Contains(string(raw), "\nMemoryMax=1G\n") {
		t.Errorf("drop-in = %q, %v", raw, err)
	}
}
