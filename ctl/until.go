package ctl

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxUntil is how far away a time may be. It keeps a mistyped year from passing.
const maxUntil = 10

// parseUntil returns the time in the future that a person means:
//
//	2h  1h30m  3d  2w  1w2d  +2h       from now
//	08:00                              the next time that the clock shows it
//	today 18:00  tomorrow  tomorrow 08:00
//	2026-12-24  2026-12-24 18:00  2026-12-24 18:00:30
//	2026-12-24T18:00:00Z               RFC 3339
//
// All but the last are in the time zone of now. A day without a time begins at 00:00.
func parseUntil(text string, now time.Time) (time.Time, error) {
	at, ok := parseTime(strings.TrimSpace(text), now)
	switch {
	case !ok:
		return time.Time{}, fmt.Errorf(`cannot use %q as a time: use 2h, 3d, 08:00, "tomorrow 08:00", "2026-12-24 18:00", or a time of RFC 3339`, text)
	case !at.After(now):
		return time.Time{}, fmt.Errorf("%q is in the past: it is %s now", text, moment(now, now.Location()))
	case at.After(now.AddDate(maxUntil, 0, 0)):
		return time.Time{}, fmt.Errorf("%q is more than %d years away", text, maxUntil)
	}
	return at, nil
}

func parseTime(text string, now time.Time) (time.Time, bool) {
	if at, ok := after(text, now); ok {
		return at, true
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, true
		}
	}
	day, clock, _ := strings.Cut(text, " ")
	switch day {
	case "today":
		return clockOn(now, clock)
	case "tomorrow":
		if clock == "" {
			clock = "00:00"
		}
		return clockOn(now.AddDate(0, 0, 1), clock)
	}
	at, ok := clockOn(now, text)
	if ok && !at.After(now) {
		return clockOn(now.AddDate(0, 0, 1), text)
	}
	return at, ok
}

// clockOn returns the time on a day at which a clock shows "15:04".
func clockOn(day time.Time, clock string) (time.Time, bool) {
	at, err := time.Parse("15:04", clock)
	if err != nil {
		return time.Time{}, false
	}
	return time.Date(day.Year(), day.Month(), day.Day(), at.Hour(), at.Minute(), 0, 0, day.Location()), true
}

// afterForm is a duration with weeks and days in front of what Go reads.
func afterForm() *regexp.Regexp {
	return regexp.MustCompile(`^\+?(?:(\d{1,3})w)?(?:(\d{1,4})d)?((?:\d+[hms])*)$`)
}

// after returns the time after a duration like 1w2d3h. A day is one of the calendar,
// which is not always 24 hours long.
func after(text string, now time.Time) (time.Time, bool) {
	m := afterForm().FindStringSubmatch(text)
	if m == nil || m[1] == "" && m[2] == "" && m[3] == "" {
		return time.Time{}, false
	}
	weeks, _ := strconv.Atoi(m[1]) // digits, or "" for none
	days, _ := strconv.Atoi(m[2])
	var rest time.Duration
	if m[3] != "" {
		var err error
		if rest, err = time.ParseDuration(m[3]); err != nil {
			return time.Time{}, false // too large
		}
	}
	return now.AddDate(0, 0, 7*weeks+days).Add(rest), true
}

// moment returns a time for people: "2026-12-24 18:00 CET".
func moment(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("2006-01-02 15:04 MST")
}
