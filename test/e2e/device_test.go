//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// fuse is a device node that Docker lets no container use by default.
const fuse = "/dev/fuse"

// systemd writes the device rules of what it manages again whenever it likes;
// the container's cgroup is none of that.
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
		t.Fatalf("without the device a container may open it (%d, %s): what follows would prove nothing", code, out)
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
				t.Errorf("the container's limit is %q, want %q", got, limited)
			}
			h.run("docker exec device" + open)
			if _, code := h.try("docker exec none" + open); code == 0 {
				t.Error("the container without the device may open it")
			}
		})
	}
	h.wentClean("device", unit)
}
