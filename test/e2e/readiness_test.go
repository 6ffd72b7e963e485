//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// sockets is a script that counts the notify sockets of containers.
const sockets = "find /run/dockhost/runtime -name 'notify-*' | wc -l"

// says waits until the StatusText of a unit contains a text.
func (h *host) says(unit, want string) {
	h.Helper()
	h.eventually(fmt.Sprintf("StatusText of %s contains %q", unit, want), func() error {
		if text := h.property(unit, "StatusText"); !strings.Contains(text, want) {
			return fmt.Errorf("StatusText = %q", text)
		}
		return nil
	})
}

// TestContainerNotifiesSystemd runs a container that uses sd_notify(3), as another
// user and from docker exec: systemd gets its states, except those that would
// misdirect systemd, such as MAINPID=.
func TestContainerNotifiesSystemd(t *testing.T) {
	h := newHost(t)
	h.assign(app(`command: ["-notify", "-ready-after", "3s"]`, `user: "65534:65534"`, "read_only: true", "tmpfs: [/run]",
		"x-dockhost: {notify: container, unit: {Service: {WatchdogSec: 20s}}}"))
	h.says("dockhost@app", "waiting for it to say that it is ready: warming up")
	if state := h.property("dockhost@app", "ActiveState"); state != "activating" {
		t.Errorf("ActiveState = %s before READY=1, want activating", state)
	}
	h.ready("app")
	h.says("dockhost@app", "running localhost:5000/app:1: serving")
	supervisor := h.property("dockhost@app", "MainPID")
	if exe := h.output("readlink /proc/" + supervisor + "/exe"); !strings.Contains(exe, "dockhost-supervise") {
		t.Errorf("main process = %s, want the supervisor although the container sent MAINPID=", exe)
	}
	if usec := h.output("docker inspect -f '{{json .Config.Env}}' app"); !strings.Contains(usec, `"WATCHDOG_USEC=20000000"`) {
		t.Errorf("environment = %s, want WATCHDOG_USEC", usec)
	}
	h.run(`docker exec app /app -send 'STATUS=from an exec\nMAINPID=1'`) // waits until the supervisor has read it
	h.says("dockhost@app", "from an exec")

	h.run(`docker exec app /app -send 'RELOADING=1'`)
	h.reaches("dockhost@app", "reloading")
	h.run(`docker exec app /app -send 'READY=1'`)
	h.reaches("dockhost@app", "active")

	h.run("kill -9 " + supervisor)
	h.eventually("another supervisor runs", func() error {
		if pid := h.property("dockhost@app", "MainPID"); pid == supervisor || pid == "0" {
			return fmt.Errorf("MainPID = %s", pid)
		}
		return nil
	})
	h.ready("app")
	if n := h.output(sockets); n != "1" {
		t.Errorf("%s sockets after a supervisor was killed, want 1", n)
	}
	h.run("systemctl stop dockhost@app")
	if n := h.output(sockets); n != "0" {
		t.Errorf("%s sockets after the stop, want none", n)
	}
}

// TestProbeMakesUnitReady checks that a unit with a probe is ready once the
// container answers the probe.
func TestProbeMakesUnitReady(t *testing.T) {
	late := `command: ["-ready-after", "3s"]`
	tests := []struct{ name, container, section, status string }{
		{"http", "app", app(late, "x-dockhost: {notify: 'http://:8080/healthz'}"), "waiting for http://:8080/healthz: 503 Service Unavailable"},
		{"http without a network", "app", app(late, "network_mode: none", "x-dockhost: {notify: 'http://:8080/healthz'}"), "503 Service Unavailable"},
		{"http of the host's network", "app", app(late, "network_mode: host", "x-dockhost: {notify: 'http://:8080/healthz'}"), "503 Service Unavailable"},
		{"tcp", "app", app("x-dockhost: {notify: 'tcp:8080'}"), ""},
		{"tcp without a network", "app", app("network_mode: none", "x-dockhost: {notify: 'tcp:8080'}"), ""},
		{"https", "web", strings.NewReplacer("notify: healthy", "notify: 'https://:443/'").Replace(web), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.assign(test.section)
			if test.status != "" {
				h.says("dockhost@"+test.container, test.status)
				if state := h.property("dockhost@"+test.container, "ActiveState"); state != "activating" {
					t.Errorf("ActiveState = %s before the container answers, want activating", state)
				}
			}
			h.ready(test.container)
		})
	}
}

// TestFailedProbeTimesOutStart probes a port that nothing listens on: the start
// times out, and the error names the probe.
func TestFailedProbeTimesOutStart(t *testing.T) {
	h := newHost(t)
	h.assign(app("restart: 'no'", "x-dockhost: {notify: 'tcp:81', unit: {Service: {TimeoutStartSec: 8s}}}"))
	h.reaches("dockhost@app", "failed")
	if result := h.property("dockhost@app", "Result"); result != "timeout" {
		t.Errorf("Result = %s, want timeout", result)
	}
	h.eventually("the status shows the probe's error", func() error {
		c, err := h.container("app")
		if err == nil && (c.LastError == nil || !strings.Contains(c.LastError.Message, "tcp:81: connection refused")) {
			err = fmt.Errorf("last error = %+v", c.LastError)
		}
		return err
	})
	if left := h.output("docker ps -aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
}

// TestWatchdogRestartsHungContainer hangs containers whose watchdogs depend on their health,
// on a probe, or on the containers themselves: systemd restarts each.
func TestWatchdogRestartsHungContainer(t *testing.T) {
	const check = `healthcheck: {test: ["CMD", "/app", "-check", "localhost:8080"], interval: 500ms, timeout: 1s, retries: 1}`
	tests := []struct{ name, port, keys string }{
		{"by-health", "8081", check + ", x-dockhost: {notify: healthy, unit: {Service: {WatchdogSec: 4s}}}"},
		{"by-health-ready-at-once", "8082", check + ", x-dockhost: {unit: {Service: {WatchdogSec: 4s}}}"},
		{"by-a-probe", "8083", "healthcheck: {disable: true}, x-dockhost: {notify: 'http://:8080/healthz', unit: {Service: {WatchdogSec: 4s}}}"},
		{"by-itself", "8084", `command: ["-notify"], healthcheck: {disable: true}, x-dockhost: {notify: container, unit: {Service: {WatchdogSec: 4s}}}`},
	}
	h := newHost(t)
	section, before := "dockhost:\n  containers:\n", map[string]string{}
	for _, test := range tests {
		section += "    " + test.name + `: {image: "localhost:5000/app:1", ports: ["` + test.port + `:8080"], ` + test.keys + "}\n"
	}
	h.assign(section + registries)
	for _, test := range tests {
		h.ready(test.name)
		before[test.name] = h.pid(test.name)
	}
	// The containers are well for three watchdog intervals.
	h.run("sleep 12")
	for _, test := range tests {
		if after := h.pid(test.name); after != before[test.name] {
			t.Errorf("pid of %s = %s, want %s: a healthy container was restarted", test.name, after, before[test.name])
		}
	}
	for _, test := range tests {
		h.run("curl -fs -X POST localhost:" + test.port + "/hang")
	}
	for _, test := range tests {
		unit := "dockhost@" + test.name
		h.eventually("systemd has restarted "+test.name, func() error {
			if n := h.property(unit, "NRestarts"); n != "1" {
				return fmt.Errorf("NRestarts = %s", n)
			}
			return nil
		})
		h.ready(test.name)
		if after := h.pid(test.name); after == before[test.name] {
			t.Errorf("pid of %s = %s, want another one", test.name, after)
		}
		if log := h.journal(unit); !strings.Contains(log, "Watchdog timeout") || !strings.Contains(log, "systemd's watchdog ends the container") {
			t.Errorf("journal of %s = %s, want the watchdog in it", test.name, log)
		}
	}
}

// TestWatchdogLeavesPausedContainer pauses a container, which then sends no
// WATCHDOG=1: it is not restarted.
func TestWatchdogLeavesPausedContainer(t *testing.T) {
	h := newHost(t)
	h.assign(app(`command: ["-notify"]`, "x-dockhost: {notify: container, unit: {Service: {WatchdogSec: 4s}}}"))
	h.ready("app")
	before := h.pid("app")
	h.run("docker pause app && sleep 12 && docker unpause app && sleep 6")
	if after, restarts := h.pid("app"), h.property("dockhost@app", "NRestarts"); after != before || restarts != "0" {
		t.Errorf("pid = %s, NRestarts = %s, want %s and 0", after, restarts, before)
	}
}

// TestReloadReachesContainer reloads a container by a signal and by a command.
func TestReloadReachesContainer(t *testing.T) {
	tests := []struct{ name, reload string }{
		{"signal", "{signal: HUP}"},
		{"command", `{exec: ["/app", "-reload", "localhost:8080"]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.assign(app(`ports: ["8080:8080"]`, "x-dockhost: {notify: 'http://:8080/', reload: "+test.reload+"}"))
			h.ready("app")
			before := h.pid("app")
			for n := 1; n <= 2; n++ {
				h.run("systemctl reload dockhost@app")
				h.eventually("the container has reloaded", func() error {
					if got := h.output("curl -fs localhost:8080/reloads"); got != fmt.Sprint(n) {
						return fmt.Errorf("it reloaded %s times", got)
					}
					return nil
				})
			}
			h.reaches("dockhost@app", "active")
			if after := h.pid("app"); after != before {
				t.Errorf("pid = %s, want %s", after, before)
			}
		})
	}
}

// TestFailedReloadKeepsContainer reloads by a command that fails: the status shows
// the error, and the container keeps running.
func TestFailedReloadKeepsContainer(t *testing.T) {
	h := newHost(t)
	h.assign(app(`ports: ["8080:8080"]`, `x-dockhost: {reload: {exec: ["/app", "-reload", "localhost:8080"]}}`))
	h.ready("app")
	h.run("curl -fs -X POST 'localhost:8080/healthy?on=false'; systemctl reload dockhost@app")
	h.says("dockhost@app", "but could not reload the container: the command exited with 1: dockhost-test-app: 503 Service Unavailable: cannot reload while unhealthy")
	c, err := h.container("app")
	if err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, "the command exited with 1") || c.ActiveState != "active" {
		t.Errorf("status = %+v, %v, want it active and the error", c, err)
	}
	h.run("curl -fs -X POST 'localhost:8080/healthy?on=true'; systemctl reload dockhost@app")
	h.eventually("the error is gone", func() error {
		if c, err := h.container("app"); err != nil || c.LastError != nil {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
}

// TestSupervisorIgnoresUnitSignals sends signals to all processes of a unit: they
// reach the container, and the supervisor ignores them.
func TestSupervisorIgnoresUnitSignals(t *testing.T) {
	h := newHost(t)
	h.assign(app())
	h.ready("app")
	before := h.property("dockhost@app", "MainPID")
	h.run("systemctl kill -s HUP dockhost@app && systemctl kill -s USR1 dockhost@app")
	h.eventually("both have arrived", func() error {
		log := h.journal("dockhost@app")
		if !strings.Contains(log, "got SIGUSR1") || !strings.Contains(log, "reload 1, by hangup") {
			return fmt.Errorf("journal = %s", log)
		}
		return nil
	})
	if after := h.property("dockhost@app", "MainPID"); after != before {
		t.Errorf("MainPID = %s, want %s", after, before)
	}
}

// TestNotifyOffIsReadyAtOnce starts a unit with notify: off.
func TestNotifyOffIsReadyAtOnce(t *testing.T) {
	h := newHost(t)
	h.assign(app(`x-dockhost: {notify: "off"}`))
	h.ready("app")
	if kind, text := h.property("dockhost@app", "Type"), h.property("dockhost@app", "StatusText"); kind != "exec" || text != "" {
		t.Errorf("Type = %s, StatusText = %q, want exec and none", kind, text)
	}
}

// TestIdleSupervisorNeverWakes counts the context switches of a supervisor whose
// container is idle.
func TestIdleSupervisorNeverWakes(t *testing.T) {
	h := newHost(t)
	h.assign(app("healthcheck: {disable: true}", `command: ["-notify"]`, "x-dockhost: {notify: container}"))
	h.ready("app")
	wakeups := "cat /proc/" + h.property("dockhost@app", "MainPID") + "/task/*/status | awk '/^voluntary_ctxt_switches/ {n += $2} END {print n}'"
	h.within(3*time.Minute, "ten seconds without a wakeup", func() error {
		if before, after := h.output(wakeups), h.output("sleep 10; "+wakeups); before != after {
			return fmt.Errorf("context switches = %s, then %s", before, after)
		}
		return nil
	})
}

// TestDockhostRunReportsReadiness checks probes, notifications, watchdog and
// reload of hand-written units whose supervisor is not root. Such a supervisor
// probes from outside the container's network namespace.
func TestDockhostRunReportsReadiness(t *testing.T) {
	run := func(options, lines string) string {
		return service("/usr/bin/dockhost run --rm --name app "+options, "User=deploy", "Restart=always", "RestartSec=100ms", lines)
	}
	newRun := func(t *testing.T, unit string) *host {
		t.Helper()
		h := newHost(t)
		h.login()
		h.run("docker pull -q localhost:5000/app:1 && useradd -m -G docker deploy")
		t.Cleanup(func() { h.run("userdel -r deploy 2>/dev/null || true") })
		h.unit("app.service", unit)
		return h
	}
	t.Run("probe from outside", func(t *testing.T) {
		h := newRun(t, run("--sdnotify http://:8080/healthz localhost:5000/app:1 -ready-after 2s", ""))
		h.run("systemctl start --no-block app")
		h.says("app.service", "waiting for http://:8080/healthz: 503 Service Unavailable")
		h.start("app")
	})
	t.Run("probe without a network", func(t *testing.T) {
		h := newRun(t, run("--network none --sdnotify tcp:8080 localhost:5000/app:1", ""))
		h.run("systemctl start --no-block app")
		h.says("app.service", "cannot enter the container's network namespace")
		h.run("systemctl stop app")
	})
	t.Run("notifications and watchdog", func(t *testing.T) {
		h := newRun(t, run("--sdnotify container -p 8080:8080 localhost:5000/app:1 -notify", "WatchdogSec=4s"))
		h.start("app")
		h.says("app.service", "serving")
		h.run("curl -fs -X POST localhost:8080/hang")
		h.eventually("systemd has restarted it", func() error {
			if n, state := h.property("app.service", "NRestarts"), h.property("app.service", "ActiveState"); n != "1" || state != "active" {
				return fmt.Errorf("NRestarts = %s, ActiveState = %s", n, state)
			}
			return nil
		})
		h.run("systemctl stop app")
		if n := h.output(sockets); n != "0" {
			t.Errorf("%s sockets after the stop, want none", n)
		}
	})
	t.Run("reload", func(t *testing.T) {
		h := newRun(t, run("-p 8080:8080 localhost:5000/app:1", "ExecReload=/bin/kill -HUP $MAINPID"))
		h.start("app")
		h.run("systemctl reload app")
		h.eventually("the container has reloaded", func() error {
			if got := h.output("curl -fs localhost:8080/reloads"); got != "1" {
				return fmt.Errorf("it reloaded %s times", got)
			}
			return nil
		})
	})
}
