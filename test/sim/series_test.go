package sim

import "time"

// band is what a host runs: a band of the picture.
type band int

const (
	old band = iota
	trying
	updated
	quarantined
	bands
)

// counts is how many hosts are in each band.
type counts [bands]int

// point is how many hosts were in each band from a time on.
type point struct {
	at time.Duration
	counts
}

// series is how many hosts are in each band over time.
type series struct {
	counts
	points []point
}

// move moves a host to another band.
func (s *series) move(at time.Duration, from, to band) {
	s.counts[from]--
	s.counts[to]++
	s.points = append(s.points, point{at, s.counts})
}

// sample returns the counts at n+1 times from one to another.
func (s *series) sample(first counts, from, to time.Duration, n int) []point {
	samples := make([]point, 0, n+1)
	current, next := first, 0
	for i := range n + 1 {
		at := from + (to-from)*time.Duration(i)/time.Duration(n)
		for ; next < len(s.points) && s.points[next].at <= at; next++ {
			current = s.points[next].counts
		}
		samples = append(samples, point{at, current})
	}
	return samples
}
