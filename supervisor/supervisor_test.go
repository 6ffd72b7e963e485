package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// A container whose image is pulled runs and ends: systemd is sent each step, and
// READY=1 once.
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
		"STATUS pulling app:2: 2 of 2 layers",
		"STATUS creating app:2", "STATUS starting app:2", "READY running app:2", "STATUS ended",
	}
	if diff := cmp.Diff(want, r.notify.without("EXTEND")); diff != "" {
		t.Errorf("systemd was sent (-want +got):\n%s", diff)
	}
	if r.notify.count("EXTEND") < 2 {
		t.Errorf("the start timeout was not extended for the pull:\n%s", r.notify)
	}
	if got := r.stdout.String(); !strings.HasPrefix(got, "line 1 of the test application\nline 2 ") {
		t.Errorf("stdout = %q, want the container's", got)
	}
}

// The request adds labels and the runtime to the declaration, and the placement
// exists when the process starts.
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
	if env := []string{"B=file", "A=declared"}; !slices.Equal(config.Env, env) {
		t.Errorf("env = %q, want %q: the declared variables win", config.Env, env)
	}
	if host.Runtime != spec.RuntimeName || host.CgroupParent != placement.CgroupParent(unitName) || host.RestartPolicy.Name != container.RestartPolicyDisabled {
		t.Errorf("host config = %+v, want it run by dockhost in %s", host, unitName)
	}
}

// A container that cannot be run ends with 125 and an error that says why.
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
		{"Podman", func(r *rig) { r.server.BecomePodman() }, "Podman 5.4.2 answers at unix:///"},
		{"port taken", func(r *rig) {
			image := r.app()
			image.StartError = "driver failed programming external connectivity"
			r.server.AddImage("app:1", image)
			r.spec.HostConfig.PortBindings = nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1", HostPort: strconv.Itoa(port)}}}
		}, "port 127.0.0.1:" + strconv.Itoa(port) + "/tcp is already in use on this host"},
		{"foreign platform", func(r *rig) {
			image := r.app()
			image.Platform = "linux/s390x"
			r.server.AddImage("app:1", image)
		}, `image "app:1" is for linux/s390x, and this host is linux/`},
		{"no device", func(r *rig) {
			image := r.app()
			image.StartError = "error gathering device information"
			r.server.AddImage("app:1", image)
			r.spec.HostConfig.Devices = []container.DeviceMapping{{PathOnHost: "/nonexistent/device"}}
		}, `the host has no device "/nonexistent/device"`},
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
				t.Errorf("systemd was sent READY=1:\n%s", r.notify)
			}
		})
	}
}

// Only root may read the declaration: no error repeats its secrets.
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
				t.Errorf("systemd was sent the secret:\n%s", said)
			}
			if l.err != nil && strings.Contains(l.err.Error(), "canary") {
				t.Errorf("Run() = %v, want it without the secret", l.err)
			}
		})
	}
}

// An event out of order before the start keeps the container from running.
func TestEventOutOfOrderBeforeTheStart(t *testing.T) {
	r := newRig(t)
	l := r.prepare()
	l.supervisor.report.life.fault = errors.New("out of order")
	l.run()
	l.ends(ExitNotRun, "out of order")
	if r.notify.count("READY") != 0 {
		t.Errorf("systemd was sent READY=1:\n%s", r.notify)
	}
}
