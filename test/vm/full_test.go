//go:build vm

package vm

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// alone is the kernel argument that disables cloud-init. dockhost finds the disc
// itself, and the machine boots faster.
const alone = "cloud-init=disabled"

// TestFirstBootPullsImage boots with an image from a registry, which answers once
// the network is up.
func TestFirstBootPullsImage(t *testing.T) {
	r := newRegistry(t)
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-pull", app(r.image()))})
	m.well("2")
}

// TestEachLimitIsEnforced exceeds each limit of a container and of its unit.
func TestEachLimitIsEnforced(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-limits", app(preloaded, limits...))})
	m.well("1")
	m.checkPlace()
	m.eats("it reached its own limit of 96MiB (mem_limit)")
	m.run("systemctl set-property --runtime dockhost@app.service MemoryMax=64M")
	m.eats("it reached the limit of dockhost@app.service, 64MiB (MemoryMax=)")

	place := "/sys/fs/cgroup" + m.property("dockhost@app.service", "ControlGroup") + "/container"
	enter := "echo $BASHPID >" + place + "/cgroup.procs\n"
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
	if want := "container was killed for want of memory (exit code 137): " + why; !strings.Contains(journal, want) {
		m.Errorf("the journal lacks %q:\n%s", want, journal)
	}
}

// TestContainerReturnsAfterReboot reboots a machine: its container is stopped in
// order, and starts again.
func TestContainerReturnsAfterReboot(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-reboot", app(preloaded, "stop_grace_period: 2m"))})
	m.well("1")
	m.reboot()
	m.well("1")
	if out := m.run("journalctl -b -1 -u dockhost@app.service -o cat"); !strings.Contains(out, "Deactivated successfully") {
		t.Errorf("journal of the last boot = %s, want a stop of the container", out)
	}
}

// moments returns a source of random times below a bound, and logs its seed.
func moments(t *testing.T) func(below time.Duration) time.Duration {
	t.Helper()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	source := rand.New(rand.NewPCG(*seed, 0))
	return func(below time.Duration) time.Duration { return time.Duration(source.Int64N(int64(below))) }
}

// TestContainerReturnsAfterPowerCut cuts the power at random moments while the
// container runs.
func TestContainerReturnsAfterPowerCut(t *testing.T) {
	disk, disc, moment := newDisk(t), newDisc(t, "i-cut", app(preloaded)), moments(t)
	for range *cuts {
		m := boot(t, disk, settings{disc: disc, kernel: alone})
		m.well("1")
		m.checkStore("i-cut")
		m.pause(moment(8 * time.Second))
		m.cutPower()
	}
	m := boot(t, disk, settings{disc: disc, kernel: alone})
	m.well("1")
	m.checkStore("i-cut")
}

// TestPullSurvivesPowerCut cuts the power in the middle of a pull.
func TestPullSurvivesPowerCut(t *testing.T) {
	r, moment := newRegistry(t), moments(t)
	r.stall()
	disk, disc := newDisk(t), newDisc(t, "i-pull", app(r.image()))
	for range *cuts {
		m := boot(t, disk, settings{disc: disc, kernel: alone})
		select {
		case <-r.stalled:
		case <-time.After(patience):
			t.Fatal("the pull has not begun")
		}
		m.pause(moment(3 * time.Second))
		m.cutPower()
		for len(r.stalled) > 0 { // Docker may have tried again
			<-r.stalled
		}
	}
	close(r.release)
	m := boot(t, disk, settings{disc: disc, kernel: alone})
	m.well("2")
	m.checkStore("i-pull")
}

// TestTakeoverSurvivesPowerCut cuts the power while the machine replaces one
// assignment with another: it always has one of them, and ends with the new one.
func TestTakeoverSurvivesPowerCut(t *testing.T) {
	r, moment := newRegistry(t), moments(t)
	disk, old := newDisk(t), newDisc(t, "i-takeover", app(preloaded))
	boots := []string{old, newDisc(t, "i-takeover", app(r.image()))}
	m := boot(t, disk, settings{disc: old, kernel: alone})
	m.well("1")
	m.cutPower()
	for i := range *cuts {
		m := boot(t, disk, settings{disc: boots[(i+1)%2], kernel: alone})
		m.pause(moment(20 * time.Second))
		m.cutPower()
	}
	m = boot(t, disk, settings{disc: boots[1], kernel: alone})
	m.well("2")
	m.checkStore("i-takeover")
}

// checkStore checks that the files that dockhost keeps across boots are complete,
// and belong to the instance.
func (m *machine) checkStore(instance string) {
	m.Helper()
	var assignment struct {
		InstanceID string `json:"instance_id"`
	}
	raw := m.run("cat /var/lib/dockhost/assignment.json")
	if err := json.Unmarshal([]byte(raw), &assignment); err != nil || assignment.InstanceID != instance {
		m.Errorf("instance-id in assignment.json = %q, %v, want %q", assignment.InstanceID, err, instance)
	}
	if files := m.run("ls -A -I images.json /var/lib/dockhost"); files != "assignment.json\npreloaded.json" {
		m.Errorf("files in /var/lib/dockhost = %q, want assignment.json and preloaded.json", files)
	}
}

// TestChangedDiscTakesEffect changes the disc between boots: the machine runs what
// the disc assigns, or without a disc the last known good assignment.
func TestChangedDiscTakesEffect(t *testing.T) {
	r := newRegistry(t)
	disk := newDisk(t)
	m := boot(t, disk, settings{disc: newDisc(t, "i-disc", app(preloaded))})
	m.well("1")
	m.run("sync")
	m.cutPower()
	m = boot(t, disk, settings{disc: newDisc(t, "i-disc", app(r.image()))})
	m.well("2")
	m.run("sync")
	m.cutPower()
	m = boot(t, disk, settings{})
	m.eventually(func() string {
		if status, code := m.status(); code != 3 || !status.Source.LastKnownGood {
			return fmt.Sprintf("dockhostctl status exits %d, want 3: %+v", code, status.Source)
		}
		return m.serves("2")
	})
}

// TestCloneForgetsItsOriginal boots a copy of a machine's disk with user data for
// another instance: only the new assignment runs.
func TestCloneForgetsItsOriginal(t *testing.T) {
	disk := newDisk(t)
	m := boot(t, disk, settings{disc: newDisc(t, "i-original", app(preloaded))})
	m.well("1")
	m.run("sync")
	m.cutPower()
	other := strings.Replace(app(preloaded), "    app:\n", "    other:\n", 1)
	m = boot(t, copyDisk(t, disk), settings{disc: newDisc(t, "i-clone", other)})
	m.eventually(func() string {
		status, code := m.status()
		if code != 0 || len(status.Containers) != 1 || status.Containers[0].Name != "other" {
			return fmt.Sprintf("dockhostctl status exits %d: %+v", code, status.Containers)
		}
		return ""
	})
	if names := m.run("docker ps --format '{{.Names}}'"); names != "other" {
		t.Errorf("running containers = %q, want only other", names)
	}
	m.checkStore("i-clone")
}

// TestContainerRunsWithWrongClock boots a machine whose clock is an hour fast, and
// one whose clock is an hour slow.
func TestContainerRunsWithWrongClock(t *testing.T) {
	disk, disc := newDisk(t), newDisc(t, "i-clock", app(preloaded))
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		m := boot(t, disk, settings{disc: disc, clock: time.Now().Add(off)})
		m.well("1")
		m.cutPower()
	}
}

// TestFirstBootWorksWithoutCloudInit boots with cloud-init disabled.
func TestFirstBootWorksWithoutCloudInit(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-alone", app(preloaded)), kernel: alone})
	m.well("1")
	if state := m.property("cloud-final.service", "ActiveState"); state != "inactive" {
		t.Errorf("cloud-final.service is %s, want inactive", state)
	}
	m.checkOwn()
}

// checkOwn checks that dockhost has read the disc itself.
func (m *machine) checkOwn() {
	m.Helper()
	if status, _ := m.status(); !strings.HasPrefix(status.Source.Path, "/dev/") {
		m.Errorf("path of the user data = %s, want a disc", status.Source.Path)
	}
}

// TestContainerSurvivesReexec runs systemctl daemon-reexec under a container.
func TestContainerSurvivesReexec(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-reexec", app(preloaded, limits...))})
	m.well("1")
	pid := m.run("docker inspect -f '{{.State.Pid}}' app")
	m.run("systemctl daemon-reexec")
	m.well("1")
	if now := m.run("docker inspect -f '{{.State.Pid}}' app"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
	m.checkPlace()
}

// TestContainerRunsOnFullDisk fills the root disk and restarts the agent: the
// container keeps running.
func TestContainerRunsOnFullDisk(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-full", app(preloaded))})
	m.well("1")
	m.run("dd if=/dev/zero of=/filler bs=1M 2>/dev/null || true; sync")
	m.run("systemctl restart dockhost.service")
	m.eventually(func() string { return m.serves("1") })
	m.run("rm /filler && systemctl reload dockhost.service")
	m.well("1")
	m.checkStore("i-full")
}
