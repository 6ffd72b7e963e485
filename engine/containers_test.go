package engine

import (
	"testing"
	"time"
)

func TestEndedFor(t *testing.T) {
	for status, want := range map[string]time.Duration{
		"Exited (0) Less than a second ago": 0,
		"Exited (0) 1 second ago":           time.Second,
		"Exited (137) 59 seconds ago":       59 * time.Second,
		"Exited (0) About a minute ago":     time.Minute,
		"Exited (0) 45 minutes ago":         45 * time.Minute,
		"Exited (0) About an hour ago":      time.Hour,
		"Exited (0) 2 hours ago":            90 * time.Minute,
		"Exited (0) 3 days ago":             72 * time.Hour,
		"Exited (1) 2 weeks ago":            14 * 24 * time.Hour,
		"Exited (1) 5 months ago":           150 * 24 * time.Hour,
		"Exited (1) 2 years ago":            730 * 24 * time.Hour,
		"Dead":                              0,
		"Up 3 hours":                        0,
	} {
		if got := endedFor(status); got != want {
			t.Errorf("endedFor(%q) = %s, want %s", status, got, want)
		}
	}
}
