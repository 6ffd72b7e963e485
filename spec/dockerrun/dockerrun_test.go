package dockerrun

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/docker/go-units"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dockhost/dockhost/spec"
)

// plain returns the container of `docker run -d --rm nginx`.
func plain() *spec.Container {
	return &spec.Container{
		Image: "nginx", PullPolicy: spec.PullMissing, PullStallTimeout: time.Minute, Notify: spec.NotifyStarted,
		Run:    &spec.Run{Stdout: true, Stderr: true, ForwardSignals: true},
		Config: &container.Config{Image: "nginx"},
		HostConfig: &container.HostConfig{
			NetworkMode: "default", RestartPolicy: container.RestartPolicy{Name: "no"},
			Resources: container.Resources{MemorySwappiness: new(int64(-1)), OomKillDisable: new(false), PidsLimit: new(int64(0))},
		},
		Networking: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"default": {}}},
	}
}

func TestParse(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("FROM_PROCESS", "inherited")
	envFile := write(t, dir, "app.env", "# of the app\nA=file\nB=file\nFROM_PROCESS\n")
	labelFile := write(t, dir, "labels", "team=night\n")
	seccomp := write(t, dir, "seccomp.json", "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }\n")
	networks := func(c *spec.Container) map[string]*network.EndpointSettings { return c.Networking.EndpointsConfig }
	tests := []struct {
		args string
		want func(*spec.Container)
	}{
		{"nginx", func(c *spec.Container) { c.Run.Keep = true }},
		{"--rm nginx", func(*spec.Container) {}},
		{"-d --rm=true nginx", func(c *spec.Container) { c.Run.Background = true }},
		{"--detach=false --detach-keys ctrl-a -q --rm nginx", func(*spec.Container) {}},
		{"--rm --name web.1 nginx", func(c *spec.Container) { c.Name = "web.1" }},
		{"--rm --name=web nginx:1.22 nginx -g daemon --rm", func(c *spec.Container) {
			c.Name, c.Image, c.Config.Image = "web", "nginx:1.22", "nginx:1.22"
			c.Config.Cmd = []string{"nginx", "-g", "daemon", "--rm"}
		}},
		{"-it --rm --name web.service -p 443:443 nginx", func(c *spec.Container) {
			c.Name, c.Config.Tty, c.Config.OpenStdin = "web.service", true, true
			c.Config.ExposedPorts = nat.PortSet{"443/tcp": {}}
			c.HostConfig.PortBindings = nat.PortMap{"443/tcp": {{HostPort: "443"}}}
		}},
		// A unit has no terminal, so -a stdin and -t do not attach one.
		{"--rm -i -t -a stdin -a stdout nginx", func(c *spec.Container) {
			c.Config.Tty, c.Config.OpenStdin, c.Run.Stderr = true, true, false
		}},
		{"--rm -d -a STDERR nginx", func(c *spec.Container) { c.Run.Stdout, c.Run.Background = false, true }},
		{"--rm -a stdin nginx", func(c *spec.Container) { c.Run.Stdout, c.Run.Stderr = false, false }},
		{"--rm --sig-proxy=false nginx", func(c *spec.Container) { c.Run.ForwardSignals = false }},
		{"--rm --pull always nginx", func(c *spec.Container) { c.PullPolicy = spec.PullAlways }},
		{"--rm --pull=never nginx", func(c *spec.Container) { c.PullPolicy = spec.PullNever }},
		{"--rm --pull= nginx", func(c *spec.Container) { c.PullPolicy = spec.PullNever }},
		{"--rm --platform linux/arm64 nginx", func(c *spec.Container) { c.Platform = "linux/arm64" }},
		{"--rm --runtime crun nginx", func(c *spec.Container) { c.Runtime = "crun" }},
		{"--rm --restart no --cgroup-parent= nginx", func(*spec.Container) {}},
		{"--rm --cidfile " + envFile + " nginx", func(c *spec.Container) {
			// The file exists, which is fine: nothing is written to it.
			c.Run.CIDFile, c.HostConfig.ContainerIDFile = envFile, envFile
		}},
		{"-e A=1 -e FROM_PROCESS --env UNSET_ANYWHERE --env-file " + envFile + " --rm nginx", func(c *spec.Container) {
			c.Config.Env = []string{"A=file", "A=1", "B=file", "FROM_PROCESS=inherited", "FROM_PROCESS=inherited", "UNSET_ANYWHERE"}
		}},
		{"--label-file " + labelFile + " -l a=b -l c --annotation x=y --rm nginx", func(c *spec.Container) {
			c.Config.Labels = map[string]string{"team": "night", "a": "b", "c": ""}
			c.HostConfig.Annotations = map[string]string{"x": "y"}
		}},
		{"--rm -v /srv:/srv:ro -v data:/data -v /anonymous --mount type=tmpfs,dst=/t,tmpfs-size=1m --tmpfs /run:size=64k nginx", func(c *spec.Container) {
			c.HostConfig.Binds = []string{"/srv:/srv:ro", "data:/data"}
			c.Config.Volumes = map[string]struct{}{"/anonymous": {}}
			c.HostConfig.Mounts = []mount.Mount{{Type: "tmpfs", Target: "/t", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 20}}}
			c.HostConfig.Tmpfs = map[string]string{"/run": "size=64k"}
		}},
		{"--rm --device /dev/null:/dev/x:r --device-cgroup-rule c~1:3~rwm --gpus all --device vendor.com/gpu=0 nginx", func(c *spec.Container) {
			c.HostConfig.Devices = []container.DeviceMapping{{PathOnHost: "/dev/null", PathInContainer: "/dev/x", CgroupPermissions: "r"}}
			c.HostConfig.DeviceCgroupRules = []string{"c 1:3 rwm"}
			c.GPU = &spec.GPUNeeds{Requests: []spec.GPURequest{{Count: spec.AllGPUs}, {Devices: []string{"vendor.com/gpu=0"}}}}
		}},
		{`--rm --gpus "device=0,GPU-0a",capabilities=utility --gpu-opt wait=2m --gpu-opt exclusive=true --gpu-opt check=1m --gpu-opt on_loss=restart nginx`, func(c *spec.Container) {
			c.GPU = &spec.GPUNeeds{
				Requests: []spec.GPURequest{{Devices: []string{"0", "GPU-0a"}, Capabilities: []string{"utility"}}},
				Wait:     2 * time.Minute, Exclusive: true, Check: time.Minute, OnLoss: spec.LossRestart,
			}
		}},
		{"--rm --gpus 2 --gpu-opt mode=docker nginx", func(c *spec.Container) {
			c.HostConfig.DeviceRequests = []container.DeviceRequest{{Count: 2, Capabilities: [][]string{{"gpu"}}}}
		}},
		{"--rm --gpus driver=vendor,count=1 nginx", func(c *spec.Container) {
			c.HostConfig.DeviceRequests = []container.DeviceRequest{{Driver: "vendor", Count: 1, Capabilities: [][]string{{"gpu"}}}}
		}},
		{"--rm -e NVIDIA_VISIBLE_DEVICES=1,MIG-ab nginx", func(c *spec.Container) {
			c.Config.Env = []string{"NVIDIA_VISIBLE_DEVICES=1,MIG-ab"}
			c.GPU = &spec.GPUNeeds{Requests: []spec.GPURequest{{Devices: []string{"1", "MIG-ab"}}}}
		}},
		{"--rm -m 100m --cpus 1.5 --pids-limit 50 --ulimit nofile=64:128 --ulimit core=0 --memory-swappiness 10 --shm-size 1m nginx", func(c *spec.Container) {
			r := &c.HostConfig.Resources
			r.Memory, r.NanoCPUs, r.PidsLimit, r.MemorySwappiness = 100<<20, 1_500_000_000, new(int64(50)), new(int64(10))
			r.Ulimits = []*units.Ulimit{{Name: "core"}, {Name: "nofile", Soft: 64, Hard: 128}}
			c.HostConfig.ShmSize = 1 << 20
		}},
		{"--rm --network front --network-alias www --ip 10.0.0.9 nginx", func(c *spec.Container) {
			c.HostConfig.NetworkMode = "front"
			delete(networks(c), "default")
			networks(c)["front"] = &network.EndpointSettings{Aliases: []string{"www"}, IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.0.0.9"}}
		}},
		{"--rm --network name=front,alias=www --network back nginx", func(c *spec.Container) {
			c.HostConfig.NetworkMode = "front"
			delete(networks(c), "default")
			networks(c)["front"], networks(c)["back"] = &network.EndpointSettings{Aliases: []string{"www"}}, &network.EndpointSettings{}
		}},
		{"--rm --net host --pid host --ipc host --uts host --userns host --cgroupns host --privileged --read-only --init nginx", func(c *spec.Container) {
			h := c.HostConfig
			h.NetworkMode, h.PidMode, h.IpcMode, h.UTSMode, h.UsernsMode, h.CgroupnsMode = "host", "host", "host", "host", "host", "host"
			h.Privileged, h.ReadonlyRootfs, h.Init = true, true, new(true)
			delete(networks(c), "default")
		}},
		{"--rm --security-opt no-new-privileges --security-opt seccomp=" + seccomp + " --security-opt systempaths=unconfined nginx", func(c *spec.Container) {
			c.HostConfig.SecurityOpt = []string{"no-new-privileges", `seccomp={"defaultAction":"SCMP_ACT_ALLOW"}`}
			c.HostConfig.MaskedPaths, c.HostConfig.ReadonlyPaths = []string{}, []string{}
		}},
		{"--rm --log-driver journald --log-opt tag=web --health-cmd true --health-interval 5s --stop-signal QUIT --stop-timeout 7 nginx", func(c *spec.Container) {
			c.HostConfig.LogConfig = container.LogConfig{Type: "journald", Config: map[string]string{"tag": "web"}}
			c.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD-SHELL", "true"}, Interval: 5 * time.Second}
			c.Config.StopSignal, c.Config.StopTimeout = "QUIT", new(7)
		}},
		{"--rm --entrypoint= --no-healthcheck -h www -u app:app -w /srv nginx", func(c *spec.Container) {
			c.Config.Entrypoint, c.Config.Healthcheck = []string{""}, &container.HealthConfig{Test: []string{"NONE"}}
			c.Config.Hostname, c.Config.User, c.Config.WorkingDir = "www", "app:app", "/srv"
		}},

		// dockhost's own options, among those of docker run.
		{"--sdnotify healthy --rm -e A=b --logs=false nginx", func(c *spec.Container) {
			c.Notify, c.Run.Quiet, c.Config.Env = spec.NotifyHealthy, true, []string{"A=b"}
		}},
		{"--rm --sdnotify=http://:8080/ready --pull-stall-timeout 5m nginx", func(c *spec.Container) {
			c.Notify, c.PullStallTimeout = "http://:8080/ready", 5*time.Minute
		}},
		{"--rm --reload-signal hup nginx", func(c *spec.Container) { c.Reload = &spec.Reload{Signal: "HUP"} }},
		{"--rm --reload-signal SIGRTMIN+3 nginx", func(c *spec.Container) { c.Reload = &spec.Reload{Signal: "SIGRTMIN+3"} }},
		{"--rm --reload-cmd nginx~-s~'re~load' nginx", func(c *spec.Container) {
			c.Reload = &spec.Reload{Exec: []string{"nginx", "-s", "re load"}}
		}},
		{"--rm --pid-file " + dir + "/../pid nginx", func(c *spec.Container) { c.Run.PIDFile = filepath.Dir(dir) + "/pid" }},
		{"--rm --cgroups name=systemd --cgroups cpu,cpuacct nginx", func(c *spec.Container) {
			c.Run.Controllers = []string{"name=systemd", "cpu,cpuacct"}
		}},
		{"--rm --cgroups memory --cgroups name=all nginx", func(*spec.Container) {}},
		{"--rm --cgroups all nginx", func(*spec.Container) {}},
	}
	for _, test := range tests {
		want := plain()
		test.want(want)
		got, err := Parse(words(test.args), Options{})
		if err != nil {
			t.Errorf("Parse(%q) = %v", test.args, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", test.args, diff)
		}
		if before, after := encode(t, got), encode(t, handedOver(t, got)); before != after {
			t.Errorf("Parse(%q) changes when it is handed over (-before +after):\n%s", test.args, cmp.Diff(before, after))
		}
	}
}

// handedOver returns the container as the supervisor reads it.
func handedOver(t *testing.T, c *spec.Container) *spec.Container {
	t.Helper()
	read := &spec.Container{}
	if err := json.Unmarshal([]byte(encode(t, c)), read); err != nil {
		t.Fatal(err)
	}
	return read
}

func encode(t *testing.T, c *spec.Container) string {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// words splits at spaces; "~" is a space in a word.
func words(line string) []string {
	split := strings.Fields(line)
	for i, word := range split {
		split[i] = strings.ReplaceAll(word, "~", " ")
	}
	return split
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"-it --rm --name web -p 443:443 nginx", "--env =canary x", "--mount type=bind,source=/a,target=/b x", "-", "--", "-- nginx",
		"-rm x", "--network name=a,alias=b,driver-opt=c=d x", "--publish published=80,target=80 x", "-eA=b -vx:/y x", "--gpus device=0 x",
		"--reload-cmd 'a x", "--cgroups= x", "-a stdin x", "--ulimit nofile=1:2:3 x", "--help", "sha256:abc", "--sysctl = x",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		// Skip inputs that may name files, which would be read.
		if strings.Contains(line, "file") || strings.Contains(line, "seccomp") {
			t.Skip()
		}
		args := strings.Split(line, " ")
		c, err := Parse(args, Options{})
		if (c == nil) == (err == nil) {
			t.Fatalf("Parse(%q) = %v, %v", args, c, err)
		}
		_, _ = SystemdDocker(args, Options{})
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse([]string{"-it", "--rm", "--name", "web", "-p", "443:443", "-e", "A=b", "nginx"}, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
