package agent

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/systemd"
)

// A unit that does not stop delays nothing: others start, a change is carried out, and
// systemd kills it, or the agent does when something has extended its time.
func TestNobodyWaitsForStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		h.userData("i-1", containers("bad nginx:1"))
		a := h.agent()
		a.takeOver(t.Context()).wait()
		h.units.stubborn["dockhost@bad.service"] = true

		h.userData("i-1", containers("web nginx:1"))
		begun := time.Now()
		a.fetcher.note(a.fetcher.fetch(t.Context()))
		a.reconcile(t.Context())
		if err := a.declare(t.Context(), local("db", "postgres:1")); err != nil {
			t.Fatal(err)
		}
		if err := a.request(t.Context(), change{name: "db"}); err != nil {
			t.Errorf("forget a container while another one stops: %v", err)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("the others waited for %s", took)
		}
		h.wantRunning(map[string]int{"bad": 1, "web": 1})
		h.read("/run/dockhost/containers/bad.json")
		time.Sleep(time.Minute)
		synctest.Wait()
		if kills, _ := h.units.killedUnits("dockhost@bad.service"); kills != 0 {
			t.Error("the unit was killed within its TimeoutStopSec")
		}
		time.Sleep(killDelay)
		synctest.Wait()
		if kills, up := h.units.killedUnits("dockhost@bad.service"); kills != 1 || up {
			t.Errorf("kills = %d, want the unit killed once", kills)
		}
		if names, err := h.units.run.Containers(); err != nil || len(names) != 1 {
			t.Errorf("declarations = %v, %v, want that of web alone", names, err)
		}
		h.stop()
	})
}

// A container that is assigned again while it stops runs again, and keeps its files.
func TestAssignedAgainWhileItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		h.userData("i-1", containers("web nginx:1"))
		a := h.agent()
		a.takeOver(t.Context()).wait()
		h.units.stubborn[webUnit] = true
		h.userData("i-1", containers("db postgres:1"))
		a.fetcher.note(a.fetcher.fetch(t.Context()))
		a.reconcile(t.Context())
		h.userData("i-1", containers("db postgres:1", "web nginx:1"))
		a.takeOver(t.Context()).wait()
		time.Sleep(time.Hour)
		synctest.Wait()
		h.wantRunning(map[string]int{"db": 1, "web": 2})
		if kills, _ := h.units.killedUnits(webUnit); kills != 0 {
			t.Errorf("kills = %d, want none", kills)
		}
		if by := a.store.stop("web"); by != nil {
			t.Errorf("web is stopped by %+v, want it running", by)
		}
		h.read("/run/dockhost/containers/web.json")
	})
}

// What was declared again before it had stopped keeps its volumes.
func TestDeclaredAgainWhileItIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		a := h.agent()
		h.declare(a, local("web", "nginx:1"))
		h.engine.volumes = map[string]string{"web__data": "web"}
		h.units.stubborn[webUnit] = true
		c := change{name: "web", volumes: true, done: make(chan error, 1)}
		a.change(t.Context(), c)
		if err := a.declare(t.Context(), local("web", "nginx:1")); err != nil {
			t.Fatal(err)
		}
		(<-a.finished)()
		if err := <-c.done; !errors.Is(err, errStarted) {
			t.Errorf("forget = %v, want %v", err, errStarted)
		}
		h.wantRunning(map[string]int{"web": 2})
		if len(h.engine.volumes) != 1 {
			t.Errorf("volumes = %v, want it kept", h.engine.volumes)
		}
		h.stop()
	})
}

// Nobody waits until a unit is ready that someone has started while it stopped.
func TestStartedWhileItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const unit = "app.service"
		h := newTestHost(t)
		units := &startedUnits{fakeUnits: h.units}
		stopped := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go func() { stopped <- newRetirer(units, zap.NewNop()).stop(ctx, unit) }()
		synctest.Wait()
		units.starting.Store(true) // systemd's job to start it lasts for minutes
		h.units.notify()
		if err := <-stopped; !errors.Is(err, errStarted) {
			t.Errorf("stop = %v, want %v", err, errStarted)
		}
	})
}

// startedUnits has one unit, which stops until it is started.
type startedUnits struct {
	*fakeUnits
	starting atomic.Bool
}

func (u *startedUnits) BeginStop(context.Context, string) error { return nil }

func (u *startedUnits) Unit(_ context.Context, name string) (systemd.Unit, error) {
	state := "deactivating"
	if u.starting.Load() {
		state = "activating"
	}
	return systemd.Unit{Name: name, ActiveState: state, Job: true}, nil
}

// A container that needs what a stopping one still has waits for its stop; others do not.
func TestNeedsOfStoppingContainer(t *testing.T) {
	const port, volume = "\n      ports: ['80:80']", "\n      volumes: ['/srv:/srv']"
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		h.userData("i-1", containers("web nginx:1"+port+volume, "api nginx:1"))
		a := h.agent(func(o *Options) {
			o.Status = status.Gatherer{Root: h.root, Dir: h.units.run, Engine: infoEngine{}, Units: h.units, Runtime: "dockhost"}
		})
		a.takeOver(t.Context()).wait()
		h.units.stubborn[webUnit] = true

		h.engine.images["nginx:1"] = true
		h.userData("i-1", containers("site nginx:1"+port, "db postgres:1", "api nginx:1"+volume))
		a.fetcher.note(a.fetcher.fetch(t.Context()))
		a.reconcile(t.Context())
		synctest.Wait()
		h.wantRunning(map[string]int{"web": 1, "db": 1, "api": 1})
		if reason := reasonOf(t, a, "site"); reason != "it starts after the stop of web (port 80 of the host can be published once)" {
			t.Errorf("site: %q, want the stop that it waits for", reason)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if running := h.units.running(); running["site"] != 1 || running["web"] != 0 || running["api"] != 2 {
			t.Errorf("running = %v, want site, and api again, once web has been killed", running)
		}
		h.stop()
	})
}

// reasonOf returns why a container is in its state.
func reasonOf(t *testing.T, a *Agent, name string) string {
	t.Helper()
	for _, c := range a.server.hostStatus(t.Context()).Containers {
		if c.Name == name {
			return c.Reason
		}
	}
	return ""
}
