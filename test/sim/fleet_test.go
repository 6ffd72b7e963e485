package sim

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/agent/update/fakehost"
	"github.com/dockhost/dockhost/spec"
	specupdate "github.com/dockhost/dockhost/spec/update"
)

// The images of the fleet, by their digests.
const (
	imageOld   = "sha256:old"
	imageGood  = "sha256:good"
	imageExits = "sha256:exits"
	imageHangs = "sha256:hangs"
)

const (
	image = "registry.example/web:stable"
	check = 5 * time.Minute
	// exitsAfter is after which time a bad image exits once it is ready, hangsFor the start
	// timeout of one that never is.
	exitsAfter = 20 * time.Second
	hangsFor   = 90 * time.Second
	// step is how often the simulation looks.
	step = 10 * time.Second
)

// fleet is a fleet, its registry and its lock manager.
type fleet struct {
	start    time.Time
	registry registry
	lock     lock
	members  []*member
	end      func()

	mu     sync.Mutex
	series series
	// updating is how many hosts are being updated, most the highest number of them.
	updating, most int
}

// member is a host of a fleet.
type member struct {
	fleet *fleet
	host  *fakehost.Host
	ready time.Duration
	hold  time.Duration

	// fleet.mu guards the following.

	// state is the band of the picture that the host is in.
	state band
	// updating says that the host's container was replaced, and the outcome is not known.
	updating bool
	// tried counts how often each image was put in force.
	tried map[string]int
}

// newFleet boots a fleet: all hosts at once. It is called in a bubble of synctest.
func newFleet(t *testing.T, agents int) *fleet {
	t.Helper()
	start := time.Now()
	f := &fleet{start: start, registry: registry{digest: imageOld}}
	f.registry.requests.start, f.registry.pulls.start, f.lock.requests.start = start, start, start
	f.lock.slots, f.lock.held = slotsOf(agents), map[*member]int{}
	f.series.counts[old] = agents
	files := update.Files{Root: directory(t)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i := range agents {
		name := fmt.Sprintf("host-%05d", i)
		m := &member{fleet: f, ready: time.Duration(2+i%9) * time.Second, tried: map[string]int{}}
		m.host = fakehost.New(declaration(name), imageOld, m.settings(i < canariesOf(agents)), float64(i)/float64(agents), m)
		f.members = append(f.members, m)
		machine := update.New(name, m.host, files, zap.NewNop())
		running.Go(func() { machine.Run(ctx) })
	}
	f.end = func() {
		cancel()
		running.Wait()
	}
	return f
}

// slotsOf and canariesOf return how many hosts of a fleet may be updated at the same time,
// and how many are its canaries.
func slotsOf(agents int) int    { return max(agents/100, 2) }
func canariesOf(agents int) int { return max(agents/200, 1) }

func (m *member) settings(canary bool) spec.Update {
	wariness := 1.0
	if canary {
		wariness = 0
	}
	settings := specupdate.Defaults(&spec.Update{
		Policy: spec.UpdateRegistry, Check: check, Wariness: &wariness,
		FleetLock: &spec.FleetLock{BaseURL: "https://lock.example", Group: "web"},
	}, nil)
	m.hold = max(settings.FleetLock.HoldAfterFailure, 2*check) // as agent/gate
	return settings
}

func declaration(name string) *spec.Container {
	return &spec.Container{Name: name, Image: image, PullPolicy: spec.PullMissing, Config: &container.Config{}, HostConfig: &container.HostConfig{}}
}

// directory returns a directory in memory if the machine has one: 10,000 hosts write to one
// disk otherwise.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "dockhost-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// until lets time pass until a condition is met, and returns how long that took.
func (f *fleet) until(t *testing.T, what string, within time.Duration, met func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !met() {
		if time.Since(began) > within {
			t.Fatalf("not within %s: %s; hosts: %v", within, what, f.counts())
		}
		time.Sleep(step)
	}
	return time.Since(began)
}

// counts returns how many hosts are in each band.
func (f *fleet) counts() counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.series.counts
}

// tried returns how many hosts have run an image, and how many of them more than once.
func (f *fleet) tried(digest string) (hosts, again int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if m.tried[digest] > 0 {
			hosts++
		}
		if m.tried[digest] > 1 {
			again++
		}
	}
	return hosts, again
}

// since is the time since the fleet was booted.
func (f *fleet) since() time.Duration { return time.Since(f.start) }

// Latest implements [fakehost.World].
func (m *member) Latest(string) (string, error) { return m.fleet.registry.latest() }

// Pull implements [fakehost.World].
func (m *member) Pull(string) error {
	m.fleet.registry.pull()
	return nil
}

// Gate implements [fakehost.World].
func (m *member) Gate() string { return m.fleet.lock.take(m) }

// Passed implements [fakehost.World].
func (m *member) Passed(failed bool) {
	var hold time.Duration
	if failed {
		hold = m.hold
	}
	m.fleet.lock.give(m, hold)
}

// Behave implements [fakehost.World].
func (m *member) Behave(_ *spec.Container, digest string) fakehost.Behavior {
	switch digest {
	case imageExits:
		return fakehost.Behavior{Ready: m.ready, Fails: m.ready + exitsAfter, Why: "exited with 1"}
	case imageHangs:
		return fakehost.Behavior{Ready: -1, Fails: hangsFor, Why: "not ready in time"}
	}
	return fakehost.Behavior{Ready: m.ready}
}

// Replaced implements [fakehost.World].
func (m *member) Replaced(_ *spec.Container, digest string) {
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	if digest == imageOld {
		return // rolled back, which Told says once it is ready
	}
	m.tried[digest]++
	if !m.updating {
		m.updating = true
		m.fleet.updating++
		m.fleet.most = max(m.fleet.most, m.fleet.updating)
	}
	m.enter(trying)
}

// Told implements [fakehost.World].
func (m *member) Told(entry api.HistoryEntry) {
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	if !m.updating {
		return // the first start
	}
	m.updating = false
	m.fleet.updating--
	if entry.Outcome == api.OutcomeConfirmed {
		m.enter(updated)
	} else {
		m.enter(quarantined)
	}
}

// enter changes the band of the host. The caller holds fleet.mu.
func (m *member) enter(b band) {
	m.fleet.series.move(m.fleet.since(), m.state, b)
	m.state = b
}
