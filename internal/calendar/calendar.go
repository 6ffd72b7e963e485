// Package calendar reads calendar expressions as systemd.time(7) describes them under
// CALENDAR EVENTS, such as "Sat,Sun 02:00 Europe/Berlin", and computes when they
// elapse. It has no clock of its own.
package calendar

import "time"

// The levels of an expression, from the largest unit to the smallest.
const (
	year = iota
	month
	day
	hour
	minute
	// second counts in microseconds.
	second
	levels
)

const (
	// minYear and maxYear are the years that systemd knows.
	minYear, maxYear = 1970, 2199
	perSecond        = int(time.Second / time.Microsecond)
	// maxGaps bounds the times that are tried because the clocks were set forward over
	// the last one: no zone does that more than twice a year.
	maxGaps = 2 * (maxYear - minYear + 1)
)

// limit is the range of the values of a level.
type limit struct{ first, last int }

// limitOf returns the range of the values of a level.
func limitOf(level int) limit {
	return [levels]limit{{minYear, maxYear}, {1, 12}, {1, 31}, {0, 23}, {0, 59}, {0, 60*perSecond - 1}}[level]
}

// Expression is a set of times of day on days of the calendar.
type Expression struct {
	// weekdays has a bit for each allowed day of the week, Monday first; 0 allows all.
	weekdays int
	// fields has the allowed values of each level.
	fields [levels]chain
	// fromEnd is true if days count from the end of the month: 1 is the last one.
	fromEnd bool
	// zone is the time zone; nil is that of the host.
	zone *time.Location
}

// wall is what calendar and clock of a place show.
type wall [levels]int

// Next returns when the expression elapses next after t. It returns false if it never
// does: systemd knows the years to 2199.
//
// A time that does not exist because the clocks are set forward is left out. One that
// exists twice because they are set back elapses the first time.
func (e *Expression) Next(t time.Time) (time.Time, bool) {
	zone := e.zone
	if zone == nil {
		zone = time.Local
	}
	from := t.Truncate(time.Microsecond).Add(time.Microsecond)
	at := wallAt(from.In(zone))
	for range maxGaps {
		found, ok := e.atOrAfter(at)
		if !ok {
			return time.Time{}, false
		}
		next, exists := found.in(zone, from)
		if exists {
			return next, true
		}
		at = wallAt(next) // the end of the gap
	}
	return time.Time{}, false
}

// atOrAfter returns the first match that is not before a wall time. It turns the
// levels like the wheels of an odometer.
func (e *Expression) atOrAfter(at wall) (wall, bool) {
	for level := year; level < levels; {
		value, ok := e.next(level, at)
		switch {
		case !ok && level == year:
			return at, false
		case !ok:
			level--
			at = at.after(level)
		case value > at[level]:
			at = at.with(level, value)
			level++
		default:
			level++
		}
	}
	return at, true
}

// next returns the smallest allowed value of a level that is not less than the one of
// a wall time. The larger levels have their values already.
func (e *Expression) next(level int, at wall) (int, bool) {
	if level != day {
		return e.fields[level].next(at[level], limitOf(level))
	}
	last := daysIn(at[year], at[month])
	days := e.fields[day]
	if e.fromEnd {
		days = days.mirrored(last)
	}
	for value, ok := days.next(at[day], limit{1, last}); ok; value, ok = days.next(value+1, limit{1, last}) {
		if e.allowsWeekday(at[year], at[month], value) {
			return value, true
		}
	}
	return 0, false
}

func (e *Expression) allowsWeekday(y, m, d int) bool {
	if e.weekdays == 0 {
		return true
	}
	sundayFirst := int(time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Weekday())
	return e.weekdays&(1<<((sundayFirst+6)%7)) != 0
}

func daysIn(y, m int) int { return time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// wallAt returns what the clocks in the zone of a time show.
func wallAt(t time.Time) wall {
	return wall{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()*perSecond + t.Nanosecond()/int(time.Microsecond)}
}

// with returns a wall time with another value of a level, and the smallest values of
// all levels below.
func (w wall) with(level, value int) wall {
	w[level] = value
	for below := level + 1; below < levels; below++ {
		w[below] = limitOf(below).first
	}
	return w
}

// after returns the wall time at which a level has its next value.
func (w wall) after(level int) wall { return w.with(level, w[level]+1) }

// in returns the first time, but none before from, at which the clocks of a zone show
// this. If they are set forward over it, it returns the time at which they are, and
// false.
func (w wall) in(zone *time.Location, from time.Time) (time.Time, bool) {
	utc := time.Date(w[year], time.Month(w[month]), w[day], w[hour], w[minute], 0, 0, time.UTC).Add(time.Duration(w[second]) * time.Microsecond)
	// time.Date does not say which of two times it returns, nor that there is no such
	// time, so the offsets of the days around are tried.
	const around = 36 * time.Hour
	var gapEnd time.Time
	for _, near := range []time.Time{utc.Add(-around), utc.Add(around)} {
		_, offset := near.In(zone).Zone()
		candidate := utc.Add(-time.Duration(offset) * time.Second).In(zone)
		if wallAt(candidate) == w && !candidate.Before(from) {
			return candidate, true
		}
		if gapEnd.IsZero() {
			gapEnd, _ = candidate.ZoneBounds()
		}
	}
	return gapEnd, false
}
