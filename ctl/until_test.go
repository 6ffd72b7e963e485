package ctl

import (
	"strings"
	"testing"
	"time"
)

// berlin is a zone with a fixed offset: the machine may have no time zone data.
func berlin() *time.Location { return time.FixedZone("CET", 3600) }

func TestParseUntil(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 13, 34, 56, 0, berlin())
	tests := []struct{ text, want string }{
		{"30m", "2026-11-29T14:04:56+01:00"},
		{"2h", "2026-11-29T15:34:56+01:00"},
		{"+1h30m", "2026-11-29T15:04:56+01:00"},
		{"90s", "2026-11-29T13:36:26+01:00"},
		{"3d", "2026-12-02T13:34:56+01:00"},
		{"1w2d3h", "2026-12-08T16:34:56+01:00"},
		{"18:00", "2026-11-29T18:00:00+01:00"},
		{"08:00", "2026-11-30T08:00:00+01:00"},
		{"today 18:00", "2026-11-29T18:00:00+01:00"},
		{"tomorrow", "2026-11-30T00:00:00+01:00"},
		{" tomorrow 08:00 ", "2026-11-30T08:00:00+01:00"},
		{"2026-12-24", "2026-12-24T00:00:00+01:00"},
		{"2026-12-24 18:00", "2026-12-24T18:00:00+01:00"},
		{"2026-12-24 18:00:30", "2026-12-24T18:00:30+01:00"},
		{"2026-12-24T18:00:00Z", "2026-12-24T18:00:00Z"},
		{"2026-12-24T18:00:00+02:00", "2026-12-24T18:00:00+02:00"},
	}
	for _, test := range tests {
		if got, err := parseUntil(test.text, now); err != nil || got.Format(time.RFC3339) != test.want {
			t.Errorf("parseUntil(%q) = %v, %v, want %v", test.text, got, err, test.want)
		}
	}
}

func TestParseUntilRefuses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 13, 34, 56, 0, berlin())
	tests := []struct{ text, want string }{
		{"", "cannot use"},
		{"+", "cannot use"},
		{"soon", "cannot use"},
		{"2", "cannot use"},
		{"2h3d", "cannot use"},
		{"-2h", "cannot use"},
		{"25:00", "cannot use"},
		{"today", "cannot use"},
		{"tomorrow morning", "cannot use"},
		{"2026-02-30", "cannot use"},
		{"99999999999999999999h", "cannot use"},
		{"0s", "in the past"},
		{"today 08:00", "in the past: it is 2026-11-29 13:34 CET now"},
		{"2026-11-29", "in the past"},
		{"2026-11-29T12:00:00Z", "in the past"},
		{"2206-12-24 18:00", "more than 10 years"},
		{"9999d", "more than 10 years"},
	}
	for _, test := range tests {
		if got, err := parseUntil(test.text, now); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("parseUntil(%q) = %v, %v, want an error with %q", test.text, got, err, test.want)
		}
	}
}

// FuzzParseUntil checks that every time that is accepted lies ahead.
func FuzzParseUntil(f *testing.F) {
	now := time.Date(2026, 11, 29, 13, 34, 56, 0, berlin())
	for _, seed := range []string{"2h", "3d", "1w2d3h4m5s", "08:00", "tomorrow 08:00", "today 18:00", "2026-12-24 18:00", "2026-12-24T18:00:00Z", "+1d", "999w9999d99h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseUntil(text, now)
		if err == nil && (!at.After(now) || at.After(now.AddDate(10, 0, 0))) {
			t.Errorf("parseUntil(%q) = %v, want a time within 10 years after %v", text, at, now)
		}
	})
}
