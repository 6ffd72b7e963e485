package agent

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dockhost/dockhost/agent/dropin"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// fakeUnits is a systemd whose services start and stop at once. Their supervisors write
// the state as the real ones do.
type fakeUnits struct {
	run rundir.Dir

	mu     sync.Mutex
	active map[string]bool
	// refused are the units whose last start systemd refused.
	refused map[string]bool
	// failed are the units that have failed. killed are those whose stop fails.
	failed, killed map[string]bool
	// stubborn are the units that do not stop until they are killed, or started again.
	// stopping has since when they stop.
	stubborn map[string]bool
	stopping map[string]time.Time
	starts   map[string]int
	// reloads counts daemon-reloads, signals the signals to supervisors, kills the units that
	// were killed.
	reloads, signals, kills int
	// broken has the errors of containers that fail, by image.
	broken map[string]string
	// system is the state of the system, "" for running.
	system string
	// err is the error of each start and stop.
	err      error
	watchers []chan struct{}
	// asked is called after each answer about a unit is made up, and before it is given.
	asked func()
}

func (f *fakeUnits) Start(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	delete(f.stopping, name)
	f.active[name] = true
	f.starts[name]++
	return f.supervise(name)
}

func (f *fakeUnits) Restart(ctx context.Context, name string) error { return f.Start(ctx, name) }

// Retry starts a unit that does not stop by now.
func (f *fakeUnits) Retry(ctx context.Context, unit systemd.Unit) error {
	f.mu.Lock()
	stopping := !f.stopping[unit.Name].IsZero()
	f.mu.Unlock()
	if stopping {
		return systemd.ErrConflict
	}
	return f.Start(ctx, unit.Name)
}

func (f *fakeUnits) supervise(unit string) error {
	name := strings.TrimSuffix(strings.TrimPrefix(unit, "dockhost@"), ".service")
	c, err := f.run.Container(name)
	if err != nil {
		return err
	}
	defer f.notify()
	state := rundir.State{Phase: "running", Ready: true, ConfigHash: c.Hash(), Image: c.Image}
	if why, isBroken := f.broken[c.Image]; isBroken {
		state.Phase, state.Ready = "pulling", false
		state.LastError = &rundir.Failure{At: time.Now(), Message: why, ConfigHash: c.Hash()}
	}
	return f.run.WriteState(name, state)
}

// BeginStop stops a unit at once, unless it is stubborn.
func (f *fakeUnits) BeginStop(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stubborn[name] && f.active[name] {
		if f.stopping[name].IsZero() {
			f.stopping[name] = time.Now()
		}
		return nil
	}
	return f.stop(name)
}

// Kill ends the stop of a stubborn unit.
func (f *fakeUnits) Kill(_ context.Context, name string, _ syscall.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kills++
	delete(f.stopping, name)
	return f.stop(name)
}

// stop stops a unit. The caller holds mu.
func (f *fakeUnits) stop(name string) error {
	if f.err != nil {
		return f.err
	}
	if f.failed[name] {
		return nil
	}
	if !f.active[name] {
		return systemd.ErrNoUnit
	}
	delete(f.active, name)
	f.failed[name] = f.killed[name]
	f.notify()
	return nil
}

// AskStop knows a stop by a person, unless the unit is up.
func (f *fakeUnits) AskStop(_ context.Context, name, _ string) (systemd.Stop, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stop := systemd.Stop{ActiveState: "inactive", Result: "success", System: "running"}
	if f.active[name] {
		stop.ActiveState = "active"
	}
	if f.system != "" {
		stop.System = f.system
	}
	return stop, nil
}

// systemctlStopsWeb is a stop by a person: the supervisor is asked to stop, and writes that.
func (f *fakeUnits) systemctlStopsWeb() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := f.run.State("web")
	if err != nil {
		return err
	}
	delete(f.active, webUnit)
	state.Phase, state.Ready, state.StopRequested = "ended", false, time.Now()
	defer f.notify()
	return f.run.WriteState("web", state)
}

func (f *fakeUnits) ReloadUnit(context.Context, string) error { return f.err }

// Signal has a supervisor write its state.
func (f *fakeUnits) Signal(_ context.Context, name string, _ syscall.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signals++
	return f.supervise(name)
}

func (f *fakeUnits) ResetFailed(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.failed, name)
	return nil
}

func (f *fakeUnits) Reload(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reloads++
	return nil
}

func (f *fakeUnits) Unit(_ context.Context, name string) (systemd.Unit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := "inactive"
	if f.failed[name] {
		state = "failed"
	}
	if f.active[name] {
		state = "active"
	}
	since := f.stopping[name]
	if !since.IsZero() {
		state = "deactivating"
	}
	if f.asked != nil {
		f.asked()
	}
	container, _ := spec.ContainerName(name)
	return systemd.Unit{Name: name, ActiveState: state, Since: since, TimeoutStop: time.Minute, Job: !since.IsZero(), DropIns: []string{dropin.Path(container)}}, nil
}

func (f *fakeUnits) Refused(_ context.Context, name string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused[name], nil
}

func (f *fakeUnits) Units(context.Context, string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, up := range []map[string]bool{f.active, f.failed} {
		for name, is := range up {
			if is {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// Loaded returns every unit that was ever started. systemd would have unloaded some.
func (f *fakeUnits) Loaded(context.Context, string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.starts)), nil
}

// Credentials returns none: what systemd searches by name is in files.
func (f *fakeUnits) Credentials(context.Context, string) ([]string, error) { return nil, nil }

// Watch reports each start and stop of any unit.
func (f *fakeUnits) Watch(context.Context, string) (<-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	changes := make(chan struct{}, 1)
	f.watchers = append(f.watchers, changes)
	return changes, nil
}

// notify wakes the watchers. The caller holds mu.
func (f *fakeUnits) notify() {
	for _, changes := range f.watchers {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
}

func (f *fakeUnits) Failing(context.Context, func([]string) bool) ([]string, error) { return nil, nil }

func (f *fakeUnits) Version(context.Context) (int, error) { return 257, nil }

// killedUnits returns how many units were killed, and whether one is up.
func (f *fakeUnits) killedUnits(name string) (kills int, up bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kills, f.active[name]
}

// running returns the containers whose units are up, with the number of their starts.
func (f *fakeUnits) running() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]int{}
	for unit := range f.active {
		out[strings.TrimSuffix(strings.TrimPrefix(unit, "dockhost@"), ".service")] = f.starts[unit]
	}
	return out
}
