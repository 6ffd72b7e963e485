//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// tool is the unit of the container that the commands of these tests act on.
const tool = "dockhost@tool.service"

// TestDockerAndSystemctlCommandsWork runs the commands of docker and systemd on
// a container and its unit. None of them moves or restarts the container.
func TestDockerAndSystemctlCommandsWork(t *testing.T) {
	h := newHost(t)
	h.assign(idling(map[string][]string{"tool": {"mem_limit: 100m"}}))
	h.ready("tool")
	pid, cgroups := h.pid("tool"), h.cgroups("tool")
	h.subtest("docker stats", checkDockerStats)
	h.subtest("docker top", checkDockerTop)
	h.subtest("docker exec", checkDockerExec)
	h.subtest("docker update", checkDockerUpdate)
	h.subtest("docker pause", checkDockerPause)
	h.subtest("docker cp", checkDockerCopy)
	h.subtest("systemctl kill", checkSystemctlKill)
	h.subtest("systemctl freeze", checkSystemctlFreeze)
	h.subtest("systemd-cgls", checkCgls)
	h.subtest("systemd-cgtop", checkCgtop)
	if h.pid("tool") != pid || h.cgroups("tool") != cgroups || h.property(tool, "ActiveState") != "active" {
		t.Errorf("pid = %s in %q, want %s in %q", h.pid("tool"), h.cgroups("tool"), pid, cgroups)
	}
	h.wentClean("tool", tool)
}

func checkDockerStats(h *host) {
	h.controller("memory")
	if usage := h.output("docker stats --no-stream --format '{{.MemUsage}}' tool"); strings.HasPrefix(usage, "0B") || !strings.Contains(usage, "/ 100MiB") {
		h.Errorf("docker stats prints %q, want the container's use of 100MiB", usage)
	}
}

func checkDockerTop(h *host) {
	if out := h.run("docker top tool"); !strings.Contains(out, "sleep 1000") {
		h.Errorf("docker top prints %q, want sleep 1000 in it", out)
	}
}

func checkDockerExec(h *host) {
	h.run("docker exec -d tool sleep 63")
	h.eventually("docker exec has started its process", func() error {
		pid, code := h.try("pgrep -xf 'sleep 63'")
		if code != 0 {
			return fmt.Errorf("no process")
		}
		if got, want := h.run("cat /proc/"+strings.TrimSpace(pid)+"/cgroup"), h.cgroups("tool"); got != want {
			h.Errorf("cgroups of docker exec = %q, want the container's, %q", got, want)
		}
		return nil
	})
}

func checkDockerUpdate(h *host) {
	tree := h.controller("memory") + h.property(tool, "ControlGroup")
	h.run("docker update --memory 50m --memory-swap 50m tool")
	if got := h.output("cat " + tree + "/container/memory.limit_in_bytes 2>/dev/null || cat " + tree + "/container/memory.max"); got != "52428800" {
		h.Errorf("limit of the container = %s, want 52428800", got)
	}
}

func checkDockerPause(h *host) {
	h.run("docker pause tool")
	during := h.frozen()
	h.run("docker unpause tool")
	if after := h.frozen(); !during || after {
		h.Errorf("frozen = %v while paused and %v afterwards, want true, false", during, after)
	}
	h.run("docker exec tool true")
}

func checkDockerCopy(h *host) {
	h.run("echo there and back >/root/cp && docker cp /root/cp tool:/cp && docker cp tool:/cp /root/cp.back")
	if got := h.output("cat /root/cp.back; rm /root/cp*"); got != "there and back" {
		h.Errorf("docker cp brought %q, want %q", got, "there and back")
	}
}

func checkSystemctlKill(h *host) {
	h.run("systemctl kill -s USR1 " + tool)
	h.eventually("the container has received the signal", func() error {
		if out, code := h.try("docker exec tool ls /usr1"); code != 0 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
}

func checkSystemctlFreeze(h *host) {
	if !h.unified() {
		h.Skip("systemd freezes units only on cgroup v2")
	}
	h.run("systemctl freeze " + tool)
	during := h.frozen()
	h.run("systemctl thaw " + tool)
	if after := h.frozen(); !during || after {
		h.Errorf("frozen = %v and %v after systemctl thaw, want true, false", during, after)
	}
}

func checkCgls(h *host) {
	if out := h.run("systemd-cgls --no-pager -u " + tool); !strings.Contains(out, "sleep 1000") || !strings.Contains(out, "dockhost-supervise tool") {
		h.Errorf("systemd-cgls prints %q, want sleep 1000 and dockhost-supervise tool", out)
	}
}

func checkCgtop(h *host) {
	cgroup := h.property(tool, "ControlGroup")
	if out := h.run("systemd-cgtop -P --batch -n 1 --depth 9 " + cgroup); !strings.Contains(out, cgroup+"/container") {
		h.Errorf("systemd-cgtop prints %q, want %s/container in it", out, cgroup)
	}
}

// frozen reports whether the processes of the container tool are stopped.
// Docker and systemd return only once they are.
func (h *host) frozen() bool {
	h.Helper()
	cgroup := h.property(tool, "ControlGroup") + "/container"
	if h.unified() {
		return strings.Contains(h.run("cat /sys/fs/cgroup"+cgroup+"/cgroup.events"), "frozen 1")
	}
	return h.output("cat /sys/fs/cgroup/freezer"+cgroup+"/freezer.state") == "FROZEN"
}
