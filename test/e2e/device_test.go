//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// fuse is a device that Docker denies to containers by default.
const fuse = "/dev/fuse"

// TestDeviceStaysUsable makes systemd write the device rules of its cgroups
// again. The container's cgroup must keep its own.
func TestDeviceStaysUsable(t *testing.T) {
	h := newHost(t)
	if out, code := h.try("[ -e " + fuse + " ] || mknod " + fuse + " c 10 229; exec 3<>" + fuse); code != 0 {
		t.Skipf("%s may not open %s: %s", hostName(), fuse, out)
	}
	h.Cleanup(func() { h.try("rm -f " + fuse) })
	h.assign(idling(map[string][]string{
		"device": {"devices: ['" + fuse + "']", "mem_limit: 100m"},
		"none":   nil,
	}))
	h.ready("device")
	h.ready("none")
	const unit = "dockhost@device.service"
	const open = " sh -c 'exec 3<>" + fuse + "'"
	h.run("docker exec none mknod " + fuse + " c 10 229")
	if out, code := h.try("docker exec none" + open); code == 0 || !strings.Contains(out, "not permitted") {
		t.Fatalf("a container without the device can open it (%d, %s), so this test proves nothing", code, out)
	}
	h.run("docker exec device" + open)
	pid, cgroups := h.pid("device"), h.cgroups("device")
	limit := "cat /sys/fs/cgroup" + h.property(unit, "ControlGroup") + "/container/memory.max /sys/fs/cgroup/memory" +
		h.property(unit, "ControlGroup") + "/container/memory.limit_in_bytes 2>/dev/null || true"
	limited := h.output(limit)

	for _, disturbance := range []string{
		"systemctl daemon-reload",
		"systemctl daemon-reexec",
		"systemctl set-property --runtime " + unit + " CPUWeight=50 IOWeight=50 TasksMax=500 MemoryMax=200M",
		"systemctl daemon-reload",
		"systemctl revert " + unit,
	} {
		t.Run(disturbance, func(t *testing.T) {
			h := &host{t}
			h.run(disturbance)
			if h.pid("device") != pid || h.cgroups("device") != cgroups {
				t.Errorf("pid = %s in %q, want %s in %q", h.pid("device"), h.cgroups("device"), pid, cgroups)
			}
			if got := h.output(limit); got != limited {
				t.Errorf("limit of the container = %q, want %q", got, limited)
			}
			h.run("docker exec device" + open)
			if _, code := h.try("docker exec none" + open); code == 0 {
				t.Error("the container without the device can open it")
			}
		})
	}
	h.wentClean("device", unit)
}
