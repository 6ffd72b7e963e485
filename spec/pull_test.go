package spec

import (
	"testing"
	"time"
)

func TestInterval(t *testing.T) {
	for policy, want := range map[PullPolicy]time.Duration{
		"daily": 24 * time.Hour, "weekly": 7 * 24 * time.Hour, "every_12h": 12 * time.Hour, "every_1w2d": 9 * 24 * time.Hour,
		"every_90m": 90 * time.Minute, "every_": 0, "every_x": 0, "every_1": 0, "every_0h": 0, "every_1y": 0, "every_999999w999999w": 0,
		"always": 0, "missing": 0, "": 0,
	} {
		got, found := policy.Interval()
		if found != (want > 0) || found && got != want {
			t.Errorf("Interval(%q) = %s, %v, want %s", policy, got, found, want)
		}
	}
}
