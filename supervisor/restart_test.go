package supervisor

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/spec"
)

// After docker restart the container runs in its unit, and the unit continues.
func TestDockerRestart(t *testing.T) {
	r := newRig(t)
	lines := make(chan string)
	r.program(controlled(nil, lines))
	l := r.start()
	for n := range 3 {
		l.until("READY=1", func() bool { return r.notify.count("READY") == n+1 })
		l.until("the container's output", func() bool {
			before := len(r.stdout.String())
			lines <- "line"
			<-time.After(5 * time.Millisecond)
			return len(r.stdout.String()) > before
		})
		r.server.Restart("app")
	}
	l.until("READY=1", func() bool { return r.notify.count("READY") == 4 })
	if n := r.notify.count("STOPPING"); n != 0 {
		t.Errorf("the unit was stopped by a docker restart:\n%s", r.notify)
	}
	lines <- ""
	l.ends(7, "exit code 7")
}

// A restarted container has to become healthy again.
func TestDockerRestartUnready(t *testing.T) {
	r := newRig(t)
	r.spec.Notify = spec.NotifyHealthy
	health := make(chan container.HealthStatus)
	r.program(controlled(health, nil))
	l := r.start()
	health <- container.Healthy
	l.ready()
	r.server.Restart("app")
	l.until("unready", func() bool { return l.state().Phase == string(phaseUnready) && !l.state().Ready })
	health <- container.Healthy
	l.until("ready again", func() bool { return r.notify.count("READY") == 2 })
	l.stop()
	l.ends(0, "")
}

// A restarted container must be born in the unit, too.
func TestDockerRestartElsewhere(t *testing.T) {
	r := newRig(t)
	l := r.start()
	l.ready()
	r.bornIn("/docker/0123")
	r.server.Restart("app")
	l.ends(ExitNotRun, `container was born in cgroup "/docker/0123"`)
}
