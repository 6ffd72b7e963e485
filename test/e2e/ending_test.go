//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// held is a Docker socket that lets everything through but what matches the
// pattern in /run/hold: that waits, before Docker has it or before its answer
// is given back, until the file is gone. Meanwhile there is /run/held. What
// nobody waits for any more is dropped.
const held = `
import os, re, socket, threading, time

def wait():
    open("/run/held", "w").close()
    while os.path.exists("/run/hold"):
        time.sleep(0.02)

def hold(data, when):
    try:
        want, pattern = open("/run/hold").read().strip().split(" ", 1)
    except (OSError, ValueError):
        return False
    return want == when and re.match(pattern, data.split(b"\r\n")[0].decode("latin-1")) is not None

def relay(source, to, waits):
    while data := source.recv(65536):
        if waits.is_set():
            waits.clear()
            wait()
        to.sendall(data)

def gone(client):
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False

def serve(client):
    docker = socket.socket(socket.AF_UNIX)
    docker.connect("/run/docker.sock")
    waits = threading.Event()
    def answers():
        try:
            relay(docker, client, waits)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    threading.Thread(target=answers, daemon=True).start()
    try:
        while data := client.recv(65536):
            if hold(data, "before"):
                wait()
                if gone(client):
                    break
            if hold(data, "after"):
                waits.set()
            docker.sendall(data)
    except OSError:
        pass
    docker.close()
    client.close()

listener = socket.socket(socket.AF_UNIX)
if os.path.exists("/run/held.sock"):
    os.unlink("/run/held.sock")
listener.bind("/run/held.sock")
listener.listen(64)
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
`

// holdDocker has the supervisors reach Docker through held, until the test ends.
func (h *host) holdDocker() {
	h.Helper()
	h.write("/run/held.py", held)
	h.run("systemctl stop held 2>/dev/null || true; rm -f /run/hold /run/held; systemd-run --quiet --collect --unit=held python3 /run/held.py")
	h.Cleanup(func() { h.run("rm -f /run/hold /run/held; systemctl stop held") })
	h.write("/etc/systemd/system/dockhost@.service.d/held.conf", "[Service]\nEnvironment=DOCKER_HOST=unix:///run/held.sock\n")
	h.run("systemctl daemon-reload")
	h.eventually("the held Docker answers", func() error {
		if out, code := h.try("docker -H unix:///run/held.sock version"); code != 0 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
}

// leftNothing checks that nothing of any container is left on the host, once
// its unit was stopped.
func (h *host) leftNothing() {
	h.Helper()
	places := map[string]string{
		"containers":       "docker ps -aq",
		"placements":       "ls -A /run/dockhost/runtime",
		"cgroups":          "find /sys/fs/cgroup -type d -name 'dockhost@app.service'",
		"processes":        "pgrep -a containerd-shim; pgrep -xa app",
		"mounts":           "grep -E '/var/lib/docker/(overlay2/.*/merged|containers/)' /proc/self/mounts",
		"bundles":          "ls -A /run/containerd/io.containerd.runtime.v2.task/moby",
		"runtime's states": "find /run/docker -mindepth 3 -maxdepth 3 -path '*/runtime-*/moby/*'",
		"volumes":          "docker volume ls -q",
		"links":            "ip -o link show type veth | grep -v ': eth0@'",
	}
	for what, script := range places {
		// Docker tidies up behind its answers.
		h.eventually("no "+what+" are left", func() error {
			if out, _ := h.try(script + " 2>/dev/null"); out != "" {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
	}
}

// stopsClean stops the unit and checks that it ended well and left nothing.
func (h *host) stopsClean() {
	h.Helper()
	h.run("systemctl stop dockhost.socket dockhost.service dockhost@app")
	if result := h.property("dockhost@app", "Result"); result != "success" {
		h.Errorf("Result = %s, want success", result)
	}
	h.leftNothing()
}

// unitFails waits until the container's unit has failed, with this exit status.
func (h *host) unitFails(status string) {
	h.Helper()
	h.eventually("the unit fails", func() error {
		if state := h.property("dockhost@app", "ActiveState"); state != "failed" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	if got := h.property("dockhost@app", "ExecMainStatus"); got != status {
		h.Errorf("ExecMainStatus = %s, want %s", got, status)
	}
}

// saysWhy checks what the last error says, in the status and for systemd.
func (h *host) saysWhy(want string) {
	h.Helper()
	c, err := h.container("app")
	if err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, want) {
		h.Errorf("status = %+v, %v, want the error %q", c, err, want)
	}
	if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, want) {
		h.Errorf("StatusText = %q, want %q", text, want)
	}
	if journal := h.journal("dockhost@app"); !strings.Contains(journal, want) {
		h.Errorf("the journal lacks %q:\n%s", want, journal)
	}
}

// gone waits until a process has ended.
func (h *host) gone(pid string) {
	h.Helper()
	h.eventually("process "+pid+" is gone", func() error {
		if _, code := h.try("kill -0 " + pid); code == 0 {
			return fmt.Errorf("it lives")
		}
		return nil
	})
}

// A supervisor that is killed, at whatever it is, leaves nothing that the next
// one does not put right.
func TestSupervisorKilledAt(t *testing.T) {
	tests := []struct {
		name, hold string
		section    string
	}{
		{"waiting", `before (GET|HEAD) .*/_ping`, app()},
		{"pulling, unasked", `before POST .*/images/create`, app()},
		{"pulling, asked", `after POST .*/images/create`, app()},
		{"creating, unasked", `before POST .*/containers/create`, app()},
		{"creating, asked", `after POST .*/containers/create`, app()},
		{"listening", `after POST .*/wait`, app()},
		{"starting, unasked", `before POST .*/start`, app()},
		{"starting, asked", `after POST .*/start`, app()},
		{"verifying", `before GET .*/containers/[0-9a-f]{64}/json`, app()},
		{"unready", "", app(`command: ["-ready-after", "4s"]`, `volumes: ["/data"]`,
			`healthcheck: {test: ["CMD", "/app", "-check", "localhost:8080"], interval: 500ms}`, "x-dockhost: {notify: healthy}")},
		{"running", "", app(`volumes: ["/data"]`)},
		{"stopping, unasked", `before POST .*/stop`, app()},
		{"removing, unasked", `before DELETE `, app()},
		{"removing, asked", `after DELETE `, app()},
	}
	h := newHost(t)
	h.holdDocker()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &host{t}
			h.run("rm -f /run/held; docker image rm -f localhost:5000/app:1 >/dev/null 2>&1 || true")
			down := strings.HasPrefix(test.name, "stopping") || strings.HasPrefix(test.name, "removing")
			if test.hold != "" && !down {
				h.write("/run/hold", test.hold)
			}
			h.assign(test.section)
			switch {
			case down:
				h.ready("app")
				h.write("/run/hold", test.hold)
				h.run("systemctl stop --no-block dockhost@app")
			case test.hold == "":
				h.eventually("the phase", func() error {
					if text, _ := h.try("jq -r .phase /run/dockhost/state/app.json"); strings.TrimSpace(text) != test.name {
						return fmt.Errorf("it is %s", text)
					}
					return nil
				})
			}
			if test.hold != "" {
				h.eventually("Docker is held", func() error {
					if out, code := h.try("ls /run/held"); code != 0 {
						return fmt.Errorf("%s", out)
					}
					return nil
				})
			}
			supervisor := h.property("dockhost@app", "MainPID")
			h.run("kill -9 " + supervisor)
			h.gone(supervisor)
			h.run("rm -f /run/hold")
			if down {
				h.run("systemctl start dockhost@app")
			}
			h.ready("app")
			h.stopsClean()
			if t.Failed() {
				t.Log(h.journal("dockhost@app"))
			}
		})
	}
}

// The OCI runtime may be killed before and after it has made the container.
func TestRuntimeKilled(t *testing.T) {
	h := newHost(t)
	h.write("/usr/local/sbin/dying-runc", `#!/bin/bash
case " $* " in
*" create "*) case $(cat /run/dying 2>/dev/null) in
	before) rm /run/dying; kill -9 $$ ;;
	after) rm /run/dying; runc "$@"; kill -9 $$ ;;
	esac ;;
esac
exec runc "$@"
`)
	h.run("chmod +x /usr/local/sbin/dying-runc")
	t.Cleanup(func() { h.run("rm -f /usr/local/sbin/dying-runc /run/dying") })
	runtimes := h.output(`jq -c '.runtimes + {"dying": {"path": "/usr/local/sbin/dying-runc"}}' /etc/docker/daemon.json`)
	h.configureDocker("runtimes", runtimes)
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			h := &host{t}
			h.write("/run/dying", when+"\n")
			h.assign(app("runtime: dying"))
			if c := h.ready("app"); c.Restarts == 0 {
				t.Errorf("status = %+v, want that the first start failed", c)
			}
			h.stopsClean()
		})
	}
}

// containerd may come and go, and a shim may be killed.
func TestContainerdKilled(t *testing.T) {
	h := newHost(t)
	h.assign(app(`ports: ["8080:8080"]`))
	h.ready("app")
	pid, supervisor := h.pid("app"), h.property("dockhost@app", "MainPID")
	h.run("systemctl kill -s KILL --kill-who=main containerd")
	h.eventually("containerd is back", func() error {
		if out, code := h.try("docker exec app /app -check localhost:8080"); code != 0 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	if h.pid("app") != pid || h.property("dockhost@app", "MainPID") != supervisor {
		t.Error("the container was restarted, want that it goes on")
	}
	h.run("kill -9 $(pgrep -x containerd-shim)")
	h.gone(pid)
	h.eventually("the container is back", func() error {
		if c, err := h.container("app"); err != nil || !c.Ready || c.Restarts == 0 {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	h.stopsClean()
}

// What an operator does by the docker command.
func TestOperator(t *testing.T) {
	t.Run("what disturbs nothing", func(t *testing.T) {
		h := newHost(t)
		h.assign(app(`ports: ["8080:8080"]`))
		h.ready("app")
		pid, supervisor := h.pid("app"), h.property("dockhost@app", "MainPID")
		h.run("docker pause app && docker unpause app && docker rename app other && docker update --memory-swappiness 50 other 2>/dev/null || docker update --blkio-weight 0 other")
		h.run("docker exec other /app -check localhost:8080")
		if h.pid("other") != pid || h.property("dockhost@app", "MainPID") != supervisor || h.property("dockhost@app", "ActiveState") != "active" {
			t.Error("it was restarted, want that it goes on")
		}
		// Under another name it is still removed, with its supervisor killed too.
		h.run("kill -9 " + supervisor)
		h.gone(pid)
		h.ready("app")
		h.run("docker pause app")
		h.stopsClean()
	})
	t.Run("docker restart", func(t *testing.T) {
		h := newHost(t)
		h.assign(app(`command: ["-log-rate", "10"]`, `ports: ["8080:8080"]`, "restart: 'no'"))
		h.ready("app")
		for range 2 {
			pid, supervisor := h.pid("app"), h.property("dockhost@app", "MainPID")
			since := h.output("date +%s.%N")
			h.run("docker restart app >/dev/null")
			h.eventually("it is followed again", func() error {
				if out := h.run("journalctl --no-pager -o cat -u dockhost@app --since @" + since); !strings.Contains(out, "container was restarted by docker restart") {
					return fmt.Errorf("%s", out)
				}
				return nil
			})
			h.ready("app")
			if after := h.pid("app"); after == pid || h.property("dockhost@app", "MainPID") != supervisor {
				t.Errorf("pid = %s, want another one than %s under the same supervisor", after, pid)
			}
			if at := h.run("cat /proc/" + h.pid("app") + "/cgroup"); !strings.Contains(at, "dockhost@app.service/container") {
				t.Errorf("the container lies in %q, want it in its unit", at)
			}
			h.eventually("its output is relayed", func() error {
				if out := h.run("journalctl --no-pager -o cat -t app --since @" + since + " | tail -1"); !strings.Contains(out, "of the test application") {
					return fmt.Errorf("%s", out)
				}
				return nil
			})
		}
		h.run("curl -s -X POST 'localhost:8080/crash?code=5' || true")
		h.unitFails("5")
		h.stopsFailed()
	})
	t.Run("docker rm -f", func(t *testing.T) {
		h := newHost(t)
		h.assign(app("restart: 'no'"))
		h.ready("app")
		h.run("docker rm -f app")
		h.unitFails("137")
		h.saysWhy("container was removed by docker rm")
		h.stopsFailed()
	})
	t.Run("docker kill", func(t *testing.T) {
		h := newHost(t)
		h.assign(strings.Replace(web, "x-dockhost:", "restart: 'no'\n      x-dockhost:", 1))
		h.ready("web")
		pid := h.pid("web")
		h.run("docker kill -s HUP web") // which nginx takes for a reload
		h.run("docker exec web curl -fsk https://localhost/ >/dev/null")
		if h.pid("web") != pid || h.property("dockhost@web", "ActiveState") != "active" {
			t.Error("it was restarted, want that it goes on")
		}
		h.run("docker kill web")
		h.eventually("the unit fails", func() error {
			if status, state := h.property("dockhost@web", "ExecMainStatus"), h.property("dockhost@web", "ActiveState"); status != "137" || state != "failed" {
				return fmt.Errorf("it is %s with %s", state, status)
			}
			return nil
		})
		if text := h.property("dockhost@web", "StatusText"); !strings.Contains(text, "killed by signal 9") {
			t.Errorf("StatusText = %q, want the signal", text)
		}
	})
	t.Run("docker stop that kills", func(t *testing.T) {
		h := newHost(t)
		h.assign(app(`command: ["-ignore-sigterm"]`, "restart: 'no'"))
		h.ready("app")
		h.run("docker stop -t 1 app")
		h.unitFails("137")
		h.saysWhy("did not end on its stop signal and was killed")
		h.stopsFailed()
	})
}

// stopsFailed is stopsClean for a unit that has failed already.
func (h *host) stopsFailed() {
	h.Helper()
	h.run("systemctl stop dockhost.socket dockhost.service dockhost@app; systemctl reset-failed dockhost@app")
	h.leftNothing()
}

// A stop may come at any time, more than once, and beside an operator's.
func TestStopAt(t *testing.T) {
	h := newHost(t)
	h.holdDocker()
	for name, hold := range map[string]string{
		"pulling": `before POST .*/images/create`, "creating": `before POST .*/containers/create`,
		"starting": `before POST .*/start`, "started": `after POST .*/start`,
	} {
		t.Run(name, func(t *testing.T) {
			h := &host{t}
			h.run("rm -f /run/held; docker image rm -f localhost:5000/app:1 >/dev/null 2>&1 || true")
			h.write("/run/hold", hold)
			h.assign(app())
			h.eventually("Docker is held", func() error {
				if out, code := h.try("ls /run/held"); code != 0 {
					return fmt.Errorf("%s", out)
				}
				return nil
			})
			supervisor := h.property("dockhost@app", "MainPID")
			h.run("systemctl stop --no-block dockhost@app")
			// A signal that came before systemd's own would end a start, and not
			// be a second one.
			h.eventually("systemd stops the unit", func() error {
				if state := h.property("dockhost@app", "ActiveState"); state != "deactivating" && state != "inactive" {
					return fmt.Errorf("it is %s", state)
				}
				return nil
			})
			h.run("kill -TERM " + supervisor + " 2>/dev/null || true; rm /run/hold")
			h.stopsClean()
		})
	}
	t.Run("beside docker stop", func(t *testing.T) {
		h := &host{t}
		h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: 60s"))
		h.ready("app")
		h.run("docker stop -t 60 app >/dev/null 2>&1 & echo")
		h.eventually("the signal is sent", func() error {
			if out := h.run("docker logs app 2>&1"); !strings.Contains(out, "ignoring SIGTERM") {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
		h.run("systemctl stop --no-block dockhost@app; docker kill app >/dev/null")
		h.eventually("the unit ends", func() error {
			if state := h.property("dockhost@app", "ActiveState"); state != "failed" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
		h.stopsFailed()
	})
}

// The stop timeout of the unit and the grace period of the container.
func TestStopTimeout(t *testing.T) {
	tests := []struct{ name, grace, timeout, status, warned string }{
		{"infinity", "1s", "infinity", "137", ""},
		{"the unit's is shorter", "60s", "3", "137", "cuts the container's grace period short"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: "+test.grace, "x-dockhost: {unit: {Service: {TimeoutStopSec: '"+test.timeout+"'}}}"))
			h.ready("app")
			since := h.output("date +%s.%N")
			h.try("systemctl stop dockhost@app")
			h.unitFails(test.status)
			if result := h.property("dockhost@app", "Result"); result != "exit-code" {
				t.Errorf("Result = %s, want exit-code: the supervisor ends before systemd's patience does", result)
			}
			out := h.run("journalctl --no-pager -o cat -u dockhost@app --since @" + since)
			if n := strings.Count(out, "cuts the container's grace period short"); (n == 1) != (test.warned != "") || n > 1 {
				t.Errorf("the journal warns %d times:\n%s", n, out)
			}
			h.stopsFailed()
		})
	}
}

// A command that cannot be run ends the unit as it ends docker run.
func TestCommandNotRun(t *testing.T) {
	for _, entrypoint := range []string{"/nonexistent", "/etc"} {
		t.Run(entrypoint, func(t *testing.T) {
			h := newHost(t)
			h.assign(app(`entrypoint: ["`+entrypoint+`"]`, "restart: 'no'"))
			h.eventually("the unit fails", func() error {
				if state := h.property("dockhost@app", "ActiveState"); state != "failed" {
					return fmt.Errorf("it is %s", state)
				}
				return nil
			})
			_, want := h.try("docker run --rm --entrypoint " + entrypoint + " localhost:5000/app:1")
			if got := h.property("dockhost@app", "ExecMainStatus"); got != fmt.Sprint(want) {
				t.Errorf("ExecMainStatus = %s, docker run exits %d", got, want)
			}
			h.stopsFailed()
		})
	}
}

// A container that is killed for its memory use fails with the limit that it reached.
func TestOutOfMemory(t *testing.T) {
	tests := []struct {
		name string
		keys []string
		why  string
	}{
		{"its own limit", []string{"mem_limit: 50m", "memswap_limit: 50m", "x-dockhost: {unit: {Service: {MemoryMax: 200M}}}"}, "it reached its own limit of 50MiB (mem_limit)"},
		{"the unit's limit", []string{"mem_limit: 200m", "x-dockhost: {unit: {Service: {MemoryMax: 50M}}}"}, "it reached the limit of dockhost@app.service, 50MiB (MemoryMax=)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			if h.output("docker info -f '{{.MemoryLimit}}'") != "true" {
				t.Skip("the host has no memory controller")
			}
			h.assign(app(append(test.keys, `ports: ["8080:8080"]`, "restart: 'no'")...))
			h.ready("app")
			h.run("curl -s -X POST 'localhost:8080/eat?mb=150' || true")
			h.unitFails("137")
			h.saysWhy("container was killed: out of memory (exit code 137): " + test.why)
			h.stopsFailed()
		})
	}
}

// With live-restore a container may end, or be stopped, while Docker is away.
func TestEndWithoutDocker(t *testing.T) {
	h := newHost(t)
	h.configureDocker("live-restore", "true")
	// Without a health check: where containerd loses the process in the middle
	// of one, it tells Docker of the end half a minute late, and Docker, which has
	// removed the container by then, leaves its shim behind.
	away := func(h *host) string {
		h.assign(app("restart: 'no'", "healthcheck: {disable: true}"))
		h.ready("app")
		pid := h.pid("app")
		h.run("systemctl stop docker.socket docker.service")
		h.eventually("Docker is missed", func() error {
			if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "Docker does not answer") {
				return fmt.Errorf("it says %q", text)
			}
			return nil
		})
		return pid
	}
	t.Run("it ends", func(t *testing.T) {
		h := &host{t}
		h.run("kill -9 " + away(h))
		h.eventually("the end is noticed", func() error {
			if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "container has ended; waiting for Docker to say how") {
				return fmt.Errorf("it says %q", text)
			}
			return nil
		})
		h.run("systemctl reset-failed docker.service; systemctl start docker.socket docker.service")
		h.unitFails("137")
		h.saysWhy("container was killed by signal 9")
		h.stopsFailed()
	})
	t.Run("it is stopped", func(t *testing.T) {
		h := &host{t}
		pid := away(h)
		h.run("systemctl stop dockhost@app")
		if result := h.property("dockhost@app", "Result"); result != "success" {
			t.Errorf("Result = %s, want success", result)
		}
		h.gone(pid)
		h.run("systemctl reset-failed docker.service; systemctl start docker.socket docker.service && systemctl start dockhost@app")
		h.ready("app")
		h.stopsClean()
	})
}
