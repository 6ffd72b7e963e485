// Package sim runs the agents of a whole fleet, with the code of package agent/update,
// under a virtual clock: against a model of one registry and of one lock manager.
package sim

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"
)

var (
	agents = flag.Int("agents", 200, "the number of agents")
	write  = flag.Bool("write", false, "write docs/fleet.md and the pictures")
	commit = flag.String("commit", "", "the commit that is measured")
)

func TestFleet(t *testing.T) {
	var r results
	t.Run("all", func(t *testing.T) {
		for name, run := range map[string]func(*testing.T){
			"good":    r.good,
			"exits":   func(t *testing.T) { t.Helper(); r.bad(t, imageExits, &r.exits) },
			"hangs":   func(t *testing.T) { t.Helper(); r.bad(t, imageHangs, &r.hangs) },
			"limited": r.limited,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, run)
			})
		}
	})
	if *write && !t.Failed() {
		r.write(t)
	}
}

// bootTime is the time over which the requests after a boot are counted.
const bootTime = 30 * time.Minute

// good boots a fleet, and rolls a good image through it.
func (r *results) good(t *testing.T) {
	t.Helper()
	f := newFleet(t, *agents)
	defer f.end()
	time.Sleep(bootTime)
	r.boot = newLoad(f.registry.requests.between(0, bootTime))
	r.bootLock = newLoad(f.lock.requests.between(0, bootTime))
	r.boot.check(t, "registry after a boot")
	if got := f.counts(); got[old] != *agents {
		t.Errorf("hosts after the boot: %v, want all %d on the old image", got, *agents)
	}

	f.registry.push(imageGood)
	f.until(t, "half of the hosts run the new image", 24*time.Hour, func() bool { return 2*f.counts()[updated] >= *agents })
	r.half = f.since() - bootTime
	f.until(t, "all hosts run the new image", 24*time.Hour, func() bool { return f.counts()[updated] == *agents })
	r.all = f.since() - bootTime
	r.pulls = newLoad(f.registry.pulls.between(bootTime, bootTime+2*check))
	r.roll = newLoad(f.registry.requests.between(bootTime, f.since()))
	r.rollLock = newLoad(f.lock.requests.between(bootTime, f.since()))
	r.roll.check(t, "registry during an update")
	f.checkSlots(t)
	r.most = f.most
	r.goodSeries = f.series.sample(counts{old: *agents}, bootTime, f.since()+step, samples)
}

// badTime is how long the tag names a bad image.
const badTime = time.Hour

// bad has the tag name a bad image for a while, and then a good one.
func (r *results) bad(t *testing.T, digest string, outcome *badOutcome) {
	t.Helper()
	f := newFleet(t, *agents)
	defer f.end()
	time.Sleep(2 * check)
	pushed := f.since()
	f.registry.push(digest)
	time.Sleep(badTime)
	outcome.touched, outcome.again = f.tried(digest)
	outcome.back = f.lastBack() - pushed
	hosts := f.counts()
	if most := slotsOf(*agents) + canariesOf(*agents); outcome.touched == 0 || outcome.touched > most {
		t.Errorf("%d hosts have run the bad image, want 1 to %d", outcome.touched, most)
	}
	if hosts[old]+hosts[quarantined] != *agents || hosts[quarantined] != outcome.touched {
		t.Errorf("hosts after the bad image: %v, want %d in quarantine and all on the old image", hosts, outcome.touched)
	}
	for _, m := range f.members {
		if _, runs := m.host.Running(); runs != imageOld {
			t.Fatalf("a host runs %s, want %s", runs, imageOld)
		}
	}

	f.registry.push(imageGood)
	outcome.fixed = f.until(t, "all hosts run the image after the bad one", 24*time.Hour, func() bool { return f.counts()[updated] == *agents })
	touched, again := f.tried(digest)
	if again > 0 || touched != outcome.touched {
		t.Errorf("%d hosts have run the bad image, %d of them again, want %d, none again", touched, again, outcome.touched)
	}
	f.checkSlots(t)
	outcome.series = f.series.sample(counts{old: *agents}, pushed, f.since()+step, samples)
}

// limited boots a fleet whose registry answers half of the requests.
func (r *results) limited(t *testing.T) {
	t.Helper()
	f := newFleet(t, *agents)
	defer f.end()
	f.registry.limit = max(*agents/int(check/time.Second)/2, 1)
	time.Sleep(2 * bootTime)
	r.limit = f.registry.limit
	r.first, r.settled = newLoad(f.registry.requests.between(0, bootTime)), newLoad(f.registry.requests.between(bootTime, 2*bootTime))
	r.refused = f.registry.refused
	r.first.check(t, "registry with a limit after a boot")
	r.settled.check(t, "registry with a limit")
}

// lastBack returns when the last host came back from a bad image.
func (f *fleet) lastBack() (at time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, p := range f.series.points {
		if i > 0 && p.counts[quarantined] > f.series.points[i-1].counts[quarantined] {
			at = p.at
		}
	}
	return at
}

// checkSlots checks that no more hosts were updated at the same time than have slots.
func (f *fleet) checkSlots(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.most == 0 || f.most > f.lock.slots || f.lock.most > f.lock.slots {
		t.Errorf("%d hosts were updated at the same time, %d had slots, want at most %d", f.most, f.lock.most, f.lock.slots)
	}
}
