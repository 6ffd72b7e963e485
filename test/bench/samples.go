package main

import (
	"slices"
	"time"
)

// samples are repeated measurements of one time.
type samples []time.Duration

func (s samples) median() time.Duration { return s.quantile(0.5) }

// quantile returns the time below which this part of the samples, 0 to 1, lies. It interpolates between two samples, and
// returns 0 without samples.
func (s samples) quantile(part float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	at := part * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + time.Duration((at-float64(low))*float64(sorted[high]-sorted[low]))
}

// ratio returns the median divided by the median of base.
func (s samples) ratio(base samples) float64 {
	return float64(s.median()) / float64(base.median())
}
