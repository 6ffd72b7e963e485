package sim

import (
	"slices"
	"testing"
	"time"
)

// samples is how many points of time a picture shows.
const samples = 150

// results is what was measured.
type results struct {
	boot, bootLock, roll, rollLock, pulls load
	half, all                             time.Duration
	most                                  int
	goodSeries                            []point

	exits, hangs badOutcome

	limit, refused int
	first, settled load
}

// badOutcome is what a bad image did to a fleet.
type badOutcome struct {
	touched, again int
	back, fixed    time.Duration
	series         []point
}

// load is how many requests a second there were.
type load struct {
	mean    float64
	largest int
	// flat is the largest mean of a window over the mean. A window has enough requests
	// that chance does not decide.
	window time.Duration
	flat   float64
}

const (
	// maxFlat is how much higher than the mean the largest window may be.
	maxFlat = 3
	// enough is how many requests a window has at least, by the mean.
	enough = 20
)

func newLoad(seconds []int) load {
	l := load{largest: slices.Max(seconds)}
	total := 0
	for _, n := range seconds {
		total += n
	}
	l.mean = float64(total) / float64(len(seconds))
	if total == 0 {
		return l
	}
	width := 1
	for l.mean*float64(width) < enough && width < len(seconds)/4 {
		width++
	}
	for i := 0; i+width <= len(seconds); i++ {
		sum := 0
		for _, n := range seconds[i : i+width] {
			sum += n
		}
		l.flat = max(l.flat, float64(sum)/float64(width)/l.mean)
	}
	l.window = time.Duration(width) * time.Second
	return l
}

func (l load) check(t *testing.T, what string) {
	t.Helper()
	if l.mean == 0 || l.flat > maxFlat {
		t.Errorf("%s: %.2f requests a second, in the largest %s %.1f times that, want at most %d times", what, l.mean, l.window, l.flat, maxFlat)
	}
}
