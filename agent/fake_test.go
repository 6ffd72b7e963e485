package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
)

// fakeEngine has images, and a registry from which it can pull others.
type fakeEngine struct {
	mu       sync.Mutex
	images   map[string]bool
	registry map[string]bool
	runtimes map[string]string
	// volumes are the containers for which they were made, by name.
	volumes map[string]string
	// platforms has the platforms of images.
	platforms map[string]string
	down      bool
	// networks has the labels of the networks.
	networks map[string]map[string]string
	// containers are the containers, by id.
	containers map[string]engine.Container
}

func (f *fakeEngine) Network(_ context.Context, name string) (engine.Network, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	labels, exists := f.networks[name]
	if !exists {
		return engine.Network{}, fmt.Errorf("inspect network %q: %w", name, engine.ErrNotFound)
	}
	return engine.Network{Name: name, Labels: labels}, nil
}

func (f *fakeEngine) Volume(_ context.Context, name string) (engine.Volume, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, exists := f.volumes[name]; !exists {
		return engine.Volume{}, fmt.Errorf("inspect volume %q: %w", name, engine.ErrNotFound)
	}
	return engine.Volume{Name: name}, nil
}

func (f *fakeEngine) NetworksByLabel(_ context.Context, label string) ([]engine.Network, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var networks []engine.Network
	for name, labels := range f.networks {
		if _, has := labels[label]; has {
			networks = append(networks, engine.Network{Name: name, Labels: labels})
		}
	}
	return networks, nil
}

func (f *fakeEngine) RemoveUnusedNetwork(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.networks, name)
	return nil
}

func (f *fakeEngine) Image(_ context.Context, ref string) (engine.Image, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.images[ref] {
		return engine.Image{}, fmt.Errorf("inspect image %q: %w", ref, engine.ErrNotFound)
	}
	return engine.Image{ID: ref, Platform: f.platforms[ref]}, nil
}

func (f *fakeEngine) ImageOf(ctx context.Context, name, _ string) (engine.Image, error) {
	return f.Image(ctx, name)
}

func (f *fakeEngine) Exec(context.Context, string, []string, io.Writer) (int, error) { return 0, nil }

func (f *fakeEngine) Tag(context.Context, string, string) error { return nil }

func (f *fakeEngine) Pull(_ context.Context, req engine.PullRequest, progress func(engine.Progress)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	progress(engine.Progress{Layers: 1})
	if !f.registry[req.Ref] {
		return errors.New("manifest unknown")
	}
	f.images[req.Ref] = true
	return nil
}

func (f *fakeEngine) Runtimes(context.Context) (map[string]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.runtimes), nil
}

func (f *fakeEngine) Ping(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return engine.ErrUnreachable
	}
	return nil
}

func (f *fakeEngine) Host() string { return "unix:///fake" }

func (f *fakeEngine) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// fakeNotify keeps the last status line.
type fakeNotify struct {
	mu   sync.Mutex
	text string
}

func (f *fakeNotify) Ready(status string)     { f.Status(status) }
func (f *fakeNotify) Reloading(status string) { f.Status(status) }
func (f *fakeNotify) Stopping(status string)  { f.Status(status) }
func (f *fakeNotify) Status(status string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = status
}

func (f *fakeNotify) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text
}

// testHost is a host with an agent on it.
type testHost struct {
	*testing.T

	root   string
	units  *fakeUnits
	engine *fakeEngine
	notify *fakeNotify
	// running are the agents that were started on the host.
	running []*Agent
}

func newTestHost(t *testing.T) *testHost {
	t.Helper()
	root := t.TempDir()
	h := &testHost{
		T: t, root: root,
		units: &fakeUnits{
			run: rundir.Dir(filepath.Join(root, rundir.Path)), active: map[string]bool{}, starts: map[string]int{},
			failed: map[string]bool{}, killed: map[string]bool{}, stubborn: map[string]bool{}, stopping: map[string]time.Time{},
		},
		engine: &fakeEngine{
			images: map[string]bool{}, registry: map[string]bool{}, runtimes: map[string]string{"dockhost": "/x"},
		},
		notify: &fakeNotify{},
	}
	h.write("/etc/machine-id", "machine-one\n")
	return h
}

// agent returns another agent on the host, as after a restart, with changed
// options.
func (h *testHost) agent(changes ...func(*Options)) *Agent {
	o := Options{
		Root: h.root, Engine: h.engine, Units: h.units, Notify: h.notify, Log: zaptest.NewLogger(h.T), Find: datasource.Find,
	}
	for _, change := range changes {
		change(&o)
	}
	h.stop()
	a := New(o)
	h.running = append(h.running, a)
	h.Cleanup(h.stop)
	return a
}

// stop ends the agents on the host.
func (h *testHost) stop() {
	for _, a := range h.running {
		a.updates.stop()
	}
}

// takeOver reads everything that is declared, and reconciles.
func (a *Agent) takeOver(ctx context.Context) *updates {
	a.config.read()
	a.fetcher.note(a.fetcher.fetch(ctx))
	a.reconcile(ctx)
	a.units.retirer.settle(ctx, time.Minute)
	return a.updates
}

// request carries out a change, and returns its outcome.
func (a *Agent) request(ctx context.Context, c change) error {
	c.done = make(chan error, 1)
	a.change(ctx, c)
	for {
		select {
		case finish := <-a.finished:
			finish()
		case err := <-c.done:
			return err
		}
	}
}

// wait stops the machines once no declaration is about to be put in force any more.
func (u *updates) wait() {
	for range 2000 {
		busy := false
		for name, view := range u.views() {
			u.mu.Lock()
			isStopped := true
			if r := u.machines[name]; r != nil && r.done != nil {
				select {
				case <-r.done:
				default:
					isStopped = false
				}
			}
			u.mu.Unlock()
			_, declared := u.machines[name].host.InForce()
			busy = busy || !isStopped && (view.Pending != nil && view.Pending.Doing != update.DoingQuarantined || declared != nil && view.Pending == nil)
		}
		if !busy {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	u.stop()
}

func (h *testHost) write(path, text string) {
	h.Helper()
	path = filepath.Join(h.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.Fatal(err)
	}
}

const seedDir = "/var/lib/cloud/seed/nocloud"

func (h *testHost) userData(instance, section string) {
	h.Helper()
	h.write(seedDir+"/meta-data", "instance-id: "+instance+"\n")
	h.write(seedDir+"/user-data", "#cloud-config\n"+section)
}

// VolumesByLabel returns the volumes of a container.
func (f *fakeEngine) VolumesByLabel(_ context.Context, label, container string) ([]engine.Volume, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var volumes []engine.Volume
	for _, name := range slices.Sorted(maps.Keys(f.volumes)) {
		if f.volumes[name] == container {
			volumes = append(volumes, engine.Volume{Name: name, Labels: map[string]string{label: container}})
		}
	}
	return volumes, nil
}

func (f *fakeEngine) RemoveVolume(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, exists := f.volumes[name]; !exists {
		return fmt.Errorf("remove volume %q: %w", name, engine.ErrNotFound)
	}
	delete(f.volumes, name)
	return nil
}
