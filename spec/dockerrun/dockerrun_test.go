package dockerrun

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/spec"
)

// plain is what `docker run -d --rm nginx` is.
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
		{"-d --rm=true nginx", func(*spec.Container) {}},
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
		// What stands in a unit has no terminal, whatever it says.
		{"--rm -i -t -a stdin -a stdout nginx", func(c *spec.Container) {
			c.Config.Tty, c.Config.OpenStdin, c.Run.Stderr = true, true, false
		}},
		{"--rm -d -a STDERR nginx", func(c *spec.Container) { c.Run.Stdout = false }},
		{"--rm -a stdin nginx", func(c *spec.Container) { c.Run.Stdout, c.Run.Stderr = false, false }},
		{"--rm --sig-proxy=false nginx", func(c *spec.Container) { c.Run.ForwardSignals = false }},
		{"--rm --pull always nginx", func(c *spec.Container) { c.PullPolicy = spec.PullAlways }},
		{"--rm --pull=never nginx", func(c *spec.Container) { c.PullPolicy = spec.PullNever }},
		{"--rm --pull= nginx", func(c *spec.Container) { c.PullPolicy = spec.PullNever }},
		{"--rm --platform linux/arm64 nginx", func(c *spec.Container) { c.Platform = "linux/arm64" }},
		{"--rm --runtime crun nginx", func(c *spec.Container) { c.Runtime = "crun" }},
		{"--rm --restart no --cgroup-parent= nginx", func(*spec.Container) {}},
		{"--rm --cidfile " + envFile + " nginx", func(c *spec.Container) {
			// It is there, and neither an error nor written to.
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

		// Options of dockhost's own, among those of docker.
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
			t.Errorf("Parse(%q) is another container once it was handed over (-before +after):\n%s", test.args, cmp.Diff(before, after))
		}
	}
}

// handedOver is a container as the supervisor reads it.
func handedOver(t *testing.T, made *spec.Container) *spec.Container {
	t.Helper()
	read := &spec.Container{}
	if err := json.Unmarshal([]byte(encode(t, made)), read); err != nil {
		t.Fatal(err)
	}
	return read
}

func encode(t *testing.T, made *spec.Container) string {
	t.Helper()
	raw, err := json.Marshal(made)
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

func TestParseRefuses(t *testing.T) {
	dir := t.TempDir()
	badEnv := write(t, dir, "bad.env", "A=1\nB C=s3cret-canary\n")
	noName := write(t, dir, "noname.env", "\n=s3cret-canary\n")
	badUTF8 := write(t, dir, "utf8.env", "A=\xff\n")
	tests := []struct {
		args []string
		want []string
	}{
		{nil, []string{"no image is named (see: dockhost run --help)"}},
		{[]string{"--rm"}, []string{"no image is named (see: dockhost run --help)"}},
		{[]string{"--restart", "always", "nginx"}, []string{"--restart always: systemd restarts the container (leave it out, and set Restart= in the unit)"}},
		{[]string{"--cgroup-parent", "x.slice", "nginx"}, []string{
			"--cgroup-parent: the container lives in the cgroup of its unit (leave it out, and set Slice= in the unit)",
		}},
		{[]string{"--no-such-flag", "nginx"}, []string{"unknown flag: --no-such-flag (see: dockhost run --help)"}},
		{[]string{"-Z", "nginx"}, []string{"unknown shorthand flag: 'Z' in -Z (see: dockhost run --help)"}},
		{[]string{"--pull", "sometimes", "nginx"}, []string{`invalid pull option: 'sometimes': must be one of "always", "missing" or "never"`}},
		{[]string{"NGINX"}, []string{"invalid reference format: repository name (library/NGINX) must be lowercase"}},
		{[]string{"-p", "x:y", "nginx"}, []string{"invalid containerPort: y"}},
		{[]string{"--name", "../x", "nginx"}, []string{
			`--name: cannot use "../x" as the name of a container: use at least 2 letters, digits, "_", "." and "-", beginning with a letter or a digit`,
		}},
		{[]string{"--disable-content-trust=false", "nginx"}, []string{
			"--disable-content-trust=false, or DOCKER_CONTENT_TRUST: signatures are not checked here (leave it out, and name the image by its digest)",
		}},
		{[]string{"--sdnotify", "healthy", "--no-healthcheck", "nginx"}, []string{
			"--sdnotify healthy: cannot wait for a health check that --no-healthcheck disables (remove one of them)",
		}},
		{[]string{"--reload-cmd", "kill -HUP 1; true", "nginx"}, []string{
			`--reload-cmd: cannot use "kill -HUP 1; true": no shell runs it (quote what a shell would act on, or use: sh -c '...')`,
		}},
		{[]string{"--reload-cmd", "echo '", "nginx"}, []string{`--reload-cmd: cannot split "echo '" into words: close its quotes and parentheses`}},
		{[]string{"--reload-cmd", " ", "nginx"}, []string{"--reload-cmd: the command is empty"}},
		// All at once.
		{[]string{
			"--restart=on-failure:3", "--runtime", "dockhost", "--use-api-socket", "--sdnotify", "soon", "--reload-signal", "HUP", "--reload-cmd", "x",
			"--pull-stall-timeout", "0", "--cgroups=", "--mac-address", "x", "nginx",
		}, []string{
			`--sdnotify: cannot use "soon": use started, healthy, container, off, tcp:PORT, http://:PORT/PATH or https://:PORT/PATH`,
			"--reload-signal and --reload-cmd: use one of them",
			"--pull-stall-timeout: cannot use 0s: use a time above 0, such as 60s",
			"--cgroups: the name is empty: use all, name=systemd or a controller such as memory",
			"--restart on-failure:3: systemd restarts the container (leave it out, and set Restart= in the unit)",
			"--runtime dockhost: it runs every container here (leave it out, or name the runtime that it is to call)",
			"--use-api-socket: it copies registry logins into the container (leave it out, and use: -v /var/run/docker.sock:/var/run/docker.sock)",
			"x is not a valid mac address",
		}},

		// Nothing that may be a secret.
		{[]string{"-e", "=s3cret-canary", "nginx"}, []string{
			`invalid argument "=..." for "-e, --env" flag: invalid environment variable: =... (see: dockhost run --help)`,
		}},
		{[]string{"-Epassword=s3cret-canary", "nginx"}, []string{"unknown shorthand flag: 'E' in -Epassword=... (see: dockhost run --help)"}},
		{[]string{"--=s3cret-canary", "nginx"}, []string{"bad flag syntax: --=... (see: dockhost run --help)"}},
		{[]string{"--enw=A=s3cret-canary", "nginx"}, []string{"unknown flag: --enw (see: dockhost run --help)"}},
		{[]string{"--mount", `type=volume,volume-opt=o="s3cret-canary",scr=x`, "nginx"}, []string{
			`invalid argument "type=...,volume-opt=...,scr=..." for "--mount" flag: parse error on line 1, column 26: bare " in non-quoted-field (see: dockhost run --help)`,
		}},
		{[]string{"--env-file", badEnv, "--env-file", noName, "nginx"}, []string{
			"--env-file: " + badEnv + ":2: want lines of NAME=VALUE in UTF-8, without white space in the name",
			"--env-file: " + noName + ":2: want lines of NAME=VALUE in UTF-8, without white space in the name",
		}},
		{[]string{"--label-file", badUTF8, "nginx"}, []string{
			"--label-file: " + badUTF8 + ":1: want lines of NAME=VALUE in UTF-8, without white space in the name",
		}},
		{[]string{"--env-file", dir + "/none", "nginx"}, []string{"open " + dir + "/none: no such file or directory"}},
	}
	for _, test := range tests {
		got, err := Parse(test.args, Options{})
		if got != nil || err == nil {
			t.Errorf("Parse(%q) = %v, %v, want an error", test.args, got, err)
			continue
		}
		if diff := cmp.Diff(test.want, strings.Split(err.Error(), "\n")); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", test.args, diff)
		}
	}
}

// Errors quote names, addresses, ports and paths, and nothing else that stands
// behind a "=": options of volumes and of log drivers hold passwords, too.
func TestErrorsKeepValues(t *testing.T) {
	quoted := []string{
		"add-host", "device", "env-file", "expose", "label-file", "mac-address", "name", "platform", "publish", "pull", "restart",
	}
	flags := newCommand(nil).Flags()
	addOwn(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		if slices.Contains(quoted, flag.Name) || strings.HasPrefix(flag.Name, "reload-") || flag.Name == "sdnotify" {
			return
		}
		for _, value := range []string{
			"=s3cret-canary", "A=s3cret-canary", "a=b,password=s3cret-canary", "type=volume,volume-opt=a=s3cret-canary,x=y",
		} {
			_, err := Parse([]string{"--" + flag.Name + "=" + value, "nginx"}, Options{})
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("Parse(--%s=%s) = %v, want an error without the value", flag.Name, value, err)
			}
		}
	})
	// An -e that was forgotten, or taken for a value.
	if _, err := Parse([]string{"--rm", "-p", "-e", "PASSWORD=s3cret-canary", "nginx"}, Options{}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("Parse() with a variable for the image = %v, want an error without its value", err)
	}
}

// A pipe is read once: a second look at it would wait for ever, or see nothing.
func TestEnvFileIsAPipe(t *testing.T) {
	parse := func(content string) (*spec.Container, error) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := w.WriteString(content); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return Parse([]string{"--env-file", "/dev/fd/" + itoa(r.Fd()), "nginx"}, Options{})
	}
	if c, err := parse("A=1\n"); err != nil || !slices.Equal(c.Config.Env, []string{"A=1"}) {
		t.Errorf("Parse() with a pipe = %v, %v", c, err)
	}
	if _, err := parse("s3cret canary\n"); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("Parse() with a bad line in a pipe = %v, want an error without the line", err)
	}
}

func TestContentTrust(t *testing.T) {
	t.Setenv("DOCKER_CONTENT_TRUST", "1")
	if _, err := Parse([]string{"nginx"}, Options{}); err == nil {
		t.Error("Parse() takes an image by its tag, though its signature was to be checked")
	}
	pinned := "nginx@sha256:" + strings.Repeat("0a", 32)
	if _, err := Parse([]string{pinned}, Options{}); err != nil {
		t.Errorf("Parse(%q) = %v", pinned, err)
	}
}

func TestDefaultPlatform(t *testing.T) {
	t.Setenv("DOCKER_DEFAULT_PLATFORM", "linux/arm/v7")
	if c, err := Parse([]string{"nginx"}, Options{}); err != nil || c.Platform != "linux/arm/v7" {
		t.Errorf("Parse().Platform = %+v, %v, want that of DOCKER_DEFAULT_PLATFORM", c, err)
	}
}

func TestProxies(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.json", `{"auths": {"x": {"auth": "not base64"}}, "proxies": {
		"default": {"httpProxy": "http://proxy:3128", "noProxy": "localhost"}, "unix:///other.sock": {"allProxy": "socks5://other"}}}`)
	tests := []struct {
		host string
		args []string
		want []string
	}{
		{"", nil, []string{"HTTP_PROXY=http://proxy:3128", "NO_PROXY=localhost", "http_proxy=http://proxy:3128", "no_proxy=localhost"}},
		{"unix:///other.sock", nil, []string{"ALL_PROXY=socks5://other", "all_proxy=socks5://other"}},
		{"unix:///other.sock", []string{"-e", "ALL_PROXY=", "-e", "all_proxy"}, []string{"ALL_PROXY=", "all_proxy"}},
	}
	for _, test := range tests {
		c, err := Parse(append(test.args, "nginx"), Options{Host: test.host, ConfigDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, c.Config.Env); diff != "" {
			t.Errorf("Parse(%q) with proxies for %q (-want +got):\n%s", test.args, test.host, diff)
		}
	}
}

func TestBadConfig(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.json", `{"proxies": "s3cret-canary"}`)
	_, err := Parse([]string{"nginx"}, Options{ConfigDir: dir})
	if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), dir+"/config.json") {
		t.Errorf("Parse() with a bad config.json = %v, want an error that names it", err)
	}
}

// docker/cli keeps some values in maps: the same arguments must make the same
// container, or it would be taken for a changed one.
func TestParseIsStable(t *testing.T) {
	args := []string{"--rm"}
	for _, n := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		args = append(args, "-e", n+"=1", "-v", "/"+n+":/"+n, "-p", "80:80"+itoa(uintptr(n[0]-'a')), "-l", n+"=1",
			"--sysctl", "net."+n+"=1", "--tmpfs", "/t"+n, "--log-opt", n+"=1", "--network", "net"+n)
	}
	args = append(args, "--ulimit", "core=0", "--ulimit", "nofile=1", "--ulimit", "nproc=1", "--ulimit", "rss=1",
		"--gpus", "driver=x,capabilities=a,device=1,options=a=b", "nginx")
	first := ""
	for range 30 {
		c, err := Parse(args, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = encode(t, c)
		}
		if diff := cmp.Diff(first, encode(t, c)); diff != "" {
			t.Fatalf("Parse() of the same arguments (-first +later):\n%s", diff)
		}
	}
}

// The names of our options must be free in docker run, which may get new ones
// with each version of docker/cli.
func TestOwnOptionsAreFree(t *testing.T) {
	docker := newCommand(nil).Flags()
	mine := pflag.NewFlagSet("", pflag.ContinueOnError)
	addOwn(mine)
	mine.VisitAll(func(flag *pflag.Flag) {
		if docker.Lookup(flag.Name) != nil {
			t.Errorf("docker run has --%s itself: ours needs another name", flag.Name)
		}
		if flag.Shorthand != "" {
			t.Errorf("--%s has the short form -%s: those are docker run's", flag.Name, flag.Shorthand)
		}
	})
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"--rm", "--help"}} {
		if _, err := Parse(args, Options{}); !errors.Is(err, ErrHelp) {
			t.Errorf("Parse(%q) = %v, want ErrHelp", args, err)
		}
	}
	help := Help()
	for _, want := range []string{"--sdnotify MODE", "--pid-file FILE", "-p, --publish list", "--rm "} {
		if !strings.Contains(help, want) {
			t.Errorf("Help() lacks %q", want)
		}
	}
	for _, refused := range []string{"--restart", "--cgroup-parent", "--use-api-socket", "--cpu-count", "--detach"} {
		if strings.Contains(help, refused+" ") {
			t.Errorf("Help() offers %s", refused)
		}
	}
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
		// It may name no files: they would be read.
		if strings.Contains(line, "file") || strings.Contains(line, "seccomp") {
			t.Skip()
		}
		args := strings.Split(line, " ")
		made, err := Parse(args, Options{})
		if (made == nil) == (err == nil) {
			t.Fatalf("Parse(%q) = %v, %v", args, made, err)
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

func itoa(n uintptr) string { return strconv.FormatUint(uint64(n), 10) }
