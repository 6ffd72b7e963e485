package spec

import (
	"strconv"
	"strings"
	"time"
)

// Interval returns how old the last pull of an image may be, and false for a policy
// without an interval: "daily", "weekly" and "every_" with numbers of weeks, days,
// hours, minutes and seconds, such as every_1d12h.
func (p PullPolicy) Interval() (time.Duration, bool) {
	const day = 24 * time.Hour
	if p == "daily" {
		return day, true
	}
	if p == "weekly" {
		return 7 * day, true
	}
	rest, found := strings.CutPrefix(string(p), "every_")
	if !found || rest == "" {
		return 0, false
	}
	total := time.Duration(0)
	for rest != "" {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if digits < 1 || digits > 6 {
			return 0, false
		}
		number, err := strconv.Atoi(rest[:digits])
		unit := map[byte]time.Duration{'w': 7 * day, 'd': day, 'h': time.Hour, 'm': time.Minute, 's': time.Second}[rest[digits]]
		if err != nil || unit == 0 || number > int((1<<62-total)/unit) {
			return 0, false
		}
		total += time.Duration(number) * unit
		rest = rest[digits+1:]
	}
	return total, total > 0
}
