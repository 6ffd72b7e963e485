//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestDockerStartIsRefused runs docker start for a container whose unit is down.
// Docker must refuse, or the container would run outside its unit.
func TestDockerStartIsRefused(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	// As after a power cut: the container exists, the unit does not run.
	h.run("systemctl stop dockhost.socket dockhost")
	h.run("systemctl kill -s KILL --kill-who=main dockhost@web; systemctl stop dockhost@web")
	h.run("docker inspect web >/dev/null")
	for _, placement := range []string{"kept", "lost"} {
		out, code := h.try("docker start web")
		if code == 0 || !strings.Contains(out, "dockhost@web.service") {
			t.Errorf("with its placement %s, docker start exits %d and prints %q, want the unit's name", placement, code, out)
		}
		h.run("rm -f /run/dockhost/runtime/*")
	}
	h.run("systemctl start dockhost")
	h.ready("web")
}

// TestOtherContainersRunUnchanged runs containers that dockhost does not manage,
// by runc and by dockhost's runtime.
func TestOtherContainersRunUnchanged(t *testing.T) {
	h := newHost(t)
	h.run("docker login -u deploy -p s3cret localhost:5000 >/dev/null 2>&1; docker pull -q localhost:5000/busybox >/dev/null; docker logout localhost:5000 >/dev/null")
	for _, runtime := range []string{"runc", "dockhost"} {
		if out := h.output("docker run --rm --runtime " + runtime + " localhost:5000/busybox echo hello"); out != "hello" {
			t.Errorf("with runtime %s docker run prints %q, want hello", runtime, out)
		}
	}
}

// TestContainerReturnsWithDocker restarts Docker without live-restore, which ends
// the container: it starts again with Docker. dockhost does not start a Docker
// that was stopped.
func TestContainerReturnsWithDocker(t *testing.T) {
	h := newHost(t)
	if h.output("docker info -f '{{.LiveRestoreEnabled}}'") == "true" {
		t.Skip("daemon.json has live-restore")
	}
	h.assign(app("restart: on-failure"))
	h.ready("app")
	before := h.pid("app")
	h.run("systemctl restart docker")
	h.eventually("the container is back", func() error {
		if after, code := h.try("docker inspect -f '{{.State.Pid}}' app"); code != 0 || strings.TrimSpace(after) == before {
			return fmt.Errorf("%s", after)
		}
		return nil
	})
	h.ready("app")

	h.run("systemctl stop docker.service docker.socket")
	h.eventually("the unit waits", func() error {
		if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "waiting for Docker") {
			return fmt.Errorf("StatusText = %q", text)
		}
		return nil
	})
	h.run("! systemctl is-active --quiet docker.service")
	h.run("systemctl start docker.service")
	h.ready("app")
}

// TestContainerSurvivesDockerRestart restarts Docker with live-restore: the
// container keeps running, and the unit still gets its exit status.
func TestContainerSurvivesDockerRestart(t *testing.T) {
	h := newHost(t)
	h.configureDocker("live-restore", "true")
	h.assign(app(`ports: ["8080:8080"]`, "restart: 'no'"))
	h.ready("app")
	pid := h.pid("app")
	h.run("systemctl restart docker")
	h.ready("app")
	if after := h.pid("app"); after != pid {
		t.Errorf("pid = %s, want %s", after, pid)
	}
	h.run("docker exec app /app -check localhost:8080")
	h.run("curl -s -X POST 'localhost:8080/crash?code=9' || true")
	h.eventually("the unit has the exit status", func() error {
		if status := h.property("dockhost@app", "ExecMainStatus"); status != "9" {
			return fmt.Errorf("ExecMainStatus = %s", status)
		}
		return nil
	})
}

// TestContainerEndsWhileDockerIsDown ends or stops a container while Docker is
// down, with live-restore.
func TestContainerEndsWhileDockerIsDown(t *testing.T) {
	h := newHost(t)
	h.configureDocker("live-restore", "true")
	// There is no health check: if the container ends in the middle of one,
	// containerd reports the end half a minute late. Docker has removed the
	// container by then, and leaves its shim behind.
	// Each declaration is another one: a container that has ended stays ended.
	stopDocker := func(h *host, hostname string) string {
		h.assign(app("restart: 'no'", "healthcheck: {disable: true}", "hostname: "+hostname))
		h.ready("app")
		pid := h.pid("app")
		h.run("systemctl stop docker.socket docker.service")
		h.eventually("the supervisor notices that Docker is down", func() error {
			if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "Docker does not answer") {
				return fmt.Errorf("StatusText = %q", text)
			}
			return nil
		})
		return pid
	}
	t.Run("it ends", func(t *testing.T) {
		h := &host{t}
		h.run("kill -9 " + stopDocker(h, "ends"))
		h.eventually("the supervisor notices the end", func() error {
			if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "container has ended; waiting for Docker to say how") {
				return fmt.Errorf("StatusText = %q", text)
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
		pid := stopDocker(h, "stopped")
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
