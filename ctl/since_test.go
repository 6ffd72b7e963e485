package ctl

import (
	"testing"
	"time"
)

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2h": "2026-03-10T10:00:00Z", "1d": "2026-03-09T12:00:00Z", "90m ago": "2026-03-10T10:30:00Z",
		"08:00": "2026-03-10T08:00:00Z", "18:00": "2026-03-09T18:00:00Z", "today": "2026-03-10T00:00:00Z",
		"yesterday": "2026-03-09T00:00:00Z", "yesterday 08:00": "2026-03-09T08:00:00Z",
		"2026-03-01": "2026-03-01T00:00:00Z", "2026-03-01 18:30": "2026-03-01T18:30:00Z", "2026-03-01T18:30:00Z": "2026-03-01T18:30:00Z",
		"tomorrow": "", "2027-01-01": "", "soon": "", "": "",
	} {
		got, err := parseSince(text, now)
		if (err == nil) != (want != "") || err == nil && got.Format(time.RFC3339) != want {
			t.Errorf("parseSince(%q) = %v, %v, want %q", text, got, err, want)
		}
	}
}
