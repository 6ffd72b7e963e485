//go:build vm

package vm

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

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

// TestDataSurvivesPowerCut cuts the power while a container runs whose image has a
// VOLUME and whose declaration mounts nothing there: what it has synced to its disk is
// there after each boot.
func TestDataSurvivesPowerCut(t *testing.T) {
	const image, journal = "keeping:1", "/var/lib/docker/volumes/app__data/_data/journal"
	disk, moment := newDisk(t), moments(t)
	m := boot(t, disk, settings{disc: newDisc(t, "i-data", app(preloaded)), kernel: alone})
	m.well("1")
	m.run("docker commit -c 'VOLUME /data' app " + image + " && sync")
	m.cutPower()
	disc := newDisc(t, "i-data", app(image))
	var synced string
	for i := range *cuts + 1 {
		m := boot(t, disk, settings{disc: disc, kernel: alone})
		m.well("1")
		if volume := m.run(`docker inspect -f '{{range .Mounts}}{{.Name}} {{.Destination}}{{end}}' app`); volume != "app__data /data" {
			t.Errorf("mounts of app = %q, want app__data at /data", volume)
		}
		if got := m.run("touch " + journal + " && cat " + journal); got != strings.TrimSpace(synced) {
			t.Errorf("the data after %d power cuts = %q, want %q", i+1, got, synced)
		}
		synced += fmt.Sprintln("write", i)
		m.run(fmt.Sprintf("echo write %d >>%[2]s && sync %[2]s $(dirname %[2]s)", i, journal))
		m.pause(moment(8 * time.Second))
		m.cutPower()
	}
}

// checkStore checks that the files that dockhost keeps across boots are complete, and
// belong to the instance. Some exist only on some hosts.
func (m *machine) checkStore(instance string) {
	m.Helper()
	var assignment struct {
		InstanceID string `json:"instance_id"`
	}
	raw := m.run("cat /var/lib/dockhost/assignment.json")
	if err := json.Unmarshal([]byte(raw), &assignment); err != nil || assignment.InstanceID != instance {
		m.Errorf("instance-id in assignment.json = %q, %v, want %q", assignment.InstanceID, err, instance)
	}
	if files := m.run("ls -A -I images.json -I events.jsonl -I reserve /var/lib/dockhost"); files != "assignment.json\npreloaded.json\nupdates" {
		m.Errorf("files in /var/lib/dockhost = %q, want assignment.json, preloaded.json and updates", files)
	}
}
