package supervisor

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// With live-restore the container outlives Docker, and the supervisor follows it
// again.
func TestDockerRestarts(t *testing.T) {
	r := newRig(t)
	lines := make(chan string)
	r.program(controlled(nil, lines))
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
			return lastOf(r.notify.all()) == "STATUS running app:1"
		})
		l.until("the container's output", func() bool {
			before := len(r.stdout.String())
			lines <- "after"
			<-time.After(5 * time.Millisecond)
			return len(r.stdout.String()) > before
		})
	}
	if got := r.notify.count("READY"); got != 1 {
		t.Errorf("systemd was sent READY=1 %d times, want once:\n%s", got, r.notify)
	}
	lines <- ""
	l.ends(7, "exit code 7")
}

// awayRun is a container that runs while Docker is away.
type awayRun struct {
	*life
	health chan container.HealthStatus
	lines  chan string
}

// startAway starts a container and then stops Docker. setUp is nil for none.
func startAway(t *testing.T, setUp func(r *rig)) awayRun {
	t.Helper()
	r := newRig(t)
	health, lines := make(chan container.HealthStatus), make(chan string)
	r.program(controlled(health, lines))
	if setUp != nil {
		setUp(r)
	}
	l := r.start()
	l.until("that it runs", func() bool { return r.notify.count("READY")+r.notify.count("STATUS running, waiting") > 0 })
	r.server.Down()
	l.until("that Docker is away", func() bool { return r.notify.count("STATUS running, but Docker does not answer") > 0 })
	return awayRun{life: l, health: health, lines: lines}
}

func TestHealthyWhileDockerIsAway(t *testing.T) {
	l := startAway(t, func(r *rig) { r.spec.Notify = spec.NotifyHealthy })
	l.health <- container.Healthy
	l.server.Up()
	l.ready()
	l.stop()
	l.ends(0, "")
}

func TestEndWhileDockerIsAway(t *testing.T) {
	l := startAway(t, nil)
	l.lines <- ""
	l.server.Up()
	l.ends(7, "container ended with exit code 7")
	l.blames(true)
}

// Without live-restore Docker stops its containers with itself.
func TestTakenAlongByDocker(t *testing.T) {
	l := startAway(t, func(r *rig) { r.server.LiveRestore(false) })
	l.lines <- ""
	l.server.Up()
	l.ends(7, "docker stopped and took the container along")
	l.blames(false)
}

// Docker comes back and goes away at once, before the container is followed.
func TestDockerComesBackBriefly(t *testing.T) {
	l := startAway(t, nil)
	l.server.FailOutput(1)
	l.server.Up()
	l.until("the container's output", func() bool {
		l.lines <- "after"
		return strings.Contains(l.stdout.String(), "after")
	})
	l.stop()
	l.ends(0, "")
}

func TestRemovedWhileDockerIsAway(t *testing.T) {
	l := startAway(t, nil)
	_ = l.process.Kill()
	_, _ = l.process.Wait()
	l.server.Forget("app")
	l.server.Up()
	l.ends(ExitNotRun, "container was removed")
	l.blames(false)
}

// A Docker that starts on a full disk forgets containers that run: they are started again.
func TestForgottenWhileDockerIsAway(t *testing.T) {
	for name, forget := range map[string]func(*enginetest.Server, string){"listed no more": (*enginetest.Server).Unlist, "known no more": (*enginetest.Server).Forget} {
		t.Run(name, func(t *testing.T) {
			l := startAway(t, nil)
			forget(l.server, "app")
			l.server.Up()
			l.ends(1, "docker has forgotten the container while it ran")
			l.blames(false)
			if state, err := l.process.Wait(); err != nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
				t.Errorf("Wait() = %v, %v, want it ended by its stop signal", state, err)
			}
		})
	}
}

// The process ends, and Docker does not come back to say how.
func TestEndWithoutDocker(t *testing.T) {
	l := startAway(t, func(r *rig) { r.codeTimeout = 100 * time.Millisecond })
	_ = l.process.Kill()
	l.exits(ExitNotRun, "did not say how")
	l.blames(false)
	if n := l.notify.count("STATUS container has ended; waiting for Docker to say how"); n != 1 {
		t.Errorf("systemd was sent %d times that the container has ended, want once:\n%s", n, l.notify)
	}
	l.server.Up()
}

// The supervisor sends the stop signal itself.
func TestStopWithoutDocker(t *testing.T) {
	l := startAway(t, nil)
	l.stop()
	l.exits(0, "")
	if state, err := l.process.Wait(); err != nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("Wait() = %v, %v, want it ended by its stop signal", state, err)
	}
	l.server.Up()
}

// The supervisor kills a container that ignores its stop signal.
func TestStopWithoutDockerKills(t *testing.T) {
	l := startAway(t, func(r *rig) {
		r.runs("trap '' QUIT; echo; while :; do read -t 1; done")
		r.program(controlled(nil, nil))
		grace := 1
		r.spec.Config.StopSignal, r.spec.Config.StopTimeout = "quit", &grace
	})
	l.stop()
	l.exits(exitKilled, "did not end on its stop signal and was killed")
	l.blames(false)
	l.server.Up()
}

func TestStopAsDockerComesBack(t *testing.T) {
	l := startAway(t, nil)
	// The pauses between the questions grow: Docker comes back in a long one.
	l.until("a long pause", func() bool { return l.notify.count("STATUS running, but Docker does not answer") > 4 })
	l.server.Up()
	l.stop()
	l.ends(0, "")
}

// down stops Docker and waits until the supervisor has noticed it.
func (l *life) down() {
	l.t.Helper()
	l.server.Down()
	l.until("that Docker is away", func() bool { return strings.Contains(lastOf(l.notify.all()), "Docker") })
}

// up starts Docker and waits until the supervisor has noticed it.
func (l *life) up() {
	l.t.Helper()
	l.server.Up()
	l.until("that Docker is back", func() bool { return !strings.Contains(lastOf(l.notify.all()), "Docker") })
}
