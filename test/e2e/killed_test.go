//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestKilledSupervisorIsReplaced kills a supervisor: its container ends with it,
// and systemd starts both again.
func TestKilledSupervisorIsReplaced(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	before := h.pid("web")
	h.run("kill -9 " + h.property("dockhost@web", "MainPID"))
	h.gone(before)
	c := h.ready("web")
	if after := h.pid("web"); after == before || c.Restarts != 1 {
		t.Errorf("pid = %s, restarts = %d, want another than %s and 1 restart", after, c.Restarts, before)
	}
	if ids := strings.Fields(h.run("docker ps -aq")); len(ids) != 1 {
		t.Errorf("containers = %v, want one", ids)
	}
	if files := strings.Fields(h.run("ls /run/dockhost/runtime")); len(files) != 1 {
		t.Errorf("placements = %v, want one", files)
	}
}

// TestContainerSurvivesKilledAgent kills the agent while a container runs.
func TestContainerSurvivesKilledAgent(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	before := h.pid("web")
	for _, kill := range []string{
		"systemctl kill -s KILL dockhost",
		// Until the reload ends, systemd starts no other agent.
		"systemctl kill -s STOP --kill-who=main dockhost; systemctl reload --no-block dockhost; " +
			"until [ $(systemctl show --value -p ActiveState dockhost) = reloading ]; do sleep 0.05; done; systemctl kill -s KILL --kill-who=main dockhost",
	} {
		h.run(kill)
		h.eventually("another agent answers", func() error {
			if s, _ := h.status(); !s.Agent.Reachable {
				return fmt.Errorf("%s", s.Agent.Error)
			}
			return nil
		})
		h.ready("web")
	}
	if after := h.pid("web"); after != before {
		t.Errorf("pid = %s, want %s", after, before)
	}
}

// TestKilledSupervisorIsReplacedInEachPhase kills a supervisor in each phase of
// a start and a stop. The next one cleans up what it left.
func TestKilledSupervisorIsReplacedInEachPhase(t *testing.T) {
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
				h.eventually("the supervisor is "+test.name, func() error {
					if text, _ := h.try("jq -r .phase /run/dockhost/state/app.json"); strings.TrimSpace(text) != test.name {
						return fmt.Errorf("phase = %s", text)
					}
					return nil
				})
			}
			if test.hold != "" {
				h.holds()
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

// TestKilledRuntimeIsRetried kills the OCI runtime before and after it has
// created the container. It is called with the arguments that Docker has registered for it.
func TestKilledRuntimeIsRetried(t *testing.T) {
	h := newHost(t)
	h.write("/usr/local/sbin/dying-runc", `#!/bin/bash
[ "$1" = --dying ] || { echo "called without its runtimeArgs: $*" >&2; exit 1; }
shift
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
	runtimes := h.output(`jq -c '.runtimes + {"dying": {"path": "/usr/local/sbin/dying-runc", "runtimeArgs": ["--dying"]}}' /etc/docker/daemon.json`)
	h.configureDocker("runtimes", runtimes)
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			h := &host{t}
			h.write("/run/dying", when+"\n")
			h.assign(app("runtime: dying"))
			if c := h.ready("app"); c.Restarts == 0 {
				t.Errorf("status = %+v, want a restart after the failed start", c)
			}
			h.stopsClean()
		})
	}
}

// TestContainerSurvivesKilledContainerd kills containerd, which the container
// survives, and then its shim, after which systemd starts it again.
func TestContainerSurvivesKilledContainerd(t *testing.T) {
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
		t.Error("the container was restarted, want it to keep running")
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
