//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// The programs of the two Docker Engines on the test host.
const (
	debianEngine = "/var/tmp/docker-debian"
	otherEngine  = "/var/tmp/docker-other"
)

// TestDockerIsReplaced upgrades Docker under a running container, and takes the upgrade
// back, with and without live-restore. test/matrix builds the other Engine.
func TestDockerIsReplaced(t *testing.T) {
	programs := os.Getenv("DOCKHOST_ENGINE")
	if programs == "" {
		t.Skip("no other Docker Engine (run: make matrix CELLS='upgrade-trixie upgrade-bookworm')")
	}
	h := newHost(t)
	h.copyTo(programs, otherEngine)
	h.run("mkdir -p " + debianEngine + " && cp $(cd " + otherEngine + " && for program in *; do command -v $program; done) " + debianEngine)
	t.Cleanup(func() {
		h.run("systemctl stop dockhost.socket dockhost.service 'dockhost@*.service'")
		h.useEngine(debianEngine)
		h.run("rm -rf " + debianEngine + " " + otherEngine)
	})
	h.subtest("live-restore", checkContainerSurvivesUpgrade)
	h.subtest("restart", checkContainerReturnsAfterUpgrade)
}

// useEngine puts the programs of an Engine in place and restarts it, as a package does.
func (h *host) useEngine(programs string) (version string) {
	h.Helper()
	h.run("systemctl reset-failed docker.service docker.socket containerd.service; systemctl stop docker.service docker.socket; systemctl stop containerd.service; cd " + programs +
		" && for program in *; do at=$(command -v $program) && cp $program $at.new && mv $at.new $at || exit; done; systemctl start containerd.service docker.socket docker.service")
	return h.output("docker version -f '{{.Server.Version}}'")
}

// checkContainerSurvivesUpgrade upgrades Docker with live-restore: the container runs on, and
// the agent and the supervisor work on with the other version. An older Docker ends the
// containers of a newer one.
func checkContainerSurvivesUpgrade(h *host) {
	h.configureDocker("live-restore", "true")
	h.assign(shell("trap 'n=$((n+1)); echo $n' USR1; trap 'exit 9' USR2; while :; do sleep 0.1; done"))
	h.ready("app")
	since, pid := h.now(), h.pid("app")
	agent, supervisor := h.property("dockhost", "MainPID"), h.property("dockhost@app", "MainPID")
	version := h.useEngine(otherEngine)
	h.ready("app")
	if after := h.pid("app"); after != pid || h.property("dockhost@app", "MainPID") != supervisor || h.property("dockhost", "MainPID") != agent {
		h.Errorf("Docker %s: the container's PID is %s, want %s, with the supervisor and the agent that it had", version, after, pid)
	}
	for n := 1; n <= 2; n++ {
		h.run("docker kill -s USR1 app")
		h.eventually("the journal has the line", func() error {
			if got := h.lines(since, 6); !slices.Equal(got, []string{"1", "2"}[:n]) {
				return fmt.Errorf("lines = %q, want %d", got, n)
			}
			return nil
		})
	}
	if out, code := h.try("dockhostctl status && dockhostctl gc"); code != 0 {
		h.Errorf("Docker %s: status and gc exit with %d: %s", version, code, out)
	}
	h.run("docker kill -s USR2 app")
	h.unitFails("9")
	h.run("systemctl reset-failed dockhost@app && systemctl start dockhost@app")
	h.ready("app")
	if place := h.output("cat /proc/" + h.pid("app") + "/cgroup"); !strings.Contains(place, "/dockhost@app.service/container") {
		h.Errorf("Docker %s starts the container in %s, want it in its unit", version, place)
	}
	h.run("systemctl stop dockhost@app")
	h.useEngine(debianEngine)
}

// checkContainerReturnsAfterUpgrade upgrades and downgrades Docker without live-restore: the
// container ends, and comes back.
func checkContainerReturnsAfterUpgrade(h *host) {
	h.configureDocker("live-restore", "false")
	h.assign(app("restart: on-failure"))
	h.ready("app")
	for _, engine := range []string{otherEngine, debianEngine} {
		h.run("systemctl restart dockhost.service") // it agrees with this Docker
		h.run("dockhostctl gc")
		agent, before := h.property("dockhost", "MainPID"), h.pid("app")
		version := h.useEngine(engine)
		h.eventually("Docker "+version+" starts the container", func() error {
			if after, code := h.try("docker inspect -f '{{.State.Pid}}' app"); code != 0 || strings.TrimSpace(after) == before {
				return fmt.Errorf("%s", after)
			}
			return nil
		})
		h.ready("app")
		if now := h.property("dockhost", "MainPID"); now != agent {
			h.Errorf("MainPID of the agent = %s, want %s", now, agent)
		}
		if out, code := h.try("dockhostctl gc"); code != 0 {
			h.Errorf("Docker %s: gc exits with %d: %s", version, code, out)
		}
	}
}
