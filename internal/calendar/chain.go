package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// span is one value, or the values from first to last in steps. last is -1 for a span
// without an end; step is 0 for a single value.
type span struct{ first, last, step int }

// chain is a list of spans. An empty one allows every value.
type chain []span

// next returns the smallest allowed value within limits that is not less than a value.
func (c chain) next(value int, within limit) (int, bool) {
	value = max(value, within.first)
	if len(c) == 0 {
		return value, value <= within.last
	}
	best := within.last + 1
	for _, s := range c {
		best = min(best, s.next(value, within.last))
	}
	return best, best <= within.last
}

// next returns the smallest value that is not less than a value, and more than highest
// if there is no such value.
func (s span) next(value, highest int) int {
	if s.first >= value {
		return s.first
	}
	if s.step == 0 {
		return highest + 1
	}
	next := s.first + (value-s.first+s.step-1)/s.step*s.step
	if s.last >= 0 && next > s.last {
		return highest + 1
	}
	return next
}

// mirrored returns the days of a month for days that count from its end.
func (c chain) mirrored(daysInMonth int) chain {
	days := make(chain, len(c))
	for i, s := range c {
		days[i] = span{first: daysInMonth + 1 - s.first, last: -1, step: s.step}
		if s.last >= 0 {
			days[i].first, days[i].last = daysInMonth+1-s.last, daysInMonth+1-s.first
		}
	}
	return days
}

// normalized returns the spans sorted, each once, and each with the last value that its
// steps reach.
func (c chain) normalized() chain {
	for i, s := range c {
		if s.last > s.first {
			c[i].last -= (s.last - s.first) % s.step
		}
		if c[i].last == s.first {
			c[i] = span{first: s.first, last: -1}
		}
	}
	slices.SortFunc(c, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last), cmp.Compare(a.step, b.step))
	})
	return slices.Compact(c)
}

// check returns an error unless all values are within limits. what names the level.
func (c chain) check(within limit, fromEnd bool, what string) error {
	if fromEnd {
		within.last -= 3 // every month has that many days
	}
	for _, s := range c {
		for _, value := range []int{s.first, max(s.last, within.first)} {
			if value < within.first || value > within.last {
				return fmt.Errorf("%s %s is not from %s to %s", what, shown(value, what), shown(within.first, what), shown(within.last, what))
			}
		}
		second := s.first + s.step
		if fromEnd && s.last < 0 {
			second = s.first - s.step
		}
		switch {
		case s.last >= 0 && s.last < s.first:
			return fmt.Errorf("%s %s is before %s", what, shown(s.last, what), shown(s.first, what))
		case second < within.first || second > within.last:
			return fmt.Errorf("the step of %s is too large: it reaches no second %s", shown(s.step, what), what)
		}
	}
	return nil
}

// shown returns a value as people write it.
func shown(value int, what string) string {
	if what == levelName(second) {
		return seconds(value)
	}
	return fmt.Sprint(value)
}

// seconds returns microseconds in seconds.
func seconds(value int) string {
	if value%perSecond == 0 {
		return fmt.Sprint(value / perSecond)
	}
	return fmt.Sprintf("%d.%06d", value/perSecond, value%perSecond)
}

// text returns the spans as systemd normalizes them. Values have at least width digits.
func (c chain) text(level, width int) string {
	unit := 1
	if level == second {
		unit = perSecond
	}
	every := span{first: 0, last: -1, step: unit}
	if len(c) == 0 || level == second && len(c) == 1 && c[0] == every {
		return "*"
	}
	number := func(value, width int) string {
		if value%unit != 0 {
			return fmt.Sprintf("%0*d.%06d", width, value/unit, value%unit)
		}
		return fmt.Sprintf("%0*d", width, value/unit)
	}
	var parts []string
	for _, s := range c {
		part := number(s.first, width)
		if s.last > 0 {
			part += ".." + number(s.last, width)
		}
		if s.step > 0 && (s.last <= 0 || s.step != unit) {
			part += "/" + number(s.step, 1)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}
