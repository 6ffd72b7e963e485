//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// nothing is user data that assigns nothing.
const nothing = "#cloud-config\ndockhost: {}\n"

// unassigns has the agent read user data that assigns nothing, and does not wait.
func (h *host) unassigns() {
	h.Helper()
	h.userData(nothing)
	h.run("systemctl reload --no-block dockhost.service")
}

// swept checks that the host holds no trace of a container that is not assigned any
// more, and that nothing has failed.
func (h *host) swept() {
	h.Helper()
	h.leftNothing()
	for what, script := range map[string]string{
		"declarations, states and secrets": "ls -A /run/dockhost/containers /run/dockhost/state /run/dockhost/files | grep -v -e : -e '^$'",
		"drop-ins":                         "ls -d /run/systemd/system/dockhost@?*.service.d",
		"failed units":                     "systemctl list-units --failed --plain --no-legend 'dockhost@*'",
	} {
		h.eventually("no "+what+" are left", func() error {
			if out, _ := h.try(script + " 2>/dev/null"); out != "" {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
	}
	if s, code := h.status(); code != 0 {
		h.Errorf("status exits %d: %+v", code, s)
	}
}

// quick bounds the stop of a unit.
const quick = "x-dockhost: {unit: {Service: {TimeoutStopSec: 2s}}}"

// TestUnassignedContainerLeavesNothing ends the supervisor of a container in each phase
// while the container is unassigned: no next start cleans up, so the agent does.
func TestUnassignedContainerLeavesNothing(t *testing.T) {
	h := newHost(t)
	h.holdDocker()
	killSupervisor := func(h *host) {
		supervisor := h.property("dockhost@app", "MainPID")
		if supervisor == "0" {
			h.Fatal("the supervisor has ended by itself")
		}
		h.run("kill -9 " + supervisor)
		h.gone(supervisor)
	}
	for _, hold := range []string{`after POST .*/containers/create`, `after POST .*/start`} {
		h.subtest("start, "+hold, func(h *host) {
			h.write("/run/hold", hold)
			h.assign(app(quick))
			h.holds()
			killSupervisor(h)
			h.unassigns()
			h.run("rm -f /run/hold /run/held")
			h.swept()
		})
	}
	for _, hold := range []string{`before POST .*/stop`, `before DELETE `, `after DELETE `} {
		h.subtest("stop, "+hold, func(h *host) {
			// Without a bound on the stop: systemd must not end the supervisor before this does.
			h.assign(app())
			h.ready("app")
			h.write("/run/hold", hold)
			h.unassigns()
			h.holds()
			killSupervisor(h)
			h.run("rm -f /run/hold /run/held")
			h.swept()
		})
	}
}

// TestUnassignedWhileHostIsInTrouble takes a container out of the assignment while Docker
// or systemd does not answer, the agent is killed, or the unit waits for its restart.
func TestUnassignedWhileHostIsInTrouble(t *testing.T) {
	h := newHost(t)
	h.subtest("stop, while dockerd hangs", func(h *host) {
		h.assign(app(quick))
		h.ready("app")
		h.run("docker rename app renamed; kill -STOP $(pidof dockerd)")
		h.Cleanup(func() { h.run("kill -CONT $(pidof dockerd)") })
		h.unassigns()
		h.reaches("dockhost@app", "inactive", "failed")
		h.run("kill -CONT $(pidof dockerd)")
		h.swept()
	})
	h.subtest("stop, with the agent killed and systemd executed again", func(h *host) {
		h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: 2s"))
		h.ready("app")
		h.unassigns()
		h.reaches("dockhost@app", "deactivating")
		h.run("systemctl daemon-reexec; systemctl kill -s KILL --kill-who=main dockhost")
		h.swept()
	})
	h.subtest("stop, while systemd is executed again", func(h *host) {
		h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: 2s"))
		h.ready("app")
		h.unassigns()
		h.reaches("dockhost@app", "deactivating")
		h.run("systemctl daemon-reexec")
		h.swept()
	})
	h.subtest("waiting for its restart", func(h *host) {
		h.assign(app(`command: ["-exit-after", "10ms", "-exit-code", "3"]`, "x-dockhost: {unit: {Service: {RestartSec: 1h}}}"))
		h.eventually("it waits for its restart", func() error {
			if state := h.property("dockhost@app", "SubState"); !strings.HasPrefix(state, "auto-restart") {
				return fmt.Errorf("SubState = %s", state)
			}
			return nil
		})
		h.unassigns()
		h.swept()
	})
}

// TestSweepLeavesTheRest runs the agent beside containers that look like its own: of an
// image that was made from a container of dockhost, and of a unit that someone wrote.
func TestSweepLeavesTheRest(t *testing.T) {
	h := newHost(t)
	h.assign(app())
	h.ready("app")
	h.write("/run/systemd/system/mine.service", "[Service]\nType=notify\nDelegate=yes\nExecStart=dockhost run --name mine localhost:5000/app:1\n")
	h.Cleanup(func() {
		h.run("systemctl stop mine; rm /run/systemd/system/mine.service; systemctl daemon-reload; docker rm -f copy; docker rmi -f copy:1")
	})
	h.run("systemctl daemon-reload; systemctl start mine; systemctl stop mine; docker commit app copy:1; docker run -d --name copy copy:1")
	h.userData(nothing)
	h.takeOver()
	h.eventually("app is removed", func() error {
		if out, _ := h.try("docker ps -a --format '{{.Names}}' | sort | xargs"); strings.TrimSpace(out) != "copy mine" {
			return fmt.Errorf("containers = %s, want copy and mine", out)
		}
		return nil
	})
	h.run("systemctl restart dockhost; docker inspect copy mine; systemctl start mine; systemctl stop mine; docker inspect copy")
}

// TestOlderRevisionIsReplaced runs another revision than the assigned one behind the
// agent's back: it notices, and says so until the assigned one runs.
func TestOlderRevisionIsReplaced(t *testing.T) {
	h := newHost(t)
	h.assign(app())
	h.ready("app")
	const file = "/run/dockhost/containers/app.json"
	h.run("docker pull -q localhost:5000/app:2 2>/dev/null || (docker login -u deploy -p s3cret localhost:5000 2>/dev/null && docker pull -q localhost:5000/app:2)")
	h.run("systemctl kill -s STOP dockhost; cp " + file + " /run/app.json; sed -i 's/app:1/app:2/g' " + file + "; systemctl restart dockhost@app; mv /run/app.json " + file)
	if image := h.output("docker inspect -f '{{.Config.Image}}' app"); image != "localhost:5000/app:2" {
		t.Fatalf("image = %s, want the other revision", image)
	}
	h.run("systemctl kill -s CONT dockhost")
	h.eventually("the assigned revision runs", func() error {
		c, err := h.container("app")
		if c.Image == "localhost:5000/app:2" && c.Ready {
			t.Errorf("status = %+v, want it not ready while another revision runs", c)
		}
		if err != nil || !c.Ready || c.Outdated || c.Image != "localhost:5000/app:1" {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
}

// TestRunAfterRm removes a container and runs one of the same name at once, and another
// revision while systemd executes itself again.
func TestRunAfterRm(t *testing.T) {
	h := newHost(t)
	h.assign(app())
	h.ready("app")
	h.unassigns()
	h.eventually("nothing is assigned", func() error {
		if s, _ := h.status(); len(s.Containers) > 0 {
			return fmt.Errorf("status = %+v", s.Containers)
		}
		return nil
	})
	for revision := range 3 {
		during, after := "", "dockhostctl rm app"
		if revision == 2 {
			during = "(sleep 0.2; systemctl daemon-reexec)& "
		}
		if revision == 1 {
			after = "" // the next one replaces it
		}
		out := h.run(fmt.Sprintf("%sdockhostctl run --name app --label revision=%d localhost:5000/app:1; wait; docker inspect -f '{{.Config.Labels.revision}}' app; %s", during, revision, after))
		if !strings.Contains(out, fmt.Sprintf("\n%d\n", revision)) {
			t.Errorf("run = %s, want revision %d", out, revision)
		}
	}
	h.swept()
}

// TestDockerRestartOfBusySupervisor restarts a container while its supervisor stands
// still: what the container said, and Docker noticed, meanwhile counts.
func TestDockerRestartOfBusySupervisor(t *testing.T) {
	h := newHost(t)
	for name, section := range map[string]string{
		"by itself": app(`command: ["-notify"]`, "x-dockhost: {notify: container}"),
		"by health": app(`healthcheck: {test: ["CMD", "/app", "-check", "localhost:8080"], interval: 300ms}`, "x-dockhost: {notify: healthy}"),
		"by probe":  app("x-dockhost: {notify: 'http://:8080/healthz'}"),
	} {
		h.subtest(name, func(h *host) {
			h.assign(section)
			h.ready("app")
			supervisor, before := h.property("dockhost@app", "MainPID"), h.pid("app")
			h.run("kill -STOP " + supervisor + "; docker restart -t 1 app")
			h.eventually("the container is up", func() error {
				if out, code := h.try("docker inspect -f '{{.State.Health.Status}}' app | grep -x healthy"); code != 0 {
					return fmt.Errorf("%s", out)
				}
				return nil
			})
			h.run("kill -CONT " + supervisor)
			h.eventually("the supervisor has noticed the restart", func() error {
				if journal := h.journal("dockhost@app"); !strings.Contains(journal, "container was restarted by docker restart") {
					return fmt.Errorf("%s", journal)
				}
				return nil
			})
			h.ready("app")
			if after := h.pid("app"); after == before || h.property("dockhost@app", "MainPID") != supervisor {
				h.Errorf("pid = %s, want another than %s under the same supervisor", after, before)
			}
		})
		h.run("systemctl stop dockhost@app; journalctl --rotate --vacuum-time=1s -q || true")
	}
}

// TestPortThatDockerKeeps kills dockerd while it starts a container. If it then keeps
// the port of a container that does not exist, the error says so, and the cure helps.
func TestPortThatDockerKeeps(t *testing.T) {
	h := newHost(t)
	h.write("/usr/local/sbin/slow-runc", `#!/bin/bash
case " $* " in *" create "*) if [ -e /run/slow ]; then touch /run/slowed; while [ -e /run/slow ]; do sleep 0.05; done; exit 1; fi ;; esac
exec runc "$@"
`)
	h.run("chmod +x /usr/local/sbin/slow-runc; touch /run/slow; rm -f /run/slowed")
	h.Cleanup(func() { h.run("rm -f /usr/local/sbin/slow-runc /run/slow /run/slowed") })
	runtimes := h.output(`jq -c '.runtimes + {"slow": {"path": "/usr/local/sbin/slow-runc"}}' /etc/docker/daemon.json`)
	h.configureDocker("runtimes", runtimes)
	h.assign(app("runtime: slow", `ports: ["8080:8080"]`))
	h.eventually("the runtime is called", func() error {
		_, code := h.try("test -e /run/slowed")
		if code != 0 {
			return fmt.Errorf("it was not")
		}
		return nil
	})
	h.run("systemctl kill -s KILL --kill-who=main docker.service; rm /run/slow")
	h.eventually("the container runs, or the error names the cure", func() error {
		c, err := h.container("app")
		if err != nil || c.Ready {
			return err
		}
		if c.LastError == nil || !strings.Contains(c.LastError.Message, "port 8080/tcp is already in use") {
			return fmt.Errorf("status = %+v", c)
		}
		if !strings.Contains(c.LastError.Message, "(run: systemctl restart docker)") {
			t.Errorf("last error = %s, want the cure", c.LastError.Message)
		}
		t.Log("Docker keeps the port")
		h.restartDocker()
		h.run("systemctl reset-failed dockhost@app; systemctl start dockhost@app")
		return nil
	})
	h.ready("app")

	h.run("docker run -d --name other -p 9090:8080 localhost:5000/app:1")
	h.assign(app(`ports: ["8080:8080"]`) + "")
	out, _ := h.try("dockhostctl run --name second -p 9090:8080 localhost:5000/app:1; dockhostctl rm second")
	if !strings.Contains(out, `by the container "other"`) {
		t.Errorf("run with a port that a container publishes = %s, want its name", out)
	}
}
