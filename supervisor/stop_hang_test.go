package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// endedBy waits until the container's process has ended, and checks which signal ended it.
func (r *rig) endedBy(want syscall.Signal) {
	r.t.Helper()
	state, err := r.process.Wait()
	if err != nil {
		r.t.Fatal(err)
	}
	if status := state.Sys().(syscall.WaitStatus); status.Signal() != want {
		r.t.Errorf("the container's process ended by %v, want %v", status, want)
	}
}

// A Docker that hangs during a stop does not keep the container from its stop signal. The
// next start removes what is left.
func TestStopWhileDockerHangs(t *testing.T) {
	const (
		dockerd    = ""           // answers nothing
		containerd = "containerd" // dockerd answers what needs no containerd
	)
	tests := []struct {
		name, hangs string
		setUp       func(r *rig)
		// signal ended the container, which is killed when it ignores its own.
		signal syscall.Signal
		code   int
	}{
		{"dockerd", dockerd, nil, syscall.SIGTERM, 0},
		{"containerd", containerd, nil, syscall.SIGTERM, 0},
		{"own stop signal", containerd, func(r *rig) { r.spec.Config.StopSignal = "SIGUSR2" }, syscall.SIGUSR2, 0},
		{"signal ignored", containerd, func(r *rig) { r.runs("trap '' TERM; echo; while :; do read -t 1; done") }, syscall.SIGKILL, exitKilled},
		{"pre_stop, dockerd", dockerd, func(r *rig) { r.spec.PreStop = []spec.Hook{{Command: []string{"/app", "-check"}}} }, syscall.SIGTERM, 0},
		{"pre_stop, containerd", containerd, func(r *rig) { r.spec.PreStop = []spec.Hook{{Command: []string{"/app", "-check"}}} }, syscall.SIGTERM, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			grace := 1
			r.spec.Config.StopTimeout, r.units.timeoutStop = &grace, 5*time.Second
			if test.setUp != nil {
				test.setUp(r)
			}
			l := r.start()
			l.ready()
			if test.hangs == dockerd {
				r.server.Hang()
			} else {
				r.server.Hang("/stop", "/start", "/containers/"+l.state().ContainerID)
			}
			l.stop()
			problem := ""
			if test.code != 0 {
				problem = "did not end on its stop signal and was killed"
			}
			l.exits(test.code, problem)
			r.endedBy(test.signal)
			r.server.Continue()
			r.runs("echo; exec sleep infinity")
			next := r.start()
			next.until("the next start", func() bool { return r.notify.count("READY") == 2 })
			next.stop()
			next.ends(0, "")
		})
	}
}

// A Docker that hangs at the end, after the container has ended, does not keep the
// supervisor.
func TestRemovalHangs(t *testing.T) {
	r := newRig(t)
	r.units.timeoutStop = 3 * time.Second
	l := r.start()
	l.ready()
	id := l.state().ContainerID
	r.server.Hang("/containers/" + id)
	l.stop()
	l.exits(0, "")
	if placed, _ := os.ReadDir(l.dir.RuntimeDir()); len(placed) != 1 {
		t.Errorf("placements = %v, want the container's, by which the next start finds it", placed)
	}
}

// A stop while Docker hangs in a request before the container runs ends the supervisor
// in time.
func TestStopBeforeStartWhileDockerHangs(t *testing.T) {
	for _, path := range []string{"/json", "/create", "/attach", "/wait", "/events", "/start"} {
		t.Run(strings.TrimPrefix(path, "/"), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.units.timeoutStop = time.Second
			if path == "/json" {
				r.spec.HostConfig.VolumesFrom = []string{"other"}
				other := engine.CreateRequest{Name: "other", Config: r.spec.Config, HostConfig: &container.HostConfig{}}
				if _, _, err := r.engine().Create(t.Context(), other); err != nil {
					t.Fatal(err)
				}
				path = "/other/json"
			}
			r.server.Hang(path)
			l := r.start()
			l.until("that Docker hangs", r.server.Hangs)
			l.stop()
			l.exits(0, "")
		})
	}
}

// The end of a process whose exit Docker does not report ends a stop.
func TestStopWithoutExit(t *testing.T) {
	r := newRig(t)
	r.command("-ignore-sigterm")
	r.units.timeoutStop = 4 * time.Second
	l := r.start()
	l.ready()
	l.stop()
	l.until("the stop signal", func() bool { return strings.Contains(r.stderr.String(), "ignoring SIGTERM") })
	if err := r.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	l.exits(0, "")
}

// Docker sends the stop signal and goes away: the signal is not sent twice.
func TestStopSignalIsSentOnce(t *testing.T) {
	r := newRig(t)
	r.command("-ignore-sigterm")
	got := filepath.Join(t.TempDir(), "got")
	r.runs("trap 'echo >>" + got + "' TERM; echo; while :; do read -t 1; done")
	grace := 1
	r.spec.Config.StopTimeout = &grace
	l := r.start()
	l.ready()
	l.stop()
	l.until("the stop signal", func() bool { return strings.Contains(r.stderr.String(), "ignoring SIGTERM") })
	r.server.Down()
	l.exits(exitKilled, "was killed")
	r.server.Up()
	if _, err := os.Stat(got); err == nil {
		t.Error("the container got the stop signal again")
	}
}

// Docker sends the stop signal and then hangs: the supervisor kills the container after its
// grace period.
func TestDockerHangsAfterStopSignal(t *testing.T) {
	r := newRig(t)
	r.command("-ignore-sigterm")
	grace := 0
	r.spec.Config.StopTimeout, r.units.timeoutStop = &grace, 4*time.Second
	l := r.start()
	l.ready()
	r.server.Hang("/stop", "/containers/"+l.state().ContainerID)
	l.stop()
	l.until("that Docker hangs", r.server.Hangs)
	r.server.Kill("app", syscall.SIGTERM)
	l.exits(exitKilled, "was killed")
	r.endedBy(syscall.SIGKILL)
}
