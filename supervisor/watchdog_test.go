package supervisor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/spec"
)

// fed waits until the watchdog was fed again.
func (l *life) fed() {
	l.t.Helper()
	before := l.notify.count("WATCHDOG")
	l.until("WATCHDOG=1", func() bool { return l.notify.count("WATCHDOG") > before })
}

// starved waits until the container counts as ill, and checks that the watchdog is
// not fed any more.
func (l *life) starved(why string) {
	l.t.Helper()
	want := "STATUS running app:1, but " + why
	l.until(want, func() bool { return l.notify.count(want) > 0 })
	before := l.notify.count("WATCHDOG")
	<-time.After(5 * l.watchdog)
	if after := l.notify.count("WATCHDOG"); after != before {
		l.t.Errorf("the watchdog was fed %d times for an ill container", after-before)
	}
}

// The watchdog is not fed while the health check fails.
func TestWatchdogByHealth(t *testing.T) {
	for _, notify := range []spec.Notify{spec.NotifyStarted, spec.NotifyHealthy} {
		t.Run(string(notify), func(t *testing.T) {
			r := newRig(t)
			r.spec.Notify, r.watchdog = notify, 20*time.Millisecond
			health := make(chan container.HealthStatus)
			r.program(controlled(health, nil))
			l := r.start()
			if notify == spec.NotifyHealthy {
				l.until("unready", func() bool { return r.notify.count("STATUS running, waiting") > 0 })
				<-time.After(5 * r.watchdog)
				if n := r.notify.count("WATCHDOG"); n != 0 {
					t.Errorf("the watchdog was fed %d times before the container was ready", n)
				}
				health <- container.Healthy
			}
			l.ready()
			l.fed()
			health <- container.Unhealthy
			l.starved("its health check fails")
			health <- container.Healthy
			l.fed()
			l.until("that all is well", func() bool {
				return lastOf(r.notify.without("WATCHDOG")) == "STATUS running app:1"
			})
			l.stop()
			l.ends(0, "")
		})
	}
}

// A probe is repeated only if the unit has a watchdog.
func TestWatchdogByProbe(t *testing.T) {
	var sick atomic.Bool
	var asked atomic.Int64
	port := web(t, false, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r := probing(t, "http://:"+port)
	r.watchdog = 200 * time.Millisecond
	l := r.start()
	l.ready()
	l.fed()
	sick.Store(true)
	l.starved("503 Service Unavailable")
	sick.Store(false)
	l.fed()
	l.stop()
	l.ends(0, "")

	asked.Store(0)
	r.watchdog = 0
	l = r.start()
	l.until("READY=1 again", func() bool { return r.notify.count("READY") == 2 })
	<-time.After(300 * time.Millisecond)
	if n := asked.Load(); n != 1 {
		t.Errorf("the container was probed %d times, want once", n)
	}
	l.stop()
	l.ends(0, "")
}

// Without a watchdog nothing is fed.
func TestNoWatchdog(t *testing.T) {
	r := newRig(t)
	health := make(chan container.HealthStatus)
	r.program(controlled(health, nil))
	l := r.start()
	l.ready()
	health <- container.Unhealthy
	l.until("unhealthy", func() bool { return r.notify.count("STATUS running app:1, unhealthy") > 0 })
	r.server.Pause("app", true)
	health <- container.Healthy
	l.until("healthy", func() bool { return r.notify.count("STATUS running app:1, healthy") > 0 })
	if n := r.notify.count("WATCHDOG"); n != 0 {
		t.Errorf("the watchdog was fed %d times in a unit without one", n)
	}
	l.stop()
	l.ends(0, "")
}

// The watchdog is fed while someone has paused the container.
func TestWatchdogWhilePaused(t *testing.T) {
	r := newRig(t)
	r.watchdog = 20 * time.Millisecond
	health := make(chan container.HealthStatus)
	r.program(controlled(health, nil))
	l := r.start()
	l.ready()
	health <- container.Unhealthy
	l.starved("its health check fails")
	r.server.Pause("app", true)
	l.fed()
	l.fed()
	r.server.Pause("app", false)
	l.until("no more", func() bool {
		before := r.notify.count("WATCHDOG")
		<-time.After(5 * r.watchdog)
		return r.notify.count("WATCHDOG") == before
	})
	l.stop()
	l.ends(0, "")
}

// The watchdog is fed while Docker is away.
func TestWatchdogWhileDockerIsAway(t *testing.T) {
	r := newRig(t)
	r.watchdog = 20 * time.Millisecond
	l := r.start()
	l.ready()
	r.server.Down()
	l.until("that Docker is away", func() bool { return r.notify.count("STATUS running, but Docker does not answer") > 0 })
	l.fed()
	l.fed()
	r.server.Up()
	l.until("that all is well", func() bool {
		return lastOf(r.notify.without("WATCHDOG")) == "STATUS running app:1"
	})
	l.stop()
	l.ends(0, "")
}

// The watchdog ends a unit by SIGABRT: the container is stopped, and the reason is
// recorded.
func TestWatchdogExpires(t *testing.T) {
	r := newRig(t)
	r.watchdog, r.units.activeState, r.units.subState = time.Minute, "deactivating", "stop-watchdog"
	l := r.start()
	l.ready()
	r.signals <- syscall.SIGUSR2 // whatever WatchdogSignal= says
	<-l.done
	l.ends(0, "")
	if last := l.state().LastError; last == nil || !strings.Contains(last.Message, "systemd's watchdog ended the container: it gave no sign of life within 1m0s") {
		t.Errorf("last error = %+v, want the watchdog", last)
	}
}

// A container that is being stopped is not ill when its check fails.
func TestWatchdogDuringStop(t *testing.T) {
	for during, want := range map[phase]error{phaseRunning: errUnhealthy, phaseStopping: nil} {
		report := newRig(t).reporterIn(during, "")
		w := &watchdog{interval: time.Minute, report: report, log: zap.NewNop()}
		w.changed(errUnhealthy)
		if !errors.Is(report.condition.ill, want) {
			t.Errorf("%s: ill = %v, want %v", during, report.condition.ill, want)
		}
	}
}

// The watchdog is fed at half its interval, and an ill container is checked more
// often.
func TestFeedInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 80 * time.Second
		notify := &fakeNotifier{}
		report := &reporter{notify: notify, becameReady: make(chan struct{}), life: &lifecycle{phase: phaseUnready}}
		w := &watchdog{interval: interval, report: report, inbox: &inbox{calls: make(chan func())}, log: zap.NewNop()}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for {
				select {
				case call := <-w.inbox.calls:
					call()
				case <-ctx.Done():
					return
				}
			}
		}()
		var checks atomic.Int64
		var ill atomic.Bool
		w.feedWhile(ctx, func(context.Context) error {
			checks.Add(1)
			if ill.Load() {
				return errUnhealthy
			}
			return nil
		})
		time.Sleep(interval)
		if n := checks.Load(); n != 0 {
			t.Errorf("%d checks before the container was ready, want none", n)
		}
		close(report.becameReady)
		time.Sleep(2*interval + time.Second)
		if n := notify.count("WATCHDOG"); n != 4 {
			t.Errorf("the watchdog was fed %d times in two intervals, want 4", n)
		}
		ill.Store(true)
		time.Sleep(interval) // a check after half of it, and then every tenth second
		if n := checks.Load(); n != 4+5 {
			t.Errorf("%d checks, want 9: more often while the container is ill", n)
		}
		if n := notify.count("WATCHDOG"); n != 4 {
			t.Errorf("the watchdog was fed %d times, want 4: not while the container is ill", n)
		}
	})
}

// A container sets the watchdog of a unit that has none. It is fed while someone has paused
// the container, and what it ends is told with the container's own limit.
func TestContainerSetsWatchdog(t *testing.T) {
	r := newRig(t)
	app := newAppSays(r)
	r.units.activeState, r.units.subState = "deactivating", "stop-watchdog"
	l := r.start()
	app.states <- "READY=1\nWATCHDOG_USEC=1000000"
	l.ready()
	l.until("its limit", func() bool { return r.notify.count("PASS WATCHDOG_USEC=1000000") == 1 })
	r.server.Pause("app", true)
	l.fed()
	l.fed()
	r.server.Pause("app", false)
	r.signals <- syscall.SIGUSR2
	<-l.done
	l.ends(0, "")
	if last := l.state().LastError; last == nil || !strings.Contains(last.Message, "it gave no sign of life within 1s") {
		t.Errorf("last error = %+v, want the container's own limit", last)
	}
}
