package main

import (
	"strings"
	"testing"
	"time"
)

// sequence returns the steps of a seed as text.
func sequence(seed uint64, steps int) string {
	p, text := newPlan(seed), strings.Builder{}
	for range steps {
		text.WriteString(p.next().String() + "\n")
	}
	return text.String()
}

// TestSeedDeterminesSteps checks that a seed always gives the same steps, and another seed others.
func TestSeedDeterminesSteps(t *testing.T) {
	first := sequence(7, 500)
	if again := sequence(7, 500); again != first {
		t.Error("the seed 7 gives other steps the second time")
	}
	if other := sequence(8, 500); other == first {
		t.Error("the seeds 7 and 8 give the same steps")
	}
}

// TestStepsFitTheirSetting checks bounds of the steps, and that each fault occurs, alone and in a pair.
func TestStepsFitTheirSetting(t *testing.T) {
	p := newPlan(1)
	alone, paired := map[string]bool{}, map[string]bool{}
	for range 20_000 {
		s := p.next()
		if s.hold >= maxHold {
			t.Fatalf("%s: held too long", s)
		}
		for i, strike := range s.strikes {
			if strike.fault.weightIn(s.setting) == 0 {
				t.Errorf("%s: the fault does not fit", s)
			}
			if strike.after >= 500*time.Millisecond || (i == 0 && strike.after != 0) {
				t.Errorf("%s: strike %d comes after %s", s, i+1, strike.after)
			}
			if len(s.strikes) == 1 {
				alone[strike.fault.name] = true
			} else {
				paired[strike.fault.name] = true
			}
		}
	}
	for _, f := range faults() {
		if !alone[f.name] || !paired[f.name] {
			t.Errorf("fault %q occurs alone: %t, in a pair: %t", f.name, alone[f.name], paired[f.name])
		}
	}
}

// TestFaultsAreComplete checks the rows of the table.
func TestFaultsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range faults() {
		if f.name == "" || seen[f.name] {
			t.Errorf("fault %q has no name, or its name is not the only one", f.name)
		}
		seen[f.name] = true
		if f.weight <= 0 || (f.apply == "") == (f.boot == noBoot) {
			t.Errorf("fault %q: weight %d, apply %q, boot %d", f.name, f.weight, f.apply, f.boot)
		}
	}
}
