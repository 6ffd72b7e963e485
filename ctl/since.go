package ctl

import (
	"fmt"
	"strings"
	"time"
)

// parseSince returns the time in the past that a person means: 2h or 3d for so long ago,
// 08:00 for the last time that the clock showed it, today, yesterday, "yesterday 08:00", a
// date with or without a time, or a time of RFC 3339.
func parseSince(text string, now time.Time) (time.Time, error) {
	at, ok := parsePast(strings.TrimSuffix(strings.TrimSpace(text), " ago"), now)
	switch {
	case !ok:
		return time.Time{}, fmt.Errorf(`cannot use %q as a time: use 2h, 3d, 08:00, yesterday, "2026-12-24 18:00", or a time of RFC 3339`, text)
	case at.After(now):
		return time.Time{}, fmt.Errorf("%q is in the future: it is %s now", text, moment(now, now.Location()))
	}
	return at, nil
}

func parsePast(text string, now time.Time) (time.Time, bool) {
	if at, ok := after(text, now); ok {
		return now.Add(now.Sub(at)), true
	}
	day, clock, _ := strings.Cut(text, " ")
	if clock == "" {
		clock = "00:00"
	}
	switch day {
	case "today":
		return clockOn(now, clock)
	case "yesterday":
		return clockOn(now.AddDate(0, 0, -1), clock)
	case "tomorrow":
		return time.Time{}, false
	}
	if at, ok := clockOn(now, text); ok {
		if at.After(now) {
			return clockOn(now.AddDate(0, 0, -1), text)
		}
		return at, true
	}
	return parseTime(text, now)
}
