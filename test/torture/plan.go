package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// setting is how the host is set up for some steps.
type setting struct {
	// liveRestore is Docker's live-restore.
	liveRestore bool
	// smallDisk puts Docker's data on a small disk, which a boot empties. Such a host is not rebooted.
	smallDisk bool
}

func (s setting) String() string {
	return fmt.Sprintf("live-restore %t, small disk %t", s.liveRestore, s.smallDisk)
}

// strike is a fault at a container, a while after the strike before it.
type strike struct {
	fault  *fault
	target string
	after  time.Duration
	// number varies a fault: where a file is cut, for example.
	number int
}

func (s strike) String() string {
	if strings.Contains(s.fault.apply+s.fault.undo, "$NAME") || strings.Contains(s.fault.apply, "$UNIT") {
		return s.fault.name + " (" + s.target + ")"
	}
	return s.fault.name
}

// step is one fault, or two within half a second. They are undone after hold.
type step struct {
	number  int
	setting setting
	strikes []strike
	hold    time.Duration
}

func (s step) String() string {
	strikes := s.strikes[0].String()
	if len(s.strikes) > 1 {
		strikes += fmt.Sprintf(", after %s %s", s.strikes[1].after, s.strikes[1])
	}
	return fmt.Sprintf("step %d [%s]: %s, held %s", s.number, s.setting, strikes, s.hold)
}

// settings follow each other.
var settings = []setting{{}, {liveRestore: true, smallDisk: true}, {liveRestore: true}, {smallDisk: true}}

const (
	// stepsPerSetting is how many steps a setting lasts: a change of it takes as long as several steps.
	stepsPerSetting = 25
	maxGap          = 500 * time.Millisecond
	maxHold         = 2 * time.Second
)

// plan is the sequence of steps that a seed determines.
type plan struct {
	random  *rand.Rand
	faults  []fault
	last    int
	setting setting
}

func newPlan(seed uint64) *plan {
	return &plan{random: rand.New(rand.NewPCG(seed, 0)), faults: faults()}
}

// next returns the next step. It always uses the same number of random numbers for the same step.
func (p *plan) next() step {
	p.setting = settings[p.last/stepsPerSetting%len(settings)]
	p.last++
	s := step{number: p.last, setting: p.setting, hold: p.duration(maxHold), strikes: []strike{p.strike()}}
	if p.random.IntN(2) == 1 {
		second := p.strike()
		second.after = p.duration(maxGap)
		s.strikes = append(s.strikes, second)
	}
	return s
}

func (p *plan) strike() strike {
	return strike{fault: p.fault(), target: names[p.random.IntN(len(names))], number: p.random.IntN(10_000)}
}

// fault returns a fault that fits the setting, by weight.
func (p *plan) fault() *fault {
	total := 0
	for i := range p.faults {
		total += p.faults[i].weightIn(p.setting)
	}
	left := p.random.IntN(total)
	for i := range p.faults {
		if left -= p.faults[i].weightIn(p.setting); left < 0 {
			return &p.faults[i]
		}
	}
	return nil
}

func (p *plan) duration(longest time.Duration) time.Duration {
	return time.Duration(p.random.Int64N(int64(longest/time.Millisecond))) * time.Millisecond
}
