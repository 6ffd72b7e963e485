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

// alone has cloud-init not run: dockhost finds the disc itself, and a test that
// boots often is done sooner.
const alone = "cloud-init=disabled"

// TestPull is a first boot whose image has to be pulled, from a registry that
// is reached once the network is there.
func TestPull(t *testing.T) {
	r := newRegistry(t)
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-pull", app(r.image()))})
	m.well("2")
}

// TestLimits has a container run against each of its limits, and its unit's.
func TestLimits(t *testing.T) {
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
		t.Errorf("a busy loop within half a CPU was never throttled: %s", stat)
	}
	// 5 MB at 1 MB/s, past the page cache: less than 4 s would be no limit.
	took := m.run("began=${EPOCHREALTIME/./}; (" + enter + "exec dd if=/dev/zero of=/written bs=1M count=5 oflag=direct 2>/dev/null); echo $((${EPOCHREALTIME/./} - began))")
	if us, err := strconv.Atoi(took); err != nil || us < 4_000_000 {
		t.Errorf("5 MB were written in %s us, which is faster than 1 MB/s", took)
	}
	if out, _ := m.try("(" + enter + "for i in {1..80}; do sleep 20 & done; kill $(jobs -p)) 2>&1"); !strings.Contains(out, "Resource temporarily unavailable") {
		t.Errorf("80 processes within 64: %s, want some refused", out)
	}
	m.well("1")
}

// eats has the container take more memory than it may: it is killed, the journal
// says why, and it comes back.
func (m *machine) eats(why string) {
	m.Helper()
	invocation := m.property("dockhost@app.service", "InvocationID")
	m.run("curl -s -m 60 -X POST 'http://127.0.0.1:8080/eat?mb=150' || true")
	m.eventually(func() string {
		if m.property("dockhost@app.service", "InvocationID") == invocation {
			return "the container has not been started anew"
		}
		return m.serves("1")
	})
	journal := m.run("journalctl --no-pager -o cat -u dockhost@app.service _SYSTEMD_INVOCATION_ID=" + invocation)
	if want := "container was killed: out of memory (exit code 137): " + why; !strings.Contains(journal, want) {
		m.Errorf("the journal does not say %q:\n%s", want, journal)
	}
}

// TestReboot has a container come back by itself.
func TestReboot(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-reboot", app(preloaded, "stop_grace_period: 2m"))})
	m.well("1")
	m.reboot()
	m.well("1")
	if out := m.run("journalctl -b -1 -u dockhost@app.service -o cat"); !strings.Contains(out, "Deactivated successfully") {
		t.Errorf("the container was not stopped before the reboot: %s", out)
	}
}

// moments returns random times below a bound, and logs what they can be had
// again by.
func moments(t *testing.T) func(below time.Duration) time.Duration {
	t.Helper()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	source := rand.New(rand.NewPCG(*seed, 0))
	return func(below time.Duration) time.Duration { return time.Duration(source.Int64N(int64(below))) }
}

// TestPowerCut cuts it while the container runs, at random moments.
func TestPowerCut(t *testing.T) {
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

// TestPowerCutPull cuts it in the middle of a pull.
func TestPowerCutPull(t *testing.T) {
	r, moment := newRegistry(t), moments(t)
	r.stall()
	disk, disc := newDisk(t), newDisc(t, "i-pull", app(r.image()))
	for range *cuts {
		m := boot(t, disk, settings{disc: disc, kernel: alone})
		select {
		case <-r.stalled:
		case <-time.After(patience):
			t.Fatal("no pull has begun")
		}
		m.pause(moment(3 * time.Second))
		m.cutPower()
		for len(r.stalled) > 0 { // Docker had asked again
			<-r.stalled
		}
	}
	close(r.release)
	m := boot(t, disk, settings{disc: disc, kernel: alone})
	m.well("2")
	m.checkStore("i-pull")
}

// TestPowerCutTakeover cuts it while one assignment is replaced by another:
// the machine ends with the new one, and never with none.
func TestPowerCutTakeover(t *testing.T) {
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

// checkStore has what is kept across boots be whole, and be of that instance.
func (m *machine) checkStore(instance string) {
	m.Helper()
	var kept struct {
		InstanceID string `json:"instance_id"`
	}
	raw := m.run("cat /var/lib/dockhost/assignment.json")
	if err := json.Unmarshal([]byte(raw), &kept); err != nil || kept.InstanceID != instance {
		m.Errorf("assignment.json: instance-id %q, %v; want that of %s", kept.InstanceID, err, instance)
	}
	if left := m.run("ls -A -I images.json /var/lib/dockhost"); left != "assignment.json\npreloaded.json" {
		m.Errorf("/var/lib/dockhost has %q", left)
	}
}

// TestDiscChanged has a machine run what its disc says at each boot, and what
// it said last when there is none.
func TestDiscChanged(t *testing.T) {
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
			return fmt.Sprintf("dockhostctl status exits with %d, want 3: %+v", code, status.Source)
		}
		return m.serves("2")
	})
}

// TestClone has a copy of a machine's disk, in a machine with user data for
// another instance, run that, and nothing of the old one.
func TestClone(t *testing.T) {
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
			return fmt.Sprintf("dockhostctl status exits with %d: %+v", code, status.Containers)
		}
		return ""
	})
	if names := m.run("docker ps --format '{{.Names}}'"); names != "other" {
		t.Errorf("containers that run: %q, want other alone", names)
	}
	m.checkStore("i-clone")
}

// TestClock has a machine whose clock is an hour off, either way, boot.
func TestClock(t *testing.T) {
	disk, disc := newDisk(t), newDisc(t, "i-clock", app(preloaded))
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		m := boot(t, disk, settings{disc: disc, clock: time.Now().Add(off)})
		m.well("1")
		m.cutPower()
	}
}

// TestWithoutCloudInit has dockhost need none.
func TestWithoutCloudInit(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-alone", app(preloaded)), kernel: alone})
	m.well("1")
	if state := m.property("cloud-final.service", "ActiveState"); state != "inactive" {
		t.Errorf("cloud-final.service is %s, want inactive", state)
	}
	m.checkOwn()
}

// checkOwn has the datasource be found by dockhost itself.
func (m *machine) checkOwn() {
	m.Helper()
	if status, _ := m.status(); !strings.HasPrefix(status.Source.Path, "/dev/") {
		m.Errorf("user data is from %s, want a disc", status.Source.Path)
	}
}

// TestReexec has systemd execute itself anew under a container that runs.
func TestReexec(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-reexec", app(preloaded, limits...))})
	m.well("1")
	pid := m.run("docker inspect -f '{{.State.Pid}}' app")
	m.run("systemctl daemon-reexec")
	m.well("1")
	if now := m.run("docker inspect -f '{{.State.Pid}}' app"); now != pid {
		t.Errorf("the container's process is %s, was %s", now, pid)
	}
	m.checkPlace()
}

// TestDiskFull has a machine whose root disk is full run what it is assigned
// already, also after a reboot, and say what is amiss.
func TestDiskFull(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-full", app(preloaded))})
	m.well("1")
	m.run("dd if=/dev/zero of=/filler bs=1M 2>/dev/null || true; sync")
	m.run("systemctl restart dockhost.service")
	m.eventually(func() string { return m.serves("1") })
	m.run("rm /filler && systemctl reload dockhost.service")
	m.well("1")
	m.checkStore("i-full")
}
