//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestRunRecreatesContainer changes the arguments of a unit: its next start
// applies them, even if an old container has the name.
func TestRunRecreatesContainer(t *testing.T) {
	tests := []struct{ name, before string }{
		{"over the unit's stopped container", "timeout 60 systemctl start one && systemctl stop one"},
		{"over a container of a killed supervisor", "timeout 60 systemctl start one && systemctl kill -s KILL --kill-who=main one && systemctl stop one"},
	}
	h := newHost(t)
	h.login()
	h.run("docker pull -q localhost:5000/app:1")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.login()
			h.unit("one.service", service("/usr/bin/dockhost run --name app -e A=old localhost:5000/app:1"))
			h.run(test.before)
			h.unit("one.service", service("/usr/bin/dockhost run --name app -e A=new localhost:5000/app:1"))
			h.start("one")
			if env := h.output("docker inspect -f '{{.Config.Env}}' app"); !strings.Contains(env, "A=new") {
				t.Errorf("environment = %s, want A=new", env)
			}
			h.run("systemctl stop one")
			if state := h.output("docker inspect -f '{{.State.Status}}' app"); state != "exited" {
				t.Errorf("state of a container without --rm = %s after the stop, want exited", state)
			}
			h.run("docker rm app >/dev/null")
			h.nothingLeft("one.service")
		})
	}
}

// TestRunRefusesTakenName starts a unit whose container name belongs to another
// unit, or to a container that dockhost did not create, running or not.
func TestRunRefusesTakenName(t *testing.T) {
	h := newHost(t)
	h.login()
	h.unit("one.service", service("/usr/bin/dockhost run --rm --name app localhost:5000/app:1"))
	h.unit("two.service", service("/usr/bin/dockhost run --rm --name app localhost:5000/app:1"))
	h.start("one")
	before := h.pid("app")
	if _, code := h.try("timeout 60 systemctl start two"); code == 0 {
		t.Error("the second unit started")
	}
	if log := h.journal("two.service"); !strings.Contains(log, `a container named "app" belongs to one.service (stop that unit, or use another name)`) {
		t.Errorf("journal of the second unit = %s, want the unit that owns the name", log)
	}
	if after := h.pid("app"); after != before {
		t.Errorf("pid of the first unit's container = %s, want %s", after, before)
	}
	if status := h.property("two.service", "ExecMainStatus"); status != "125" {
		t.Errorf("ExecMainStatus = %s, want 125", status)
	}
	h.run("systemctl stop one")
	for _, stranger := range []string{"docker run -d --name app localhost:5000/app:1", "docker create --name app localhost:5000/app:1"} {
		id := h.output(stranger)
		h.try("timeout 60 systemctl start two")
		if log := h.said("two.service"); !strings.Contains(log, `a container named "app" exists that dockhost did not create (give it another name: docker rename app app-old,`) {
			t.Errorf("journal of the second unit over %q = %s, want the command that helps", stranger, log)
		}
		h.run("docker rm -f " + id)
	}
}

// TestRunUsesLoginsOfUnitUser runs units as a user of the group docker: they use
// that user's registry logins.
func TestRunUsesLoginsOfUnitUser(t *testing.T) {
	const auth = `{"auth": "ZGVwbG95OnMzY3JldA=="}`
	tests := []struct{ name, prepare, lines string }{
		{"config.json", `mkdir -p ~deploy/.docker && echo '{"auths": {"localhost:5000": ` + auth + `}}' >~deploy/.docker/config.json`, ""},
		{".dockercfg", `echo '{"localhost:5000": ` + auth + `}' >~deploy/.dockercfg`, ""},
		{"DOCKER_CONFIG", `mkdir -p /etc/deploy && echo '{"auths": {"localhost:5000": ` + auth + `}}' >/etc/deploy/config.json`, "Environment=DOCKER_CONFIG=/etc/deploy"},
		{"credential helper", `mkdir -p ~deploy/.docker && echo '{"credHelpers": {"localhost:5000": "test"}}' >~deploy/.docker/config.json` +
			` && printf '%s\n' '#!/bin/sh' 'echo "{\"Username\": \"deploy\", \"Secret\": \"s3cret\"}"' >/usr/local/bin/docker-credential-test && chmod +x /usr/local/bin/docker-credential-test`, ""},
		{
			"LoadCredential", `mkdir -p /etc/deploy && echo '{"auths": {"localhost:5000": ` + auth + `}}' >/etc/deploy/config.json && chmod 600 /etc/deploy/config.json`,
			"LoadCredential=docker-config:/etc/deploy/config.json",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.run("useradd -m -G docker deploy")
			t.Cleanup(func() {
				h.run("userdel -r deploy 2>/dev/null || true; rm -rf /etc/deploy /usr/local/bin/docker-credential-test; docker rmi -f localhost:5000/app:1 >/dev/null 2>&1 || true")
			})
			h.run("docker rmi -f localhost:5000/app:1 >/dev/null 2>&1 || true; " + test.prepare)
			h.unit("app.service", service("/usr/bin/dockhost run --rm --name app localhost:5000/app:1", "User=deploy", test.lines))
			h.start("app")
			h.inUnit("app", "app.service")
			if user := h.output("ps -o user= -p " + h.property("app.service", "MainPID")); user != "deploy" {
				t.Errorf("the supervisor runs as %s, want deploy", user)
			}
			h.run("systemctl stop app")
			h.nothingLeft("app.service")
		})
	}
	t.Run("no login", func(t *testing.T) {
		h := newHost(t)
		h.run("useradd -m -G docker deploy")
		t.Cleanup(func() { h.run("userdel -r deploy 2>/dev/null || true") })
		h.run("docker rmi -f localhost:5000/app:1 >/dev/null 2>&1 || true")
		h.unit("app.service", service("/usr/bin/dockhost run --rm --name app localhost:5000/app:1", "User=deploy"))
		h.run("systemctl start --no-block app")
		h.eventually("STATUS= names the missing login", func() error {
			if status := h.property("app.service", "StatusText"); !strings.Contains(status, "without a login for localhost:5000") {
				return fmt.Errorf("StatusText = %q", status)
			}
			return nil
		})
	})
	t.Run("without Delegate=", func(t *testing.T) {
		h := newHost(t)
		h.login()
		h.run("docker pull -q localhost:5000/app:1 && useradd -m -G docker deploy")
		t.Cleanup(func() { h.run("userdel -r deploy 2>/dev/null || true") })
		h.unit("app.service", strings.Replace(service("/usr/bin/dockhost run --rm --name app localhost:5000/app:1", "User=deploy"), "Delegate=yes\n", "", 1))
		h.start("app")
		h.inUnit("app", "app.service")
		h.run("systemctl stop app")
		h.nothingLeft("app.service")
	})
}

// TestRunWorksInForeground runs dockhost run from a shell, without systemd.
func TestRunWorksInForeground(t *testing.T) {
	h := newHost(t)
	h.login()
	if out, code := h.try("dockhost run --rm localhost:5000/busybox echo hello"); code != 0 || !strings.Contains(out, "hello\n") {
		t.Errorf("dockhost run exits %d and prints %q, want 0 and hello", code, out)
	}
	if out, code := h.try("dockhost run --rm -t localhost:5000/busybox sh -c 'echo out; exit 3'"); code != 3 || !strings.Contains(out, "out\r\n") {
		t.Errorf("dockhost run -t exits %d and prints %q, want 3 and out", code, out)
	}
	if out := h.output("dockhost run --rm localhost:5000/busybox sh -c 'echo out; echo err >&2' 2>/dev/null"); out != "out" {
		t.Errorf("standard output = %q, want out", out)
	}
	h.run(`dockhost run --rm --name app localhost:5000/app:1 >/dev/null 2>&1 & pid=$!
		until curl -fs -o /dev/null "http://$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' app 2>/dev/null):8080/healthz"; do sleep 0.1; done
		kill $pid; wait $pid`)
	h.nothingLeft("none")
}

// TestRunRefusesWrongFlags runs wrong command lines: each error names the reason,
// and no container is created.
func TestRunRefusesWrongFlags(t *testing.T) {
	h := newHost(t)
	tests := []struct{ command, want string }{
		{"dockhost run --restart sometimes nginx", "--restart"},
		{"dockhost run '${IMAGE}'", "not filled in"},
		{"dockhost run --cgroup-parent /x nginx", "--cgroup-parent"},
		{"dockhost run --no-such-flag nginx", "--no-such-flag"},
		{"dockhost run", "no image is named"},
		{"dockhost run --sdnotify sometime nginx", "started, healthy, container"},
		{"dockhost --cgroups all start nginx", "run"},
	}
	for _, test := range tests {
		if out, code := h.try(test.command); code == 0 || !strings.Contains(out, test.want) {
			t.Errorf("%s exits %d and prints %q, want %q", test.command, code, out, test.want)
		}
	}
	if left := h.output("docker ps -aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
	if out := h.run("dockhost run --help"); !strings.Contains(out, "--sdnotify") || !strings.Contains(out, "--publish") {
		t.Errorf("dockhost run --help prints %s, want --sdnotify and --publish", out)
	}
}

// TestRunStopsWithKillModeControlGroup stops a unit whose KillMode= makes systemd
// signal the container too: the unit still ends with success.
func TestRunStopsWithKillModeControlGroup(t *testing.T) {
	h := newHost(t)
	h.login()
	h.unit("app.service", strings.Replace(service("/usr/bin/dockhost run --rm --name app localhost:5000/app:1"), "KillMode=mixed\n", "", 1))
	for range 3 {
		h.run("systemctl start app && systemctl stop app")
		if result := h.property("app.service", "Result"); result != "success" {
			t.Errorf("Result = %s, want success: %s", result, h.journal("app.service"))
		}
		h.nothingLeft("app.service")
	}
}

// TestRunExitsAsItsContainer checks that a unit has the exit status of its
// container, or the one of docker run if the container cannot start.
func TestRunExitsAsItsContainer(t *testing.T) {
	tests := []struct{ name, command, status string }{
		{"an exit status", "localhost:5000/busybox sh -c 'exit 7'", "7"},
		{"a signal", "localhost:5000/busybox sh -c 'kill -9 $$$$; sleep 9'", "137"},
		{"a command that cannot be executed", "localhost:5000/busybox /etc", "126"},
		{"a command that is not found", "localhost:5000/busybox /none", "127"},
		{"a missing image", "--pull never localhost:5000/none", "125"},
	}
	h := newHost(t)
	h.login()
	for _, test := range tests {
		h.unit("one.service", service("/usr/bin/dockhost run --rm --init --name one "+test.command))
		h.try("timeout 60 systemctl start one")
		h.reaches("one.service", "failed")
		if status := h.property("one.service", "ExecMainStatus"); status != test.status {
			t.Errorf("%s: ExecMainStatus = %s, want %s: %s", test.name, status, test.status, h.said("one.service"))
		}
		h.run("systemctl reset-failed one")
		h.nothingLeft("one.service")
	}
}

// TestRunStopsWithImageSignal checks that systemctl stop sends the stop signal of
// the image, once.
func TestRunStopsWithImageSignal(t *testing.T) {
	h := newHost(t)
	h.login()
	h.unit("web.service", service("/usr/bin/dockhost run --rm --name web localhost:5000/nginx:1.22"))
	h.start("web")
	since := h.now()
	h.run("systemctl stop web")
	if signals := h.signals(since); !slices.Equal(signals, []string{"3"}) {
		t.Errorf("signals = %v, want one SIGQUIT (3)", signals)
	}
	if result := h.property("web.service", "Result"); result != "success" {
		t.Errorf("Result = %s, want success", result)
	}
	h.nothingLeft("web.service")
}

// TestRunFollowsPullPolicy checks when --pull asks the registry.
func TestRunFollowsPullPolicy(t *testing.T) {
	h := newHost(t)
	h.login()
	h.run("docker pull -q localhost:5000/app:1 && docker tag localhost:5000/app:1 localhost:5000/app:2")
	t.Cleanup(func() { h.try("docker rmi localhost:5000/app:2") })
	for _, test := range []struct{ pull, version string }{{"missing", "1"}, {"never", "1"}, {"always", "2"}} {
		h.unit("app.service", service("/usr/bin/dockhost run --rm --name app --pull "+test.pull+" localhost:5000/app:2"))
		h.start("app")
		if env := h.output("docker inspect -f '{{.Config.Env}}' app"); !strings.Contains(env, "APP_VERSION="+test.version) {
			t.Errorf("--pull %s: environment = %s, want version %s", test.pull, env, test.version)
		}
		h.run("systemctl stop app")
	}
}
