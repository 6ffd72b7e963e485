package supervisor

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// A container that has to be pulled lives and ends: systemd hears of each
// step, and once that it is ready.
func TestRun(t *testing.T) {
	r := newRig(t)
	r.spec.Image, r.spec.Config.Image = "app:2", "app:2"
	image := r.app()
	image.Healthcheck = false
	r.server.Publish("app:2", image)
	r.command("-log-rate", "100", "-exit-after", "300ms")
	l := r.start()
	l.ready()
	state := l.state()
	if !state.Ready || state.ContainerID == "" || !strings.HasPrefix(state.Digest, "sha256:") || state.Image != "app:2" || state.ConfigHash != r.spec.Hash() {
		t.Errorf("state = %+v, want it ready", state)
	}
	l.ends(0, "")
	want := []string{
		"STATUS pulling app:2", "STATUS pulling app:2", "STATUS pulling app:2: 0 of 1 layers", "STATUS pulling app:2: 1 of 2 layers",
		"STATUS pulling app:2: 1 of 2 layers, 10B of 100B", "STATUS pulling app:2: 1 of 2 layers, 100B of 100B, unpacking",
		"STATUS pulling app:2: 2 of 2 layers", "STATUS pulling app:2: 2 of 2 layers",
		"STATUS creating app:2", "STATUS starting app:2", "READY running app:2", "STATUS ended",
	}
	if diff := cmp.Diff(want, r.notify.without("EXTEND")); diff != "" {
		t.Errorf("systemd was told (-want +got):\n%s", diff)
	}
	if r.notify.count("EXTEND") < 2 {
		t.Errorf("systemd was told, want the start timeout pushed out for the pull:\n%s", r.notify)
	}
	if got := r.stdout.String(); !strings.HasPrefix(got, "line 1 of the test application\nline 2 ") {
		t.Errorf("stdout = %q, want the container's", got)
	}
}

// What the container is made with, besides what was declared, and what is
// there when its process starts.
func TestContainerIsPlaced(t *testing.T) {
	r := newRig(t)
	r.server.AddRuntime("nvidia", "/usr/bin/nvidia-container-runtime")
	r.spec.Runtime = "nvidia"
	r.spec.Config.Labels = map[string]string{"own": "label"}
	r.spec.Config.Env = []string{"A=declared"}
	r.spec.EnvFiles = []spec.EnvFile{{Path: r.write("env", "B=file\nA=file\n"), Required: true}, {Path: filepath.Join(r.root, "none")}}
	var placed placement.Placement
	var config *container.Config
	var host *container.HostConfig
	r.program(func(_ context.Context, p *enginetest.Process) int {
		config, host = p.Config, p.HostConfig
		if entries, _ := os.ReadDir(r.dir.RuntimeDir()); len(entries) == 1 {
			placed, _ = placement.Read(r.dir.RuntimeDir(), strings.TrimSuffix(entries[0].Name(), ".json"))
		}
		return 0
	})
	r.start().ends(0, "")
	want := placement.Placement{Unit: unitName, CgroupPath: unitCgroup + "/container", Runtime: "/usr/bin/nvidia-container-runtime"}
	if diff := cmp.Diff(want, placed); diff != "" {
		t.Errorf("placement at the start (-want +got):\n%s", diff)
	}
	labels := map[string]string{"own": "label", request.LabelUnit: unitName, request.LabelConfigHash: r.spec.Hash(), request.LabelSupervisor: fmt.Sprintf("%d/500/b007", os.Getpid())}
	if !maps.Equal(config.Labels, labels) {
		t.Errorf("labels = %v, want %v", config.Labels, labels)
	}
	if env := []string{"A=file", "B=file", "A=declared"}; !slices.Equal(config.Env, env) {
		t.Errorf("env = %q, want %q: what was declared wins", config.Env, env)
	}
	if host.Runtime != spec.RuntimeName || host.CgroupParent != placement.CgroupParent(unitName) || host.RestartPolicy.Name != container.RestartPolicyDisabled {
		t.Errorf("host config = %+v, want it run by dockhost in %s", host, unitName)
	}
}

// The exit status is the container's own.
func TestExitStatus(t *testing.T) {
	ended := func(code int) func(context.Context, *enginetest.Process) int {
		return func(context.Context, *enginetest.Process) int { return code }
	}
	tests := []struct {
		name    string
		run     func(context.Context, *enginetest.Process) int
		code    int
		problem string
	}{
		{"well", ended(0), 0, ""},
		{"badly", ended(7), 7, "container ended with exit code 7"},
		{"by a signal", ended(137), 137, "container was killed by signal 9 (exit code 137)"},
		{"above the signals", ended(255), 255, "container ended with exit code 255"},
		{"out of memory", func(_ context.Context, p *enginetest.Process) int {
			p.OutOfMemory()
			return 137
		}, 137, "container was killed: out of memory (exit code 137)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.program(test.run)
			r.start().ends(test.code, test.problem)
		})
	}
}

// untilSIGTERM is a program that then ends with this code.
func untilSIGTERM(code int) func(context.Context, *enginetest.Process) int {
	return func(ctx context.Context, p *enginetest.Process) int {
		select {
		case <-p.Signals:
		case <-ctx.Done():
		}
		return code
	}
}

// A person's docker stop is a stop that was asked for, however the container
// takes it.
func TestDockerStop(t *testing.T) {
	// What is heard of the signal and of the end comes in any order.
	for _, code := range []int{0, 3, 143, 143, 143, 143} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			r := newRig(t)
			r.program(untilSIGTERM(code))
			l := r.start()
			l.ready()
			if err := r.engine().Stop(t.Context(), "app", patience); err != nil {
				t.Fatal(err)
			}
			l.ends(0, "")
			if r.notify.count("STOPPING") != 1 {
				t.Errorf("systemd was told, want that it stops:\n%s", r.notify)
			}
		})
	}
}

// When Docker itself goes down without live-restore, the container is to be
// started again.
func TestDockerLeaves(t *testing.T) {
	r := newRig(t)
	r.program(untilSIGTERM(0))
	l := r.start()
	l.ready()
	r.server.Leave()
	select {
	case <-l.done:
	case <-time.After(patience):
		t.Fatalf("Run() did not return within %s", patience)
	}
	if l.code == 0 || l.err == nil {
		t.Errorf("Run() = %d, %v, want an error", l.code, l.err)
	}
}

// Docker 20.10 goes on answering while it stops its containers, and a Docker
// that is restarted answers again: systemd knows when it stopped.
func TestDockerStops(t *testing.T) {
	for name, code := range map[string]int{"before the container": 0, "under the container": 1} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.units.dockerLeft = time.Now().Add(-time.Hour)
			if code != 0 {
				r.units.dockerLeft = time.Now().Add(time.Hour)
			}
			r.program(untilSIGTERM(0))
			problem := ""
			if code != 0 {
				problem = "docker stopped and took the container along"
			}
			l := r.start()
			l.ready()
			r.server.Kill("app", unix.SIGTERM)
			l.ends(code, problem)
		})
	}
}

// systemd's SIGTERM ends the supervisor well, whatever it was at.
func TestStopRequested(t *testing.T) {
	tests := []struct {
		name  string
		setUp func(r *rig)
		// at is what systemd was told last before the request.
		at string
	}{
		{"waiting for Docker", func(r *rig) { r.server.Down() }, "STATUS waiting for Docker"},
		{"pulling", func(r *rig) {
			r.spec.Image = "stalling"
			r.server.Publish("stalling", enginetest.Image{Stalling: true})
		}, "STATUS pulling stalling: "},
		{"between pulls", func(r *rig) { r.spec.Image = "absent" }, "STATUS next try in "},
		{"asking for a newer image", func(r *rig) {
			r.spec.PullPolicy = spec.PullAlways
			r.server.Publish("app:1", enginetest.Image{Stalling: true})
		}, "STATUS pulling app:1: "},
		{"unready", func(r *rig) {
			r.spec.Notify = spec.NotifyHealthy
			r.command("-ready-after", "1h")
		}, "STATUS running, waiting for its health check"},
		{"running", func(*rig) {}, "READY"},
		{"running what SIGKILL is to stop", func(r *rig) { r.spec.Config.StopSignal = "SIGKILL" }, "READY"},
		{"running what ends badly", func(r *rig) { r.program(untilSIGTERM(3)) }, "READY"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			test.setUp(r)
			l := r.start()
			l.until(test.at, func() bool { return r.notify.count(test.at) > 0 })
			l.stop()
			<-l.done
			if test.name == "waiting for Docker" {
				r.server.Up()
			}
			l.ends(0, "")
			if got := r.notify.count("STOPPING"); got != 1 {
				t.Errorf("systemd was told %d times, want once, that it stops:\n%s", got, r.notify)
			}
		})
	}
}

// A container that does not end on its signal is killed, when its own time is
// up or the unit's.
func TestStopKills(t *testing.T) {
	tests := []struct {
		name string
		// grace is the container's own in seconds, unit the unit's stop timeout.
		grace int
		unit  time.Duration
	}{
		{"own grace", 1, 0},
		{"unit's timeout is longer", 1, time.Hour},
		{"unit's timeout is shorter", 3600, stopMargin + time.Second},
		{"unit's timeout is short", 3600, time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.spec.Config.StopTimeout, r.units.timeoutStop = &test.grace, test.unit
			r.command("-ignore-sigterm")
			l := r.start()
			l.ready()
			began := time.Now()
			l.stop()
			l.ends(exitKilled, "did not end on its stop signal and was killed")
			if took := time.Since(began); took < time.Second || took > 10*time.Second {
				t.Errorf("Run() took %s to kill, want about 1s", took)
			}
		})
	}
}

// A signal that someone sends through Docker and that is no stop is a failure.
func TestDockerKill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.program(untilSIGTERM(143))
	l := r.start()
	l.ready()
	r.server.Kill("app", unix.SIGTERM)
	l.ends(143, "killed by signal 15")
}

// What cannot be run ends with 125, and says why.
func TestNotRun(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	tests := []struct {
		name    string
		setUp   func(r *rig)
		problem string
	}{
		{"no unit", func(r *rig) { r.write("proc/self/cgroup", "0::/user.slice/session-1.scope\n") }, "start it with systemctl"},
		{"no image and never pulled", func(r *rig) {
			r.spec.Image, r.spec.PullPolicy = "app:2", spec.PullNever
			r.server.Publish("app:2", r.app())
		}, `the host has no image "app:2" and pull_policy is never (load it with: docker load)`},
		{"no health check to wait for", func(r *rig) {
			image := r.app()
			image.Healthcheck = false
			r.server.AddImage("app:1", image)
			r.spec.Notify = spec.NotifyHealthy
		}, "has a healthcheck"},
		{"no env file", func(r *rig) { r.spec.EnvFiles = []spec.EnvFile{{Path: "/nonexistent/env", Required: true}} }, "/nonexistent/env"},
		{"no runtime", func(r *rig) { r.server.RemoveRuntime(spec.RuntimeName) }, "run: dockhost setup"},
		{"port taken", func(r *rig) {
			image := r.app()
			image.StartError = "driver failed programming external connectivity"
			r.server.AddImage("app:1", image)
			r.spec.HostConfig.PortBindings = nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1", HostPort: strconv.Itoa(port)}}}
		}, "port 127.0.0.1:" + strconv.Itoa(port) + "/tcp is already in use on this host"},
		{"no start", func(r *rig) {
			image := r.app()
			image.StartError = "exec: no such file"
			r.server.AddImage("app:1", image)
		}, "exec: no such file"},
		{"born elsewhere", func(r *rig) { r.bornIn("/system.slice/docker-0123.scope") }, `container was born in cgroup "/system.slice/docker-0123.scope" and not below "` + unitCgroup + `"`},
		{"born in the root", func(r *rig) { r.bornIn("/") }, `container was born in cgroup "/"`},
		{"born in the unit itself", func(r *rig) { r.bornIn(unitCgroup) }, "run: dockhost setup --check"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			test.setUp(r)
			r.start().ends(ExitNotRun, test.problem)
			if r.notify.count("READY") != 0 {
				t.Errorf("systemd was told, want that it never was ready:\n%s", r.notify)
			}
		})
	}
}

// Nobody but root may read what is assigned: no error repeats it.
func TestErrorsKeepSecrets(t *testing.T) {
	tests := []struct {
		name  string
		setUp func(r *rig)
	}{
		{"env file", func(r *rig) {
			r.spec.EnvFiles = []spec.EnvFile{{Path: r.write("env", "PASSWORD 's3cret-canary\n"), Required: true}}
		}},
		{"declared env", func(r *rig) {
			r.spec.Config.Env = []string{"PASSWORD=s3cret-canary"}
			r.server.RemoveRuntime(spec.RuntimeName)
		}},
		{"login", func(r *rig) {
			r.configDir = enginetest.ConfigDir(r.t, map[string]engine.Login{"docker.io": {Username: "deploy", Password: "s3cret-canary"}})
			r.spec.Image = "absent"
		}},
		{"config.json", func(r *rig) {
			r.spec.Image = "absent"
			if err := os.WriteFile(filepath.Join(r.configDir, "config.json"), []byte(`{"auths": {"x": {"auth": "s3cret-canary"}}}`), 0o600); err != nil {
				r.t.Fatal(err)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			test.setUp(r)
			l := r.start()
			l.until("an error", func() bool { return l.state().LastError != nil })
			if last := l.state().LastError.Message; strings.Contains(last, "canary") {
				t.Errorf("last error = %q, want it without the secret", last)
			}
			l.stop()
			<-l.done
			if said := r.notify.String(); strings.Contains(said, "canary") {
				t.Errorf("systemd was told the secret:\n%s", said)
			}
			if l.err != nil && strings.Contains(l.err.Error(), "canary") {
				t.Errorf("Run() = %v, want it without the secret", l.err)
			}
		})
	}
}
