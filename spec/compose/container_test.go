package compose

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/strslice"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

// plainContainer is what `image: nginx` alone becomes.
func plainContainer() *spec.Container {
	return &spec.Container{
		Name: "web", Image: "nginx", PullPolicy: spec.PullMissing, PullStallTimeout: time.Minute, Notify: spec.NotifyStarted,
		Config: &container.Config{Image: "nginx"},
		HostConfig: &container.HostConfig{
			NetworkMode:   "default",
			RestartPolicy: container.RestartPolicy{Name: "no"},
		},
	}
}

// TestContainer has one row for each key: what the key adds to the plain
// container, in the Engine's words.
func TestContainer(t *testing.T) {
	yes, no, seconds, pids := true, false, 11, int64(20)
	tests := []struct {
		line string
		want func(c *spec.Container)
	}{
		{"{}", func(*spec.Container) {}},
		{"x-any: {thing: [here]}", func(*spec.Container) {}},
		{"annotations: {a: b}", func(c *spec.Container) { c.HostConfig.Annotations = map[string]string{"a": "b"} }},
		{"cap_add: [SYS_TIME]", func(c *spec.Container) { c.HostConfig.CapAdd = strslice.StrSlice{"SYS_TIME"} }},
		{"cap_drop: [ALL]", func(c *spec.Container) { c.HostConfig.CapDrop = strslice.StrSlice{"ALL"} }},
		{"cgroup: private", func(c *spec.Container) { c.HostConfig.CgroupnsMode = "private" }},
		{"command: run 'a b'", func(c *spec.Container) { c.Config.Cmd = strslice.StrSlice{"run", "a b"} }},
		{"command: [run, a b]", func(c *spec.Container) { c.Config.Cmd = strslice.StrSlice{"run", "a b"} }},
		{"command: ", func(*spec.Container) {}},
		{"cpus: 0.7", func(c *spec.Container) { c.HostConfig.NanoCPUs = 700_000_000 }},
		{"cpuset: 0,2", func(c *spec.Container) { c.HostConfig.CpusetCpus = "0,2" }},
		{"devices: [/dev/a]", func(c *spec.Container) {
			c.HostConfig.Devices = []container.DeviceMapping{{PathOnHost: "/dev/a", PathInContainer: "/dev/a", CgroupPermissions: "rwm"}}
		}},
		{"devices: [nvidia.com/gpu=0]", func(c *spec.Container) {
			c.GPU = &spec.GPUNeeds{Requests: []spec.GPURequest{{Devices: []string{"nvidia.com/gpu=0"}}}}
		}},
		{"dns: 1.1.1.1", func(c *spec.Container) { c.HostConfig.DNS = []string{"1.1.1.1"} }},
		{"dns_opt: [ndots:1]", func(c *spec.Container) { c.HostConfig.DNSOptions = []string{"ndots:1"} }},
		{"dns_search: [a, b]", func(c *spec.Container) { c.HostConfig.DNSSearch = []string{"a", "b"} }},
		{"domainname: d", func(c *spec.Container) { c.Config.Domainname = "d" }},
		{"entrypoint: []", func(c *spec.Container) { c.Config.Entrypoint = strslice.StrSlice{} }},
		{"environment: {B: 2, A: 1.50, C: }", nil},
		{"environment: {B: 2, A: \"1.50\"}", func(c *spec.Container) { c.Config.Env = []string{"A=1.50", "B=2"} }},
		{"env_file: /a", func(c *spec.Container) { c.EnvFiles = []spec.EnvFile{{Path: "/a", Required: true}} }},
		{"extra_hosts: [\"a:host-gateway\"]", func(c *spec.Container) { c.HostConfig.ExtraHosts = []string{"a:host-gateway"} }},
		{"gpus: all", func(c *spec.Container) {
			c.GPU = &spec.GPUNeeds{Requests: []spec.GPURequest{{Count: spec.AllGPUs}}}
		}},
		{"group_add: [7]", func(c *spec.Container) { c.HostConfig.GroupAdd = []string{"7"} }},
		{"healthcheck: {disable: true}", func(c *spec.Container) { c.Config.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}} }},
		{"healthcheck: {test: a b, timeout: 1s}", func(c *spec.Container) {
			c.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD-SHELL", "a b"}, Timeout: time.Second}
		}},
		{"hostname: h", func(c *spec.Container) { c.Config.Hostname = "h" }},
		{"init: true", func(c *spec.Container) { c.HostConfig.Init = &yes }},
		{"init: false", func(c *spec.Container) { c.HostConfig.Init = &no }},
		{"ipc: shareable", func(c *spec.Container) { c.HostConfig.IpcMode = "shareable" }},
		{"labels: [a=b]", func(c *spec.Container) { c.Config.Labels = map[string]string{"a": "b"} }},
		{"logging: {driver: none}", func(c *spec.Container) { c.HostConfig.LogConfig = container.LogConfig{Type: "none"} }},
		{"mem_limit: 64m", func(c *spec.Container) { c.HostConfig.Memory = 64 << 20 }},
		{"network_mode: host", func(c *spec.Container) { c.HostConfig.NetworkMode = "host" }},
		{"network_mode: own", func(c *spec.Container) {
			c.HostConfig.NetworkMode = "own"
			c.Networking = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"own": {}}}
		}},
		{"network_mode: container:other", func(c *spec.Container) { c.HostConfig.NetworkMode = "container:other" }},
		{"oom_score_adj: 100", func(c *spec.Container) { c.HostConfig.OomScoreAdj = 100 }},
		{"pid: host", func(c *spec.Container) { c.HostConfig.PidMode = "host" }},
		{"pids_limit: 20", func(c *spec.Container) { c.HostConfig.PidsLimit = &pids }},
		{"deploy: {resources: {limits: {pids: 20}}}", func(c *spec.Container) { c.HostConfig.PidsLimit = &pids }},
		{"platform: linux/arm64", func(c *spec.Container) { c.Platform = "linux/arm64" }},
		{"ports: [\"127.0.0.1:80:8080/udp\"]", func(c *spec.Container) {
			c.Config.ExposedPorts = nat.PortSet{"8080/udp": {}}
			c.HostConfig.PortBindings = nat.PortMap{"8080/udp": {{HostIP: "127.0.0.1", HostPort: "80"}}}
		}},
		{"privileged: true", func(c *spec.Container) { c.HostConfig.Privileged = true }},
		{"pull_policy: never", func(c *spec.Container) { c.PullPolicy = spec.PullNever }},
		{"read_only: true", func(c *spec.Container) { c.HostConfig.ReadonlyRootfs = true }},
		{"restart: unless-stopped", func(c *spec.Container) { c.Restart = "always" }},
		{"runtime: runsc", func(c *spec.Container) { c.Runtime = "runsc" }},
		{"security_opt: [\"label:disable\"]", func(c *spec.Container) { c.HostConfig.SecurityOpt = []string{"label=disable"} }},
		{"shm_size: 1m", func(c *spec.Container) { c.HostConfig.ShmSize = 1 << 20 }},
		{"stdin_open: true", func(c *spec.Container) { c.Config.OpenStdin = true }},
		{"stop_grace_period: 10.1s", func(c *spec.Container) { c.Config.StopTimeout = &seconds }},
		{"stop_signal: SIGRTMIN+3", func(c *spec.Container) { c.Config.StopSignal = "SIGRTMIN+3" }},
		{"sysctls: {a.b: 1}", func(c *spec.Container) { c.HostConfig.Sysctls = map[string]string{"a.b": "1"} }},
		{"tmpfs: /run:size=1m", func(c *spec.Container) { c.HostConfig.Tmpfs = map[string]string{"/run": "size=1m"} }},
		{"tmpfs: /run", func(c *spec.Container) { c.HostConfig.Tmpfs = map[string]string{"/run": ""} }},
		{"tty: true", func(c *spec.Container) { c.Config.Tty = true }},
		{"ulimits: {nofile: 5}", func(c *spec.Container) {
			c.HostConfig.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 5, Hard: 5}}
		}},
		{"user: me", func(c *spec.Container) { c.Config.User = "me" }},
		{"userns_mode: host", func(c *spec.Container) { c.HostConfig.UsernsMode = "host" }},
		{"uts: host", func(c *spec.Container) { c.HostConfig.UTSMode = "host" }},
		{"volumes: [/a:/b:ro]", func(c *spec.Container) { c.HostConfig.Binds = []string{"/a:/b:ro"} }},
		{"volumes: [data:/b/]", func(c *spec.Container) { c.HostConfig.Binds = []string{"data:/b:rw"} }},
		{"volumes: [{type: tmpfs, target: /t}]", func(c *spec.Container) {
			c.HostConfig.Mounts = []mount.Mount{{Type: "tmpfs", Target: "/t"}}
		}},
		{"working_dir: /w", func(c *spec.Container) { c.Config.WorkingDir = "/w" }},
		{"x-dockhost: {notify: healthy, pull_stall_timeout: 1h}", func(c *spec.Container) {
			c.Notify, c.PullStallTimeout = spec.NotifyHealthy, time.Hour
		}},
		{"x-dockhost: {notify: tcp:5432, reload: {signal: hup}, unit: {Service: {WatchdogSec: 30s, WatchdogSignal: SIGKILL}}}", func(c *spec.Container) {
			c.Notify, c.Reload = "tcp:5432", &spec.Reload{Signal: "HUP"}
			c.Unit = []spec.UnitSetting{{Section: "Service", Key: "WatchdogSec", Value: "30s"}, {Section: "Service", Key: "WatchdogSignal", Value: "SIGKILL"}}
		}},
		{"x-dockhost: {notify: 'http://:8080/ready?deep=1', reload: {exec: [nginx, -s, reload]}}", func(c *spec.Container) {
			c.Notify, c.Reload = "http://:8080/ready?deep=1", &spec.Reload{Exec: []string{"nginx", "-s", "reload"}}
		}},
		{"x-dockhost: {notify: container, reload: {signal: 10}}", func(c *spec.Container) {
			c.Notify, c.Reload = spec.NotifyContainer, &spec.Reload{Signal: "10"}
		}},
		{"x-dockhost: {notify: off, reload: , unit: {Service: {WatchdogSec: 0}}}", func(c *spec.Container) {
			c.Notify, c.Unit = spec.NotifyOff, []spec.UnitSetting{{Section: "Service", Key: "WatchdogSec", Value: "0"}}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			line := tt.line
			if line == "{}" {
				line = ""
			}
			if tt.want == nil {
				if got, err := parse(t, "dockhost: {containers: {web: {image: nginx, "+line+"}}}"); err == nil {
					t.Errorf("Parse(%q) = %+v, want an error", line, got)
				}
				return
			}
			want := plainContainer()
			tt.want(want)
			got := parseService(t, line)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", line, diff)
			}
		})
	}
}

func TestHash(t *testing.T) {
	base := parseService(t).Hash()
	same := []string{
		"x-dockhost: {unit: {Service: {MemoryMax: 1G}}}",
		"restart: always",
		"restart: on-failure:3",
	}
	for _, line := range same {
		if got := parseService(t, line).Hash(); got != base {
			t.Errorf("Hash() with %q = %q, want %q: it needs no new container", line, got, base)
		}
	}
	different := []string{
		"environment: {A: b}", "command: x", "ports: [80]", "mem_limit: 64m", "runtime: runsc", "platform: linux/amd64",
		"env_file: /a", "labels: {a: b}", "x-dockhost: {notify: healthy}", "x-dockhost: {reload: {signal: HUP}}", "entrypoint: []", "tmpfs: /run",
	}
	seen := map[string]string{base: ""}
	for _, line := range different {
		got := parseService(t, line).Hash()
		if other, ok := seen[got]; ok {
			t.Errorf("Hash() with %q is that with %q", line, other)
		}
		seen[got] = line
	}
}

// TestHashStable guards against a hash that depends on the order of maps: an
// agent that starts again must not restart containers.
func TestHashStable(t *testing.T) {
	lines := []string{
		"environment: {A: 1, B: 2, C: 3, D: 4}", "labels: {a: 1, b: 2, c: 3}", "extra_hosts: {a: 1.1.1.1, b: 1.1.1.2, c: 1.1.1.3}",
		"ulimits: {core: 1, cpu: 2, nofile: 3}", "ports: [80, 81, 82]", "depends_on: []",
	}
	want := parseService(t, lines...).Hash()
	for range 20 {
		if got := parseService(t, lines...).Hash(); got != want {
			t.Fatalf("Hash() = %q, want %q", got, want)
		}
	}
}
