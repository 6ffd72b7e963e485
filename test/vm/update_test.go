//go:build vm

package vm

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/update"
)

// follows are keys of a container that follows its tag, with the shortest times.
var follows = []string{
	"healthcheck: {disable: true}",
	"deploy: {update_config: {monitor: 5s}}",
	"x-dockhost: {notify: 'http://:8080/healthz', update: {policy: registry, check: 10s, pause_after: 100}}",
}

// TestUpdateSurvivesPowerCut cuts the power at random moments of updates, in turns to an
// image whose program exits and to one that works. After each boot the record of the
// updates is complete, the update ends, and one container serves the image that is
// confirmed. The first update of each kind has no power cut: how long it took bounds the
// moments of the others.
func TestUpdateSurvivesPowerCut(t *testing.T) {
	r, moment := newRegistry(t), moments(t)
	for i := range *cuts + 2 {
		if isBad(i) {
			r.add(t, version(i), "-exit-after", "1ms", "-exit-code", "3")
		} else {
			r.add(t, version(i))
		}
	}
	confirmed := "2"
	first, _ := r.tag("stable", confirmed)
	disk, disc := newDisk(t), newDisc(t, "i-update", app(r.host()+"/app:stable", follows...))
	m := boot(t, disk, settings{disc: disc, kernel: alone})
	m.updated(first, map[string]string{first: confirmed})

	digests := map[string]string{first: confirmed} // versions by digest
	lengths := map[bool]time.Duration{}            // by isBad
	interrupted := 0
	for i := range *cuts + 2 {
		to, asked := r.tag("stable", version(i))
		digests[to] = version(i)
		select {
		case <-asked:
		case <-time.After(patience):
			t.Fatalf("nobody has asked for the image of version %s", version(i))
		}
		length, measured := lengths[isBad(i)]
		if !measured {
			m.updated(to, digests)
			lengths[isBad(i)] = m.lastTook()
			continue
		}
		after := moment(length)
		m.pause(after)
		m.cutPower()
		m = boot(t, disk, settings{disc: disc, kernel: alone})
		phase := m.phase()
		if phase != noUpdate {
			interrupted++
		}
		last := m.updated(to, digests)
		t.Logf("cut %d, %s of %s into the update to version %s: %s after the boot, then %s %s",
			i, after.Round(time.Millisecond), length.Round(time.Millisecond), version(i), phase, last.Outcome, last.Why)
		if isBad(i) != (last.Outcome == update.OutcomeRolledBack) {
			t.Errorf("the update to version %s ended %s: %s", version(i), last.Outcome, last.Why)
		}
	}
	t.Logf("%d of %d power cuts came after the old container was stopped, and before the outcome", interrupted, *cuts)
	m.checkStore("i-update")
}

// version is the version of the image of an update, isBad says that its program exits.
func version(i int) string { return strconv.Itoa(i + 3) }
func isBad(i int) bool     { return i%2 == 1 }

// noUpdate is the phase when the disk has no update: it had not begun to replace the
// container, or has ended.
const noUpdate = "no update"

// phase describes the update that is being made.
func (m *machine) phase() string {
	m.Helper()
	if record, _ := m.record(); record.Change != nil {
		return string(record.Change.Phase)
	}
	return noUpdate
}

// lastTook returns how long the last update took.
func (m *machine) lastTook() time.Duration {
	m.Helper()
	record, _ := m.record()
	last := record.History[len(record.History)-1]
	return last.Ended.Sub(last.Began)
}

// updated waits until the update to a digest has ended, and the container serves the
// confirmed image. It returns how the update ended.
func (m *machine) updated(to string, versions map[string]string) update.Ended {
	m.Helper()
	var record update.Record
	m.eventually(func() string {
		var containers string
		record, containers = m.record()
		switch {
		case strings.Count(containers, "\n") > 1:
			m.Fatalf("containers = %q, want one", containers)
		case record.Change != nil:
			return fmt.Sprintf("the update is %s: %s", record.Change.Phase, record.Change.Why)
		case record.Last == nil || record.Last.To.Digest != to:
			return fmt.Sprintf("the update to %s has not ended: %+v", to, record.Last)
		case containers != "app running\n":
			return fmt.Sprintf("containers = %q, want app, which runs", containers)
		}
		return m.serves(versions[record.Confirmed.Digest])
	})
	return *record.Last
}

// record returns the record of app's updates, which must be complete, and a line for
// each container.
func (m *machine) record() (record update.Record, containers string) {
	m.Helper()
	out, _ := m.try(`file=/var/lib/dockhost/updates/app.json; [ ! -e $file ] || cat $file; echo
docker ps -a --format '{{.Names}} {{.State}}'`)
	raw, containers, _ := strings.Cut(out, "\n")
	if raw == "" {
		return record, containers
	}
	if err := json.Unmarshal([]byte(raw), &record); err != nil {
		m.Fatalf("record of the updates = %q: %v", raw, err)
	}
	return record, containers
}
