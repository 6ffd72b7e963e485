//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// What docker and systemctl do to a container and its unit works on both.
func TestDockerAndSystemctlCommandsWork(t *testing.T) {
	h := newHost(t)
	h.assign(idling(map[string][]string{"tool": {"mem_limit: 100m"}}))
	h.ready("tool")
	const unit = "dockhost@tool.service"
	pid, cgroups := h.pid("tool"), h.cgroups("tool")
	// systemd and Docker return when the container's processes are stopped.
	frozen := func() bool {
		cgroup := h.property(unit, "ControlGroup") + "/container"
		if h.unified() {
			return strings.Contains(h.run("cat /sys/fs/cgroup"+cgroup+"/cgroup.events"), "frozen 1")
		}
		return h.output("cat /sys/fs/cgroup/freezer"+cgroup+"/freezer.state") == "FROZEN"
	}

	t.Run("docker stats", func(t *testing.T) {
		h := &host{t}
		h.controller("memory")
		if usage := h.output("docker stats --no-stream --format '{{.MemUsage}}' tool"); strings.HasPrefix(usage, "0B") || !strings.Contains(usage, "/ 100MiB") {
			t.Errorf("docker stats says %q, want the container's use of 100MiB", usage)
		}
	})
	t.Run("docker top", func(t *testing.T) {
		h := &host{t}
		if out := h.run("docker top tool"); !strings.Contains(out, "sleep 1000") {
			t.Errorf("docker top says %q", out)
		}
	})
	t.Run("docker exec", func(t *testing.T) {
		h := &host{t}
		h.run("docker exec -d tool sleep 63")
		h.eventually("the exec runs", func() error {
			exec, code := h.try("pgrep -xf 'sleep 63'")
			if code != 0 {
				return fmt.Errorf("no process")
			}
			if at := h.run("cat /proc/" + strings.TrimSpace(exec) + "/cgroup"); at != cgroups {
				t.Errorf("it lies in %q, the container in %q", at, cgroups)
			}
			return nil
		})
	})
	t.Run("docker update", func(t *testing.T) {
		h := &host{t}
		tree := h.controller("memory") + h.property(unit, "ControlGroup")
		h.run("docker update --memory 50m --memory-swap 50m tool")
		if got := h.output("cat " + tree + "/container/memory.limit_in_bytes 2>/dev/null || cat " + tree + "/container/memory.max"); got != "52428800" {
			t.Errorf("the container's limit is %s, want 52428800", got)
		}
	})
	t.Run("docker pause", func(t *testing.T) {
		h := &host{t}
		h.run("docker pause tool")
		during := frozen()
		h.run("docker unpause tool")
		if after := frozen(); !during || after {
			t.Errorf("frozen = %v while paused and %v after, want true, false", during, after)
		}
		h.run("docker exec tool true")
	})
	t.Run("docker cp", func(t *testing.T) {
		h := &host{t}
		h.run("echo there and back >/root/cp && docker cp /root/cp tool:/cp && docker cp tool:/cp /root/cp.back")
		if got := h.output("cat /root/cp.back; rm /root/cp*"); got != "there and back" {
			t.Errorf("docker cp brought %q", got)
		}
	})
	t.Run("systemctl kill", func(t *testing.T) {
		h := &host{t}
		h.run("systemctl kill -s USR1 " + unit)
		h.eventually("the container has the signal", func() error {
			if out, code := h.try("docker exec tool ls /usr1"); code != 0 {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
	})
	t.Run("systemctl freeze", func(t *testing.T) {
		h := &host{t}
		if !h.unified() {
			t.Skip("systemd freezes units on cgroup v2 alone")
		}
		h.run("systemctl freeze " + unit)
		during := frozen()
		h.run("systemctl thaw " + unit)
		if after := frozen(); !during || after {
			t.Errorf("frozen = %v and %v after systemctl thaw, want true, false", during, after)
		}
	})
	t.Run("systemd-cgls", func(t *testing.T) {
		h := &host{t}
		if out := h.run("systemd-cgls --no-pager -u " + unit); !strings.Contains(out, "sleep 1000") || !strings.Contains(out, "dockhost-supervise tool") {
			t.Errorf("systemd-cgls says %q", out)
		}
	})
	t.Run("systemd-cgtop", func(t *testing.T) {
		h := &host{t}
		cgroup := h.property(unit, "ControlGroup")
		if out := h.run("systemd-cgtop -P --batch -n 1 --depth 9 " + cgroup); !strings.Contains(out, cgroup+"/container") {
			t.Errorf("systemd-cgtop says %q", out)
		}
	})
	if h.pid("tool") != pid || h.cgroups("tool") != cgroups || h.property(unit, "ActiveState") != "active" {
		t.Errorf("pid = %s in %q, want %s in %q", h.pid("tool"), h.cgroups("tool"), pid, cgroups)
	}
	h.wentClean("tool", unit)
}
