//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/test/session"
)

// fellow is a second test host, for what one host cannot show.
type fellow struct {
	*session.Host
	t *testing.T
}

// newFellow boots a second host of the same suite, and removes it at the end of the test.
func newFellow(t *testing.T) fellow {
	t.Helper()
	lab := "fellow"
	if own := os.Getenv("LAB_NAME"); own != "" {
		lab = own + "-" + lab
	}
	f := fellow{&session.Host{Name: "dockhost-lab-" + *suite + "-" + lab, Dir: "/run"}, t}
	t.Cleanup(func() {
		f.Close()
		if out, err := dockerOutside("rm", "-f", "-v", f.Name); err != nil {
			t.Errorf("remove %s: %v: %s", f.Name, err, out)
		}
	})
	up := exec.Command("../lab/lab.sh", "up", *suite)
	up.Env = append(os.Environ(), "LAB_NAME="+lab)
	if out, err := up.CombinedOutput(); err != nil {
		t.Fatalf("boot %s: %v: %s", f.Name, err, out)
	}
	return f
}

// run runs a script that must succeed on the second host.
func (f fellow) run(script string) string {
	f.t.Helper()
	out, code, err := f.Run(f.t.Context(), "set -e\n"+script)
	if err != nil || code != 0 {
		f.t.Fatalf("on %s: %s\nexited %d, %v: %s", f.Name, script, code, err, out)
	}
	return out
}

// assign writes user data with this dockhost section, and reloads the agent.
func (f fellow) assign(section string) {
	f.t.Helper()
	f.run("mkdir -p " + seed + "; echo 'instance-id: i-second' >" + seed + "/meta-data; base64 -d >" + seed + "/user-data <<<'" +
		base64.StdEncoding.EncodeToString([]byte("#cloud-config\n"+section)) + "'\nsystemctl start dockhost.socket && systemctl reload-or-restart dockhost.service")
}

// outage is when a host had less than its container, from the stop of the old one until the
// new one was well.
type outage struct{ began, ended time.Time }

// lastOutage reads the outage of a host's last update from its history. The error says that
// the last one that has ended has another cause, or was not confirmed.
func lastOutage(text string, cause api.UpdateCause) (outage, error) {
	var entries []api.HistoryEntry
	if err := json.Unmarshal([]byte(text), &entries); err != nil || len(entries) == 0 {
		return outage{}, fmt.Errorf("no history in %q, %w", text, err)
	}
	last := entries[0]
	for _, entry := range entries {
		if entry.Ended.After(last.Ended) {
			last = entry
		}
	}
	var seconds float64
	for _, phase := range last.Phases {
		if phase.Phase == "replacing" || phase.Phase == api.StateSoaking {
			seconds += phase.Seconds
		}
	}
	if last.Cause != cause || last.Outcome != api.OutcomeConfirmed || seconds == 0 {
		return outage{}, fmt.Errorf("the last update is %+v", last)
	}
	return outage{last.Ended.Add(-time.Duration(seconds * float64(time.Second))), last.Ended}, nil
}

// TestFleetUpdatesOneHostAtATime changes the assignment of two hosts at once, whose fleet has
// one slot.
func TestFleetUpdatesOneHostAtATime(t *testing.T) {
	if *suite != "trixie" {
		t.Skip("a second host takes half a minute; what it shows hangs on dockhost alone")
	}
	h := newHost(t)
	h.Cleanup(h.stopLockManager)
	h.startLockManager()
	second := newFellow(t)
	address := h.output("ip -4 -o address show dev eth0 | awk '{print $4}' | cut -d/ -f1")
	h.run("systemd-run -q --collect --unit=test-forward systemd-socket-activate -l " + address + ":3334 /usr/lib/systemd/systemd-socket-proxyd " + lockAddress)
	h.Cleanup(func() { h.try("systemctl stop test-forward") })

	section := func(revision string) string {
		return app("labels: {revision: "+revision+"}", "deploy: {update_config: {monitor: 4s}}", "healthcheck: {disable: true}",
			"x-dockhost: {update: {fleet_lock: {base_url: 'http://"+address+":3334', group: shop}}}")
	}
	h.assign(section("one"))
	second.assign(section("one"))
	confirmed := func(revision string, cause api.UpdateCause) (outage, outage) {
		var outages [2]outage
		h.within(3*time.Minute, "both hosts run revision "+revision, func() error {
			for i, run := range []func(string) string{h.run, second.run} {
				if got := strings.TrimSpace(run("docker inspect -f '{{.Config.Labels.revision}}' app || :")); got != revision {
					return fmt.Errorf("host %d runs %q", i+1, got)
				}
				var err error
				if outages[i], err = lastOutage(run("dockhostctl history --json"), cause); err != nil {
					return fmt.Errorf("host %d: %w", i+1, err)
				}
			}
			return nil
		})
		return outages[0], outages[1]
	}
	confirmed("one", api.CauseStart)
	h.assign(section("two"))
	second.assign(section("two"))
	a, b := confirmed("two", api.CauseAssignment)
	if a.began.Before(b.ended) && b.began.Before(a.ended) {
		t.Errorf("one host was updated from %s to %s, the other one from %s to %s, want one after the other", a.began, a.ended, b.began, b.ended)
	}
}
