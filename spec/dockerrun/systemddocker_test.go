package dockerrun

import (
	"errors"
	"strings"
	"testing"

	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dockhost/dockhost/spec"
)

func TestSystemdDocker(t *testing.T) {
	environ := []string{
		"HOME=/root", "PATH=/bin", "USER=root", "INVOCATION_ID=1", "NOTIFY_SOCKET=/run/systemd/notify", "LISTEN_FDS=1", "XDG_RUNTIME_DIR=/run/user/0",
		"LANG=de_DE.UTF-8", "LISTEN_ADDR=:80", "DB_PASSWORD=a b=c", "=odd", "EMPTY=",
	}
	tests := []struct {
		args string
		want func(*spec.Container)
	}{
		{"run --rm nginx", func(*spec.Container) {}},
		{"run nginx", func(c *spec.Container) { c.Run.Keep = true }},
		// The example of systemd-docker's README, found in many units.
		{"--cgroups name=all --env run -it --rm --name web.service -p 443:443 nginx", func(c *spec.Container) {
			c.Name, c.Config.Tty, c.Config.OpenStdin = "web.service", true, true
			c.Config.ExposedPorts = nat.PortSet{"443/tcp": {}}
			c.HostConfig.PortBindings = nat.PortMap{"443/tcp": {{HostPort: "443"}}}
			c.Config.Env = []string{"DB_PASSWORD=a b=c", "EMPTY=", "LANG=de_DE.UTF-8", "LISTEN_ADDR=:80"}
		}},
		// The arguments of docker run override those of systemd-docker.
		{"-e run --rm -e EMPTY=full -e LANG nginx", func(c *spec.Container) {
			c.Config.Env = []string{"DB_PASSWORD=a b=c", "EMPTY=full", "LANG=C.test", "LISTEN_ADDR=:80"}
		}},
		{"-c name=systemd --cgroups=memory run --rm nginx", func(c *spec.Container) { c.Run.Controllers = []string{"name=systemd", "memory"} }},
		{"-cgroups name=systemd run --rm nginx", func(c *spec.Container) { c.Run.Controllers = []string{"name=systemd"} }},
		{"--cgroups all run --rm nginx", func(*spec.Container) {}},
		{"-n run --rm nginx", func(c *spec.Container) { c.Notify = spec.NotifyContainer }},
		{"-notify run --rm nginx", func(c *spec.Container) { c.Notify = spec.NotifyContainer }},
		{"--notify=false run --rm nginx", func(*spec.Container) {}},
		{"-n run --sdnotify healthy --rm nginx", func(c *spec.Container) { c.Notify = spec.NotifyHealthy }},
		{"-p /run/web.pid run --rm nginx", func(c *spec.Container) { c.Run.PIDFile = "/run/web.pid" }},
		{"-pid-file=/run/web.pid run --rm nginx", func(c *spec.Container) { c.Run.PIDFile = "/run/web.pid" }},
		{"--pid-file /run/web.pid -logs=false run --rm nginx", func(c *spec.Container) { c.Run.PIDFile, c.Run.Quiet = "/run/web.pid", true }},
		{"-l=true run --rm nginx", func(*spec.Container) {}},
		{"--logs=false run --rm nginx", func(c *spec.Container) { c.Run.Quiet = true }},
		{"--logs=false run --rm=false nginx", func(c *spec.Container) { c.Run.Quiet, c.Run.Keep, c.Run.Detach = true, true, true }},
		{"--logs=false run -d nginx", func(c *spec.Container) {
			c.Run.Background = true
			c.Run.Quiet, c.Run.Keep, c.Run.Detach = true, true, true
		}},
		{"run --rm=false nginx", func(c *spec.Container) { c.Run.Keep = true }},
		// Docker before 1.10 accepted one dash.
		{"run -rm -d -name web nginx", func(c *spec.Container) { c.Name, c.Run.Background = "web", true }},
		{"run -detach -name=web -rm=true nginx", func(c *spec.Container) { c.Name, c.Run.Background = "web", true }},
		{"run -it -rm --name=web nginx", func(c *spec.Container) { c.Name, c.Config.Tty, c.Config.OpenStdin = "web", true, true }},
		// Only in the place of an option.
		{"run --rm --entrypoint -rm -h -name --sdnotify started nginx -rm -name x", func(c *spec.Container) {
			c.Config.Entrypoint, c.Config.Hostname, c.Config.Cmd = []string{"-rm"}, "-name", []string{"-rm", "-name", "x"}
		}},
		{"run --rm -uroot -th -rm nginx", func(c *spec.Container) { c.Config.User, c.Config.Tty, c.Config.Hostname = "root", true, "-rm" }},
		{"run --rm -- nginx", func(*spec.Container) {}},
		{"container run --rm nginx", func(*spec.Container) {}},
		{"-D --log-level debug run --rm nginx", func(*spec.Container) {}},
		// A later systemd-docker had no word run.
		{"-- --rm nginx", func(*spec.Container) {}},
		{"--env=false -- --rm nginx -- run", func(c *spec.Container) { c.Config.Cmd = []string{"--", "run"} }},
		{"-- run --rm nginx", func(*spec.Container) {}},
		{"--logs=false --rm=false -- nginx", func(c *spec.Container) { c.Run.Quiet, c.Run.Keep, c.Run.Detach = true, true, true }},
		{"--rm -- nginx", func(*spec.Container) {}},
	}
	t.Setenv("LANG", "C.test")
	for _, test := range tests {
		want := plain()
		test.want(want)
		got, err := SystemdDocker(strings.Fields(test.args), Options{Environ: environ})
		if err != nil {
			t.Errorf("SystemdDocker(%q) = %v", test.args, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("SystemdDocker(%q) (-want +got):\n%s", test.args, diff)
		}
	}
}

func TestSystemdDockerRefuses(t *testing.T) {
	tests := []struct{ args, want string }{
		{"", `"run" is missing after the options (see: systemd-docker --help)`},
		{"--env", `"run" is missing after the options (see: systemd-docker --help)`},
		{"start web", `unknown command "start": systemd-docker has only run (see: systemd-docker --help)`},
		{"container start web", `unknown command "start": systemd-docker has only run (see: systemd-docker --help)`},
		{"container", `unknown command "container": systemd-docker has only run (see: systemd-docker --help)`},
		{"--", `"run" is missing after the options (see: systemd-docker --help)`},
		{"--rmm run nginx", `unknown flag: --rmm (see: systemd-docker --help)`},
		{
			"--config /etc/app -H tcp://10.0.0.5:2376 --tlsverify run nginx",
			"--config: leave it out, and write Environment=DOCKER_CONFIG=VALUE in the unit's [Service] section\n" +
				"--host: leave it out, and write Environment=DOCKER_HOST=VALUE in the unit's [Service] section\n" +
				"--tlsverify: leave it out, and write Environment=DOCKER_TLS_VERIFY=VALUE in the unit's [Service] section",
		},
		{"--networks=lan,wan -- nginx", "--networks: leave it out, and write --network NAME after run or --, once for each network"},
		{"--env=maybe run nginx", `invalid argument "maybe" for "-e, --env" flag: strconv.ParseBool: parsing "maybe": invalid syntax (see: systemd-docker --help)`},
		{"run", `no image is named (see: dockhost run --help)`},
		{"run -names web nginx", `unknown shorthand flag: 'n' in -names (see: dockhost run --help)`},
	}
	for _, test := range tests {
		_, err := SystemdDocker(strings.Fields(test.args), Options{})
		if err == nil || err.Error() != test.want {
			t.Errorf("SystemdDocker(%q) = %v, want %q", test.args, err, test.want)
		}
	}
	for _, args := range []string{"--help", "--help run x", "run --help"} {
		if _, err := SystemdDocker(strings.Fields(args), Options{}); !errors.Is(err, ErrHelp) {
			t.Errorf("SystemdDocker(%q) = %v, want ErrHelp", args, err)
		}
	}
}

// A name of systemd's is the container's if the unit gives it another value.
func TestPassedOn(t *testing.T) {
	tests := []struct {
		variable string
		want     bool
	}{
		{"USER=deploy", false},
		{"USER=postgres", true},
		{"LOGNAME=deploy", false},
		{"SHELL=/bin/bash", false},
		{"SHELL=/bin/ash", true},
		{"TERM=vt220", false},
		{"TERM=xterm", true},
		{"STATE_DIRECTORY=/var/lib/web", false},
		{"STATE_DIRECTORY=/data", true},
		{"RUNTIME_DIRECTORY=/run/web", false},
		{"CREDENTIALS_DIRECTORY=/run/credentials/web.service", false},
		{"CREDENTIALS_DIRECTORY=/keys", true},
		{"HOME=/data", false},
		{"PATH=/app/bin", false},
		{"INVOCATION_ID=0123", false},
		{"LANG=de_DE.UTF-8", true},
	}
	for _, test := range tests {
		got := Account{Name: "deploy", Shell: "/bin/bash"}.passedOn([]string{test.variable})
		if (len(got) == 1) != test.want {
			t.Errorf("passedOn(%s) = %q, want it passed on: %t", test.variable, got, test.want)
		}
	}
	// The account is not known.
	if got := (Account{}).passedOn([]string{"USER=postgres", "SHELL=/bin/sh"}); len(got) > 0 {
		t.Errorf("passedOn() without an account = %q, want nothing", got)
	}
}
