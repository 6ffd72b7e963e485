package main

import (
	"slices"
	"time"
)

// samples are the times of one thing that was measured several times.
type samples []time.Duration

func (s samples) median() time.Duration { return s.quantile(0.5) }

// quantile returns the time that this part of the samples, 0 to 1, lies below; between two samples, the line between
// them. Without samples it is 0.
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

// ratio says how many times as long as base this took, by the medians.
func (s samples) ratio(base samples) float64 {
	return float64(s.median()) / float64(base.median())
}
