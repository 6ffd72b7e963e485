package update

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/calendar"
)

// maxOpen bounds how long a window is open. A longer one would be open all the time.
const maxOpen = 366 * 24 * time.Hour

// maxOpenings is how many openings that follow each other without a break are looked at.
const maxOpenings = 1000

// Window is a set of times at which a container may be replaced: a calendar expression
// of systemd.time(7) with a duration, such as "Sat,Sun 02:00 +4h Europe/Berlin".
type Window struct {
	text   string
	opens  *calendar.Expression
	length time.Duration
}

// ParseWindow reads a window. The duration follows the time, the time zone comes last
// and may be missing: it is that of the host then. A window that never opens is an
// error, but not one that has opened for the last time: a host that reads the same user
// data later must not refuse it.
func ParseWindow(text string) (Window, error) {
	var expression []string
	w := Window{text: strings.Join(strings.Fields(text), " ")}
	for field := range strings.FieldsSeq(text) {
		span, isLength := strings.CutPrefix(field, "+")
		if !isLength {
			expression = append(expression, field)
			continue
		}
		length, ok := parseSpan(span)
		switch {
		case w.length > 0:
			return w, errors.New("two durations: write one, such as 02:00 +4h30m")
		case !ok:
			return w, errors.New("not a duration after the +: write a number and a unit, such as +4h or +1h30m")
		case length <= 0:
			return w, errors.New("closes when it opens: write a longer duration, such as +4h")
		case length > maxOpen:
			return w, fmt.Errorf("open for more than %s: write a shorter duration, such as +4h", textOf(maxOpen))
		}
		w.length = length
	}
	if w.length == 0 {
		return w, errors.New("not a window: write when it opens and how long it is open, such as Sat,Sun 02:00 +4h Europe/Berlin")
	}
	var err error
	if w.opens, err = calendar.Parse(strings.Join(expression, " ")); err != nil {
		return w, fmt.Errorf("not a calendar expression: %w (man systemd.time describes them)", err)
	}
	if _, ok := w.opens.Next(time.Unix(0, 0)); !ok {
		return w, errors.New("never opens: no year has such a day and time")
	}
	return w, nil
}

// String returns the window as it was written.
func (w Window) String() string { return w.text }

// Open reports whether the window is open.
func (w Window) Open(t time.Time) bool {
	opened, ok := w.opens.Next(t.Add(-w.length))
	return ok && !opened.After(t)
}

// Next returns when the window opens next after t. It returns false if it never does.
func (w Window) Next(t time.Time) (opens time.Time, ok bool) { return w.opens.Next(t) }

// Until returns when the window closes that is open at t, and the zero time if it is
// closed. Openings that overlap are one. A window that is always open closes in a long
// time.
func (w Window) Until(t time.Time) time.Time {
	closes := time.Time{}
	opened, ok := w.opens.Next(t.Add(-w.length))
	for i := 0; ok && i < maxOpenings && !opened.After(latest(t, closes)); i++ {
		closes = opened.Add(w.length)
		opened, ok = w.opens.Next(opened)
	}
	return closes
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// spanPart is a number with a unit.
var spanPart = regexp.MustCompile(`^([0-9]{1,9}(?:\.[0-9]{1,6})?)([a-z]+)`)

// parseSpan reads a time such as "90s", "1h30m" or "2d", with systemd's and Go's units.
func parseSpan(text string) (time.Duration, bool) {
	var total time.Duration
	if text == "" || len(text) > 100 {
		return 0, false
	}
	for text != "" {
		match := spanPart.FindStringSubmatch(text)
		if match == nil {
			return 0, false
		}
		number, err := strconv.ParseFloat(match[1], 64)
		unit := unitOf(match[2])
		if err != nil || unit == 0 || number > float64(1<<62-total)/float64(unit) {
			return 0, false
		}
		total += time.Duration(number * float64(unit))
		text = text[len(match[0]):]
	}
	return total, true
}

// unitOf returns the length of a unit, 0 for an unknown one.
func unitOf(name string) time.Duration {
	const day = 24 * time.Hour
	switch name {
	case "ms":
		return time.Millisecond
	case "s", "sec", "second", "seconds":
		return time.Second
	case "m", "min", "minute", "minutes":
		return time.Minute
	case "h", "hr", "hour", "hours":
		return time.Hour
	case "d", "day", "days":
		return day
	case "w", "week", "weeks":
		return 7 * day
	}
	return 0
}

// textOf returns a time as people write it.
func textOf(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0 && d > day:
		return strconv.Itoa(int(d/day)) + "d"
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return d.String()
}
