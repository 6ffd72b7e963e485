package supervisor

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// told is a program whose health is what it is told, and that writes what it
// is told; it ends with 0 when a signal comes and with 7 when it is told "".
func told(health <-chan container.HealthStatus, lines <-chan string) func(context.Context, *enginetest.Process) int {
	return func(ctx context.Context, p *enginetest.Process) int {
		for {
			select {
			case status := <-health:
				p.Health(status, "")
			case line := <-lines:
				if line == "" {
					return 7
				}
				_, _ = p.Stdout.Write([]byte(line + "\n"))
			case <-p.Signals:
				return 0
			case <-ctx.Done():
				return 0
			}
		}
	}
}

// A container that is to be healthy is ready no sooner, and stays so.
func TestHealthy(t *testing.T) {
	r := newRig(t)
	r.spec.Notify, r.units.timeoutStart = spec.NotifyHealthy, 90*time.Second
	health := make(chan container.HealthStatus)
	r.program(told(health, nil))
	l := r.start()
	const unready = "STATUS running, waiting for its health check to pass"
	l.until(unready, func() bool { return r.notify.count(unready) > 0 })
	health <- container.Unhealthy
	// What comes after the second unhealthy was told of comes after the first.
	l.until("the unit's whole start timeout", func() bool { return r.notify.count("EXTEND 1m30s") == 1 })
	if state := l.state(); r.notify.count("READY") != 0 || state.Ready || state.Phase != string(phaseUnready) {
		t.Errorf("state = %+v of what is not healthy yet; systemd was told:\n%s", state, r.notify)
	}
	health <- container.Healthy
	l.ready()
	health <- container.Unhealthy
	l.until("unhealthy", func() bool { return r.notify.count("STATUS running app:1, unhealthy") == 1 })
	health <- container.Healthy
	l.until("healthy", func() bool { return r.notify.count("STATUS running app:1, healthy") == 1 })
	if got := r.notify.count("READY"); got != 1 {
		t.Errorf("systemd was told %d times that it is ready, want once:\n%s", got, r.notify)
	}
	l.stop()
	l.ends(0, "")
}

// With live-restore the container outlives Docker, and the supervisor follows
// it again.
func TestDockerRestarts(t *testing.T) {
	r := newRig(t)
	lines := make(chan string)
	r.program(told(nil, lines))
	l := r.start()
	l.ready()
	lines <- "before"
	l.until("before", func() bool { return strings.Contains(r.stdout.String(), "before\n") })
	for range 2 {
		restarts := r.notify.count("STATUS running, but Docker does not answer")
		r.server.Down()
		l.until("that Docker is away", func() bool { return r.notify.count("STATUS running, but Docker does not answer") > restarts })
		r.server.Up()
		l.until("that all is well", func() bool {
			told := r.notify.all()
			return told[len(told)-1] == "STATUS running app:1"
		})
		l.until("the container's output", func() bool {
			before := len(r.stdout.String())
			lines <- "after"
			<-time.After(5 * time.Millisecond)
			return len(r.stdout.String()) > before
		})
	}
	if got := r.notify.count("READY"); got != 1 {
		t.Errorf("systemd was told %d times that it is ready, want once:\n%s", got, r.notify)
	}
	lines <- ""
	l.ends(7, "exit code 7")
}

// What happens to a container while Docker is away.
func TestWhileDockerIsAway(t *testing.T) {
	away := func(t *testing.T, setUp func(r *rig)) (*life, chan container.HealthStatus, chan string) {
		t.Helper()
		r := newRig(t)
		health, lines := make(chan container.HealthStatus), make(chan string)
		r.program(told(health, lines))
		setUp(r)
		l := r.start()
		const unready = "STATUS running, waiting"
		l.until("that it runs", func() bool { return r.notify.count("READY")+r.notify.count(unready) > 0 })
		r.server.Down()
		l.until("that Docker is away", func() bool { return r.notify.count("STATUS running, but Docker does not answer") > 0 })
		return l, health, lines
	}
	t.Run("it becomes healthy", func(t *testing.T) {
		l, health, _ := away(t, func(r *rig) { r.spec.Notify = spec.NotifyHealthy })
		health <- container.Healthy
		l.server.Up()
		l.ready()
		l.stop()
		l.ends(0, "")
	})
	t.Run("it ends", func(t *testing.T) {
		l, _, lines := away(t, func(*rig) {})
		lines <- ""
		l.server.Up()
		l.ends(7, "container ended with exit code 7")
	})
	t.Run("it is taken along", func(t *testing.T) {
		l, _, lines := away(t, func(r *rig) { r.server.LiveRestore(false) })
		lines <- ""
		l.server.Up()
		l.ends(7, "docker stopped and took the container along")
	})
	t.Run("it comes back and goes at once", func(t *testing.T) {
		l, _, lines := away(t, func(*rig) {})
		l.server.FailOutput(1)
		l.server.Up()
		l.until("the container's output", func() bool {
			lines <- "after"
			return strings.Contains(l.stdout.String(), "after")
		})
		l.stop()
		l.ends(0, "")
	})
	t.Run("it is removed", func(t *testing.T) {
		l, _, _ := away(t, func(*rig) {})
		l.server.Forget("app")
		l.server.Up()
		l.ends(ExitNotRun, "container was removed")
	})
	t.Run("it is gone with Docker", func(t *testing.T) {
		l, _, _ := away(t, func(r *rig) { r.codeTimeout = 100 * time.Millisecond })
		_ = l.process.Kill()
		l.exits(ExitNotRun, "did not say how")
		if n := l.notify.count("STATUS container has ended; waiting for Docker to say how"); n != 1 {
			t.Errorf("systemd was told %d times, want once, that it has ended:\n%s", n, l.notify)
		}
		l.server.Up()
	})
	t.Run("a stop is asked for", func(t *testing.T) {
		l, _, _ := away(t, func(*rig) {})
		l.stop()
		l.exits(0, "")
		if state, err := l.process.Wait(); err != nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
			t.Errorf("Wait() = %v, %v, want it ended by its stop signal", state, err)
		}
		l.server.Up()
	})
	t.Run("a stop is asked for that it ignores", func(t *testing.T) {
		l, _, _ := away(t, func(r *rig) {
			r.runs("trap '' QUIT; echo; while :; do read -t 1; done")
			image := r.app()
			image.Run = told(nil, nil)
			r.server.AddImage("app:1", image)
			grace := 1
			r.spec.Config.StopSignal, r.spec.Config.StopTimeout = "quit", &grace
		})
		l.stop()
		l.exits(exitKilled, "did not end on its stop signal and was killed")
		l.server.Up()
	})
	t.Run("a stop is asked for as it comes back", func(t *testing.T) {
		l, _, _ := away(t, func(*rig) {})
		// The waits between the questions grow: in a long one Docker comes back.
		l.until("a long wait", func() bool { return l.notify.count("STATUS running, but Docker does not answer") > 4 })
		l.server.Up()
		l.stop()
		l.ends(0, "")
	})
}
