package calendar

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLength and maxSpans bound an expression. systemd has the same limit of spans.
	maxLength = 1000
	maxSpans  = 240
)

// shorthand returns the expression that a word stands for, "" for other words.
func shorthand(word string) string {
	switch strings.ToLower(word) {
	case "minutely":
		return "*-*-* *:*:00"
	case "hourly":
		return "*-*-* *:00:00"
	case "daily":
		return "*-*-* 00:00:00"
	case "weekly":
		return "Mon *-*-* 00:00:00"
	case "monthly":
		return "*-*-01 00:00:00"
	case "quarterly":
		return "*-01,04,07,10-01 00:00:00"
	case "biannually", "bi-annually", "semiannually", "semi-annually":
		return "*-01,07-01 00:00:00"
	case "yearly", "annually", "anually": // systemd takes the misspelling, too
		return "*-01-01 00:00:00"
	}
	return ""
}

// zoneName is a name in the time zone database.
var zoneName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+/-]*$`)

// Parse reads an expression. The error says what is wrong with it, without the
// expression.
func Parse(text string) (*Expression, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("longer than %d characters", maxLength)
	}
	e := &Expression{}
	fields := strings.Fields(text)
	if last := len(fields) - 1; last > 0 && zoneName.MatchString(fields[last]) {
		zone, err := parseZone(fields[last])
		if err != nil {
			return nil, err
		}
		e.zone, fields = zone, fields[:last]
	}
	if len(fields) == 1 && shorthand(fields[0]) != "" {
		fields = strings.Fields(shorthand(fields[0]))
	}
	if len(fields) == 0 {
		return nil, errors.New("empty")
	}
	if err := e.parse(fields); err != nil {
		return nil, err
	}
	return e, e.check()
}

func parseZone(name string) (*time.Location, error) {
	if strings.EqualFold(name, "UTC") {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("unknown time zone %q: write a name from the time zone database, such as Europe/Berlin, or UTC", shorten(name))
	}
	return zone, nil
}

// parse reads weekdays, date and time, each of which may be missing.
func (e *Expression) parse(fields []string) error {
	if isWeekdays(fields[0]) {
		if err := e.parseWeekdays(fields[0]); err != nil {
			return err
		}
		fields = fields[1:]
	}
	if len(fields) > 0 && strings.HasPrefix(fields[0], "@") {
		return e.parseTimestamp(fields)
	}
	if len(fields) > 0 && !strings.Contains(fields[0], ":") {
		if err := e.parseDate(fields[0]); err != nil {
			return err
		}
		fields = fields[1:]
	}
	switch len(fields) {
	case 0:
		e.fields[hour], e.fields[minute], e.fields[second] = only(0), only(0), only(0)
		return nil
	case 1:
		return e.parseTime(fields[0])
	}
	return fmt.Errorf("cannot read %q after the time", shorten(fields[1]))
}

// shorten bounds the text that an error quotes.
func shorten(text string) string {
	const longest = 40
	if len(text) <= longest {
		return text
	}
	return text[:longest] + "..."
}

func only(value int) chain { return chain{{first: value, last: -1}} }

// isWeekdays reports whether a field has days of the week: only they have letters.
func isWeekdays(field string) bool {
	first := field[0] | 0x20
	return first >= 'a' && first <= 'z'
}

// weekday returns the number of a day of the week, Monday is 0.
func weekday(name string) (int, error) {
	for i, known := range []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"} {
		if lower := strings.ToLower(name); lower == known || lower == known[:3] {
			return i, nil
		}
	}
	return 0, fmt.Errorf("unknown day of the week %q: write Mon, Tue, Wed, Thu, Fri, Sat or Sun", shorten(name))
}

// parseWeekdays reads a list of days and of ranges, such as "Mon..Wed,Sun".
func (e *Expression) parseWeekdays(field string) error {
	for item := range strings.SplitSeq(strings.TrimSuffix(field, ","), ",") {
		from, to, isRange := strings.Cut(item, "..")
		if !isRange {
			from, to, isRange = strings.Cut(item, "-") // systemd takes it, too
		}
		first, err := weekday(from)
		if err != nil {
			return err
		}
		last := first
		if isRange {
			if last, err = weekday(to); err != nil {
				return err
			}
		}
		if last < first {
			return fmt.Errorf("%s is before %s in a week that begins on Monday: write two ranges", to, from)
		}
		for i := first; i <= last; i++ {
			e.weekdays |= 1 << i
		}
	}
	if e.weekdays == 1<<7-1 {
		e.weekdays = 0
	}
	return nil
}

// parseTimestamp reads "@" and seconds since 1970, in UTC.
func (e *Expression) parseTimestamp(fields []string) error {
	unix, err := strconv.ParseInt(fields[0][1:], 10, 64)
	if err != nil || unix < 0 || unix > 1<<40 || len(fields) > 1 {
		return errors.New("not a time since 1970: write @ and seconds alone")
	}
	for level, value := range wallAt(time.Unix(unix, 0).UTC()) {
		e.fields[level] = only(value)
	}
	e.zone = time.UTC
	return nil
}

// parseDate reads MONTH-DAY or YEAR-MONTH-DAY. A "~" before the day counts days from
// the end of the month.
func (e *Expression) parseDate(field string) error {
	date, days, fromEnd := strings.Cut(field, "~")
	if !fromEnd {
		i := strings.LastIndexByte(field, '-')
		if i < 0 {
			return fmt.Errorf("cannot read %q: write a date such as 12-24 or *-12-24, or a time such as 02:00", shorten(field))
		}
		date, days = field[:i], field[i+1:]
	}
	years, months, hasYear := strings.Cut(date, "-")
	if !hasYear {
		years, months = "*", date
	}
	e.fromEnd = fromEnd && days != "*"
	for level, text := range []string{years, months, days} {
		values, err := parseChain(text, level)
		if err != nil {
			return err
		}
		e.fields[level] = values
	}
	for i, s := range e.fields[year] {
		e.fields[year][i].first, e.fields[year][i].last = century(s.first), century(s.last)
	}
	return nil
}

// century returns the year for its last two digits.
func century(year int) int {
	switch {
	case year >= 0 && year < 70:
		return year + 2000
	case year >= 70 && year < 100:
		return year + 1900
	}
	return year
}

// parseTime reads HOUR:MINUTE or HOUR:MINUTE:SECOND.
func (e *Expression) parseTime(field string) error {
	parts := strings.Split(field, ":")
	if len(parts) == 2 {
		parts = append(parts, "0")
	}
	if len(parts) != 3 {
		return fmt.Errorf("cannot read %q as a time: write HH:MM or HH:MM:SS", shorten(field))
	}
	for i, text := range parts {
		values, err := parseChain(text, hour+i)
		if err != nil {
			return err
		}
		e.fields[hour+i] = values
	}
	return nil
}

// levelName returns the name of a level in messages.
func levelName(level int) string {
	return [levels]string{"year", "month", "day", "hour", "minute", "second"}[level]
}

// parseChain reads "*" or a list of values, ranges and steps, such as "1,8..10,12/3".
func parseChain(text string, level int) (chain, error) {
	unit := 1
	if level == second {
		unit = perSecond
	}
	if text == "*" {
		if level == second {
			return chain{{first: 0, last: -1, step: unit}}, nil
		}
		return nil, nil
	}
	var c chain
	for item := range strings.SplitSeq(text, ",") {
		if len(c) == maxSpans {
			return nil, fmt.Errorf("more than %d values for one %s", maxSpans, levelName(level))
		}
		s, ok := parseSpan(item, unit)
		if !ok {
			return nil, fmt.Errorf("cannot read %q as %s: write a number, FIRST..LAST, FIRST/STEP or a list of these", shorten(item), levelName(level))
		}
		c = append(c, s)
	}
	return c, nil
}

func parseSpan(text string, unit int) (span, bool) {
	values, step, hasStep := strings.Cut(text, "/")
	first, last, isRange := strings.Cut(values, "..")
	s := span{last: -1}
	var ok bool
	if s.first, ok = parseValue(first, unit); !ok {
		return s, false
	}
	if isRange {
		s.step = unit
		if s.last, ok = parseValue(last, unit); !ok {
			return s, false
		}
	}
	if hasStep {
		s.step, ok = parseValue(step, unit)
		ok = ok && s.step > 0
	}
	return s, ok
}

// number matches a value; seconds may have decimals.
var number = regexp.MustCompile(`^([0-9]{1,9})(\.([0-9]{1,6})([0-9]?)[0-9]*)?$`)

func parseValue(text string, unit int) (int, bool) {
	match := number.FindStringSubmatch(text)
	if match == nil || match[2] != "" && unit == 1 {
		return 0, false
	}
	whole, _ := strconv.Atoi(match[1])
	if unit == 1 {
		return whole, true
	}
	fraction, _ := strconv.Atoi((match[3] + "000000")[:6])
	if match[4] >= "5" {
		fraction++
	}
	return whole*unit + fraction, true
}

// check normalizes the values, and returns an error if one is out of range.
func (e *Expression) check() error {
	for level := range e.fields {
		e.fields[level] = e.fields[level].normalized()
		if err := e.fields[level].check(limitOf(level), e.fromEnd && level == day, levelName(level)); err != nil {
			return err
		}
	}
	return nil
}

// String returns the expression as systemd normalizes it.
func (e *Expression) String() string {
	var text strings.Builder
	text.WriteString(e.weekdaysText())
	f, beforeDay := e.fields, "-"
	if e.fromEnd {
		beforeDay = "~"
	}
	fmt.Fprintf(&text, "%s-%s%s%s %s:%s:%s", f[year].text(year, 4), f[month].text(month, 2), beforeDay, f[day].text(day, 2),
		f[hour].text(hour, 2), f[minute].text(minute, 2), f[second].text(second, 2))
	if e.zone != nil {
		text.WriteString(" " + e.zone.String())
	}
	return text.String()
}

func (e *Expression) weekdaysText() string {
	names := []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}
	var parts []string
	for first := 0; first < len(names); first++ {
		last := first
		for e.weekdays&(1<<first) != 0 && last+1 < len(names) && e.weekdays&(1<<(last+1)) != 0 {
			last++
		}
		switch {
		case e.weekdays&(1<<first) == 0:
			continue
		case last > first+1:
			parts = append(parts, names[first]+".."+names[last])
		default:
			parts = append(parts, names[first:last+1]...)
		}
		first = last
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ",") + " "
}
