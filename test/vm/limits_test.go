//go:build vm

package vm

import (
	"strconv"
	"strings"
	"testing"
)

// TestEachLimitIsEnforced exceeds each limit of a container and of its unit.
func TestEachLimitIsEnforced(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-limits", app(preloaded, limits...))})
	m.well("1")
	m.checkPlace()
	m.eats("it reached its own limit of 96MiB (raise mem_limit)")
	m.run("systemctl set-property --runtime dockhost@app.service MemoryMax=64M")
	m.eats("it reached the limit of dockhost@app.service, 64MiB (raise MemoryMax=)")

	place := "/sys/fs/cgroup" + m.property("dockhost@app.service", "ControlGroup") + "/container"
	enter := "echo $BASHPID >" + place + "/cgroup.procs\n"
	invocation := m.property("dockhost@app.service", "InvocationID")
	m.try("(" + enter + "exec dd if=/dev/zero of=/dev/null bs=150M count=1)")
	m.eventually(func() string {
		if status := m.property("dockhost@app.service", "StatusText"); !strings.Contains(status, "the kernel has killed 1 of its processes") {
			return "the status after a process of the container was killed is " + status
		}
		return ""
	})
	if now := m.property("dockhost@app.service", "InvocationID"); now != invocation {
		t.Error("the container was started again, because another process than its first was killed")
	}
	m.run("(" + enter + "exec timeout 10 sh -c 'while :; do :; done') || [ $? = 124 ]")
	if stat := m.run("cat " + place + "/cpu.stat"); strings.Contains(stat, "nr_throttled 0\n") {
		t.Errorf("cpu.stat after a busy loop with half a CPU = %s, want throttling", stat)
	}
	// 5 MB at 1 MB/s, past the page cache, take at least 4 s.
	took := m.run("began=${EPOCHREALTIME/./}; (" + enter + "exec dd if=/dev/zero of=/written bs=1M count=5 oflag=direct 2>/dev/null); echo $((${EPOCHREALTIME/./} - began))")
	if us, err := strconv.Atoi(took); err != nil || us < 4_000_000 {
		t.Errorf("writing 5 MB at 1 MB/s took %s us, want at least 4000000", took)
	}
	if out, _ := m.try("(" + enter + "for i in {1..80}; do sleep 20 & done; kill $(jobs -p)) 2>&1"); !strings.Contains(out, "Resource temporarily unavailable") {
		t.Errorf("starting 80 processes with a limit of 64 prints %s, want an error", out)
	}
	m.well("1")
}

// eats makes the container exceed its memory limit: it is killed, the journal says
// why, and it starts again.
func (m *machine) eats(why string) {
	m.Helper()
	invocation := m.property("dockhost@app.service", "InvocationID")
	m.run("curl -s -m 60 -X POST 'http://127.0.0.1:8080/eat?mb=150' || true")
	m.eventually(func() string {
		if m.property("dockhost@app.service", "InvocationID") == invocation {
			return "the container has not started again"
		}
		return m.serves("1")
	})
	journal := m.run("journalctl --no-pager -o cat -u dockhost@app.service _SYSTEMD_INVOCATION_ID=" + invocation)
	if want := "container was killed: out of memory (exit code 137): " + why; !strings.Contains(journal, want) {
		m.Errorf("the journal lacks %q:\n%s", want, journal)
	}
}
