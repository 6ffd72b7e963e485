//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// unit installs a unit that somebody wrote, until the test ends.
func (h *host) unit(name, text string) {
	h.Helper()
	path := "/etc/systemd/system/" + name
	h.write(path, text)
	h.run("systemctl daemon-reload")
	h.Cleanup(func() {
		h.try("systemctl kill -s KILL " + name + "; systemctl stop " + name + "; systemctl reset-failed " + name +
			"; rm -rf " + path + " " + path + ".d; systemctl daemon-reload")
	})
}

// start starts a unit, which must not take for ever.
func (h *host) start(units string) {
	h.Helper()
	h.run("timeout 120 systemctl start " + units)
}

// said is what the unit's processes logged since its last start.
func (h *host) said(unit string) string {
	h.Helper()
	return h.run("journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID=" + h.property(unit, "InvocationID"))
}

// service is the least that a unit of `dockhost run` needs, with more lines of
// its [Service] section.
func service(command string, lines ...string) string {
	return "[Unit]\nAfter=docker.service\n[Service]\nType=notify\nDelegate=yes\nKillMode=mixed\nTimeoutStopSec=20\nExecStart=" + command +
		"\n" + strings.Join(lines, "\n") + "\n"
}

// login gives root's docker command, and dockhost, the registry's password.
func (h *host) login() {
	h.Helper()
	h.run("docker login -u deploy -p s3cret localhost:5000 2>/dev/null")
	h.Cleanup(func() { h.try("rm -rf /root/.docker") })
}

// inUnit fails unless the container's first process lies in the unit's cgroup.
func (h *host) inUnit(container, unit string) {
	h.Helper()
	cgroup := h.output("cat /proc/" + h.pid(container) + "/cgroup")
	if !strings.Contains(cgroup, "/"+unit+"/container") {
		h.Errorf("container %s lies in %q, want it in %s", container, cgroup, unit)
	}
}

// nothingLeft fails when a container, its placement, its cgroup or a process
// is left of what ran in a unit.
func (h *host) nothingLeft(unit string) {
	h.Helper()
	if left := h.output("docker ps -aq --no-trunc"); left != "" {
		h.Errorf("containers left: %s", left)
	}
	if left := h.output("ls /run/dockhost/runtime"); left != "" {
		h.Errorf("left in /run/dockhost/runtime: %s", left)
	}
	if left := h.output("find /sys/fs/cgroup -type d -name '" + unit + "'"); left != "" {
		h.Errorf("cgroups left: %s", left)
	}
	if left, _ := h.try("pgrep -af 'dockhost-supervise|containerd-shim'"); left != "" {
		h.Errorf("processes left: %s", left)
	}
}

// articlePlain is the first unit of the article that dockhost comes from, with
// an image that the host can pull.
const articlePlain = `[Unit]
Description=MyApp
After=docker.service
Requires=docker.service

[Service]
TimeoutStartSec=0
ExecStartPre=-/usr/bin/docker kill nginx
ExecStartPre=-/usr/bin/docker rm nginx
ExecStartPre=/usr/bin/docker pull localhost:5000/nginx:1.22
ExecStart=/usr/bin/docker run --name nginx -p 443:443 localhost:5000/nginx:1.22

[Install]
WantedBy=multi-user.target
`

// articleWrapped is the second one, with nothing changed but the image.
const articleWrapped = `[Unit]
Description=MyApp
After=docker.service
Requires=docker.service

[Service]
TimeoutStartSec=0
# put your environment options in a file
EnvironmentFile=/etc/sysconfig/mycontainer
ExecStart=/usr/local/bin/systemd-docker --cgroups name=all --env run -it --rm --name %n  -p 443:443 localhost:5000/nginx:1.22
Restart=always
RestartSec=10s
Type=notify
NotifyAccess=all
TimeoutStartSec=600
TimeoutStopSec=15

[Install]
WantedBy=multi-user.target
`

func TestArticlePlain(t *testing.T) {
	for name, unit := range map[string]string{
		"as it is":          articlePlain,
		"with dockhost run": strings.Replace(articlePlain, "ExecStart=/usr/bin/docker run", "ExecStart=/usr/bin/dockhost run", 1),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.login()
			h.unit("nginx.service", unit)
			h.start("nginx.service")
			h.eventually("nginx answers", func() error { return h.answers("https://localhost/") })
			if strings.Contains(unit, "dockhost") {
				h.inUnit("nginx", "nginx.service")
			}
			h.run("systemctl stop nginx.service")
		})
	}
}

// answers asks the host's web server.
func (h *host) answers(url string) error {
	h.Helper()
	if out, code := h.try("curl -fsSk -o /dev/null --max-time 5 " + url); code != 0 {
		return fmt.Errorf("%s", out)
	}
	return nil
}

func TestArticleWrapped(t *testing.T) {
	for _, path := range []string{"/usr/local/bin/systemd-docker", "/usr/bin/dockhost"} {
		t.Run(path, func(t *testing.T) {
			h := newHost(t)
			h.login()
			h.write("/etc/sysconfig/mycontainer", "GREETING=hello from the unit\nPATH=/nowhere\n")
			h.run("ln -sf /usr/bin/dockhost /usr/local/bin/systemd-docker")
			t.Cleanup(func() { h.run("rm -rf /usr/local/bin/systemd-docker /etc/sysconfig") })
			h.unit("mycontainer.service", strings.Replace(articleWrapped, "/usr/local/bin/systemd-docker", path, 1))
			h.start("mycontainer.service")
			h.eventually("nginx answers", func() error { return h.answers("https://localhost/") })
			h.inUnit("mycontainer.service", "mycontainer.service")
			env := h.output("docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' mycontainer.service")
			if !strings.Contains(env, "GREETING=hello from the unit") || strings.Contains(env, "/nowhere") || strings.Contains(env, "INVOCATION_ID") || strings.Contains(env, "NOTIFY_SOCKET") {
				t.Errorf("environment of the container: %s", env)
			}
			if tty := h.output("docker inspect -f '{{.Config.Tty}} {{.Config.OpenStdin}}' mycontainer.service"); tty != "true true" {
				t.Errorf("Tty, OpenStdin = %s, want both", tty)
			}
			if n := strings.Count(h.said("mycontainer.service"), "Delegate=yes"); n != 1 {
				t.Errorf("the journal says %d times that Delegate=yes is missing, want once:\n%s", n, h.said("mycontainer.service"))
			}
			before := h.pid("mycontainer.service")
			h.run("systemctl daemon-reload")
			if after := h.pid("mycontainer.service"); after != before {
				t.Errorf("pid = %s, want %s", after, before)
			}
			h.inUnit("mycontainer.service", "mycontainer.service")
			h.run("systemctl stop mycontainer.service")
			if result := h.property("mycontainer.service", "Result"); result != "success" {
				t.Errorf("Result = %s, want success", result)
			}
			h.nothingLeft("mycontainer.service")
		})
	}
}

// Changed arguments take effect at each start, whatever was left.
func TestRunMadeAnew(t *testing.T) {
	tests := []struct{ name, before string }{
		{"after a container that was kept", "timeout 60 systemctl start one && systemctl stop one"},
		{"after a supervisor that was killed", "timeout 60 systemctl start one && systemctl kill -s KILL --kill-who=main one && systemctl stop one"},
		{"after somebody's own that has ended", "docker create --name app localhost:5000/app:1"},
		{"after somebody's own systemd-docker", "docker run -d --name app localhost:5000/app:1 && docker stop app"},
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
				t.Errorf("without --rm the container is %s after its end, want exited", state)
			}
			h.run("docker rm app >/dev/null")
			h.nothingLeft("one.service")
		})
	}
}

func TestRunNameTaken(t *testing.T) {
	h := newHost(t)
	h.login()
	h.unit("one.service", service("/usr/bin/dockhost run --rm --name app localhost:5000/app:1"))
	h.unit("two.service", service("/usr/bin/dockhost run --rm --name app localhost:5000/app:1"))
	h.start("one")
	before := h.pid("app")
	if _, code := h.try("timeout 60 systemctl start two"); code == 0 {
		t.Error("the second unit started")
	}
	if said := h.journal("two.service"); !strings.Contains(said, `a container named "app" belongs to one.service (stop that unit, or use another name)`) {
		t.Errorf("the second unit says %s", said)
	}
	if after := h.pid("app"); after != before {
		t.Errorf("pid = %s, want %s: the first one is to be left alone", after, before)
	}
	if status := h.property("two.service", "ExecMainStatus"); status != "125" {
		t.Errorf("ExecMainStatus = %s, want 125", status)
	}
	h.run("systemctl stop one; docker run -d --name app localhost:5000/app:1")
	h.try("timeout 60 systemctl start two")
	if said := h.journal("two.service"); !strings.Contains(said, `a container named "app" exists that dockhost did not create (remove it: docker rm -f app)`) {
		t.Errorf("the second unit says %s", said)
	}
}

// A unit may run as a user who may speak to Docker, with that user's logins.
func TestRunUser(t *testing.T) {
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
		h.eventually("the unit says what it lacks", func() error {
			if status := h.property("app.service", "StatusText"); !strings.Contains(status, "without a login for localhost:5000") {
				return fmt.Errorf("it says %q", status)
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

// Outside of systemd it is a foreground program.
func TestRunForeground(t *testing.T) {
	h := newHost(t)
	h.login()
	if out, code := h.try("dockhost run --rm localhost:5000/busybox echo hello"); code != 0 || !strings.Contains(out, "hello\n") {
		t.Errorf("exited %d and printed %q, want hello", code, out)
	}
	if out, code := h.try("dockhost run --rm -t localhost:5000/busybox sh -c 'echo out; exit 3'"); code != 3 || !strings.Contains(out, "out\r\n") {
		t.Errorf("exited %d and printed %q, want 3 and out", code, out)
	}
	if out := h.output("dockhost run --rm localhost:5000/busybox sh -c 'echo out; echo err >&2' 2>/dev/null"); out != "out" {
		t.Errorf("standard output is %q, want out", out)
	}
	h.run(`dockhost run --rm --name app localhost:5000/app:1 >/dev/null 2>&1 & pid=$!
		until curl -fs -o /dev/null "http://$(docker inspect -f '{{.NetworkSettings.IPAddress}}' app 2>/dev/null):8080/healthz"; do sleep 0.1; done
		kill $pid; wait $pid`)
	h.nothingLeft("none")
}

// What makes no sense is refused, each with its reason, and nothing is run.
func TestRunRefused(t *testing.T) {
	h := newHost(t)
	tests := []struct{ command, says string }{
		{"dockhost run --restart always nginx", "--restart"},
		{"dockhost run --cgroup-parent /x nginx", "--cgroup-parent"},
		{"dockhost run --no-such-flag nginx", "--no-such-flag"},
		{"dockhost run", "no image is named"},
		{"dockhost run --sdnotify sometime nginx", "started, healthy, container"},
		{"dockhost --cgroups all start nginx", "run"},
	}
	for _, test := range tests {
		if out, code := h.try(test.command); code == 0 || !strings.Contains(out, test.says) {
			t.Errorf("%s: exited %d and says %q, want %q", test.command, code, out, test.says)
		}
	}
	if left := h.output("docker ps -aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
	if out := h.run("dockhost run --help"); !strings.Contains(out, "--sdnotify") || !strings.Contains(out, "--publish") {
		t.Errorf("help says %s", out)
	}
}

// The options of systemd-docker mean what they meant.
func TestSystemdDocker(t *testing.T) {
	start := func(t *testing.T, command string, lines ...string) *host {
		t.Helper()
		h := newHost(t)
		h.login()
		h.unit("app.service", service("/usr/bin/dockhost "+command, lines...))
		h.start("app")
		return h
	}
	t.Run("--pid-file", func(t *testing.T) {
		h := start(t, "--pid-file /run/app.pid run --rm --name app localhost:5000/app:1")
		if pid := h.output("cat /run/app.pid"); pid != h.pid("app") {
			t.Errorf("pid file has %s, want %s", pid, h.pid("app"))
		}
		h.run("systemctl stop app && ! [ -e /run/app.pid ]")
	})
	t.Run("--logs=false", func(t *testing.T) {
		h := start(t, "--logs=false run --rm --name app localhost:5000/app:1 -log-rate 100")
		h.eventually("docker logs has lines", func() error {
			if out := h.output("docker logs app 2>&1 | head -5"); strings.Count(out, "\n") < 4 {
				return fmt.Errorf("it has %q", out)
			}
			return nil
		})
		if out := h.output("journalctl -q -o cat --no-pager SYSLOG_IDENTIFIER=app _SYSTEMD_INVOCATION_ID=" + h.property("app.service", "InvocationID")); out != "" {
			t.Errorf("the journal has %q, want nothing of the container's", out)
		}
	})
	t.Run("--env", func(t *testing.T) {
		h := start(t, "-e run --rm --name app -e B=run localhost:5000/app:1", "Environment=A=unit B=unit HOME=/unit")
		env := h.output("docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' app")
		if !strings.Contains(env, "A=unit") || strings.Contains(env, "HOME=") || strings.Contains(env, "SYSTEMD_EXEC_PID") {
			t.Errorf("environment = %s, want A of the unit", env)
		}
		if b := h.output("curl -fs \"http://$(docker inspect -f '{{.NetworkSettings.IPAddress}}' app):8080/env?name=B\""); !strings.Contains(b, "run") {
			t.Errorf("B = %s, want what the command says", b)
		}
	})
	t.Run("--notify", func(t *testing.T) {
		h := newHost(t)
		h.login()
		h.unit("app.service", service("/usr/bin/dockhost -n run --rm --name app localhost:5000/app:1 -ready-after 1h -notify"))
		h.run("systemctl start --no-block app")
		h.eventually("the container runs", func() error {
			if state := h.output("docker inspect -f '{{.State.Status}}' app 2>&1 || true"); state != "running" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
		if state := h.property("app.service", "ActiveState"); state != "activating" {
			t.Errorf("the unit is %s before its container says that it is ready", state)
		}
		h.run("docker exec app /app -send READY=1")
		h.eventually("the unit is active", func() error {
			if state := h.property("app.service", "ActiveState"); state != "active" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
	})
	t.Run("--logs=false --rm=false detaches", func(t *testing.T) {
		h := start(t, "--logs=false run --rm=false --name app localhost:5000/app:1")
		h.inUnit("app", "app.service")
		if pid := h.property("app.service", "MainPID"); pid != h.pid("app") {
			t.Errorf("MainPID = %s, want the container's, %s", pid, h.pid("app"))
		}
		if left, _ := h.try("pgrep -af dockhost-supervise"); left != "" {
			t.Errorf("a supervisor is left: %s", left)
		}
		h.run("systemctl restart app")
		h.inUnit("app", "app.service")
		h.run("systemctl stop app")
		h.eventually("the container has ended", func() error {
			if state := h.output("docker inspect -f '{{.State.Status}}' app"); state != "exited" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
	})
	t.Run("detaching needs Type=notify", func(t *testing.T) {
		h := newHost(t)
		h.login()
		h.unit("app.service", strings.Replace(service("/usr/bin/dockhost --logs=false run --name app localhost:5000/app:1"), "Type=notify\n", "", 1))
		h.start("app")
		h.eventually("the unit says why", func() error {
			if said := h.journal("app.service"); !strings.Contains(said, "Type=notify") {
				return fmt.Errorf("it says %s", said)
			}
			return nil
		})
	})
	t.Run("-d has no effect", func(t *testing.T) {
		h := start(t, "run -d --rm --name app localhost:5000/app:1")
		h.inUnit("app", "app.service")
		h.run("systemctl stop app")
		h.nothingLeft("app.service")
	})
	t.Run("without a name", func(t *testing.T) {
		h := start(t, "run localhost:5000/app:1")
		h.run("systemctl restart app && systemctl kill -s KILL --kill-who=main app")
		h.run("systemctl reset-failed app; systemctl restart app && systemctl stop app")
		if left := strings.Fields(h.output("docker ps -aq")); len(left) != 1 {
			t.Errorf("containers = %v, want the last one", left)
		}
	})
}

// Where systemd signals the container, too, a stop is a stop all the same.
func TestRunStopsWithControlGroup(t *testing.T) {
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

// A unit ends as its container ends.
func TestRunExitStatus(t *testing.T) {
	tests := []struct{ name, command, status string }{
		{"its own code", "localhost:5000/busybox sh -c 'exit 7'", "7"},
		{"killed by a signal", "localhost:5000/busybox sh -c 'kill -9 $$$$; sleep 9'", "137"},
		{"cannot be run", "localhost:5000/busybox /etc", "126"},
		{"not found", "localhost:5000/busybox /none", "127"},
		{"nothing to run", "--pull never localhost:5000/none", "125"},
	}
	h := newHost(t)
	h.login()
	for _, test := range tests {
		h.unit("one.service", service("/usr/bin/dockhost run --rm --init --name one "+test.command))
		h.try("timeout 60 systemctl start one")
		h.eventually("the unit ends", func() error {
			if state := h.property("one.service", "ActiveState"); state != "failed" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
		if status := h.property("one.service", "ExecMainStatus"); status != test.status {
			t.Errorf("%s: ExecMainStatus = %s, want %s: %s", test.name, status, test.status, h.said("one.service"))
		}
		h.run("systemctl reset-failed one")
		h.nothingLeft("one.service")
	}
}

// systemctl stop ends a container by its image's own signal, once.
func TestRunStop(t *testing.T) {
	h := newHost(t)
	h.login()
	h.unit("web.service", service("/usr/bin/dockhost run --rm --name web localhost:5000/nginx:1.22"))
	h.start("web")
	since := h.output("date +%s.%N")
	h.run("systemctl stop web")
	signals := strings.Fields(h.run("docker events --since " + since + " --until $(date +%s.%N) --filter event=kill --format '{{.Actor.Attributes.signal}}'"))
	if len(signals) != 1 || signals[0] != "3" {
		t.Errorf("signals = %v, want one SIGQUIT (3)", signals)
	}
	if result := h.property("web.service", "Result"); result != "success" {
		t.Errorf("Result = %s, want success", result)
	}
	h.nothingLeft("web.service")
}

// --pull says when the registry is asked.
func TestRunPull(t *testing.T) {
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
