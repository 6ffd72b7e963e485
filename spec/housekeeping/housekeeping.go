// Package housekeeping parses the housekeeping settings in dockhost.yaml and in
// user data. It is pure.
package housekeeping

import (
	"strconv"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

const (
	// defaultHigh and defaultLow apply when only the other mark is set.
	defaultHigh, defaultLow = 85, 70
	// minInterval bounds the load that housekeeping puts on Docker.
	minInterval = time.Minute
	// maxCount bounds counts and days.
	maxCount = 10_000
)

// Keys returns the keys of the mapping.
func Keys() document.Keys {
	return document.Only(
		"build_cache", "containers", "high", "images", "interval", "keep", "keep_last", "low", "max_age", "max_removals",
		"min_age", "networks", "volumes",
	)
}

// Parse parses the value of `housekeeping:` and reports problems. It returns nil
// if there is no value.
func Parse(report *document.Report, at document.Spot) *spec.Housekeeping {
	r := reader{report}
	switch {
	case !at.Present() || at.IsNull():
		return nil
	case at.Text() == "off" || at.Text() == "false":
		return &spec.Housekeeping{Off: new(true)}
	case !at.IsMapping():
		r.Errorf(at, "not a mapping: write settings such as images: managed below it, indented, or off")
		return nil
	}
	at = r.Check(at, Keys())
	h := &spec.Housekeeping{Off: new(false)}
	h.Images = r.scope(at.Field("images"), spec.ScopeManaged, spec.ScopeAll, spec.ScopeNone)
	h.Containers = r.scope(at.Field("containers"), spec.ScopeManaged, spec.ScopeAll, spec.ScopeNone)
	h.High, h.Low = r.marks(at.Field("high"), at.Field("low"))
	h.MinAge = r.age(at.Field("min_age"), false)
	h.MaxAge = r.age(at.Field("max_age"), true)
	h.BuildCache = r.age(at.Field("build_cache"), true)
	h.KeepLast = r.count(at.Field("keep_last"), 1)
	h.MaxRemovals = r.count(at.Field("max_removals"), 1)
	h.Interval = r.interval(at.Field("interval"))
	h.Keep = r.patterns(at.Field("keep"))
	h.Networks = r.offOr(at.Field("networks"), "unused")
	h.Volumes = r.offOr(at.Field("volumes"), "dangling")
	return h
}

// reader reports problems while it reads.
type reader struct {
	*document.Report
}

// isSet reports whether a key has a value.
func isSet(at document.Spot) bool { return at.Present() && !at.IsNull() }

func (r reader) scope(at document.Spot, allowed ...spec.Scope) *spec.Scope {
	if !isSet(at) {
		return nil
	}
	for _, scope := range allowed {
		if at.Text() == string(scope) || scope == spec.ScopeNone && at.Text() == "false" {
			return new(scope)
		}
	}
	r.Errorf(at, "unknown value: use managed (what dockhost pulled or created), all or off")
	return nil
}

// offOr reads a key whose value is "off" or one other word.
func (r reader) offOr(at document.Spot, value string) *bool {
	switch text := at.Text(); {
	case !isSet(at):
		return nil
	case text == value:
		return new(true)
	case text == "off" || text == "false":
		return new(false)
	}
	r.Errorf(at, "unknown value: use %s or off", value)
	return nil
}

// marks reads both marks. If only one is set, the other has its default.
func (r reader) marks(highAt, lowAt document.Spot) (high, low *int) {
	if !isSet(highAt) && !isSet(lowAt) {
		return nil, nil
	}
	highMark, okHigh := r.percent(highAt, defaultHigh)
	lowMark, okLow := r.percent(lowAt, defaultLow)
	switch {
	case !okHigh || !okLow:
		return nil, nil
	case lowMark < highMark:
		return &highMark, &lowMark
	case !isSet(highAt):
		r.Errorf(lowAt, "not below high, which is %d%% by default: write a lower one, or set high as well", defaultHigh)
	case !isSet(lowAt):
		r.Errorf(highAt, "not above low, which is %d%% by default: write a higher one, or set low as well", defaultLow)
	default:
		r.Errorf(lowAt, "not below high: removal starts at high and stops at low, such as high: %d%% and low: %d%%", defaultHigh, defaultLow)
	}
	return nil, nil
}

func (r reader) percent(at document.Spot, unset int) (int, bool) {
	if !isSet(at) {
		return unset, true
	}
	value, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(at.Text(), "%")))
	if err != nil || value < 1 || value > 99 {
		r.Errorf(at, "not a percentage: write a part of the file system from 1%% to 99%%")
		return 0, false
	}
	return value, true
}

// age reads a duration, which may be in days. If canBeOff is set, "off" is
// allowed and returned as 0.
func (r reader) age(at document.Spot, canBeOff bool) *time.Duration {
	text := at.Text()
	switch {
	case !isSet(at):
		return nil
	case canBeOff && (text == "off" || text == "false"):
		return new(time.Duration(0))
	}
	age, ok := duration(text)
	if !ok || canBeOff && age == 0 {
		orOff := ""
		if canBeOff {
			orOff = ", or off"
		}
		r.Errorf(at, "not a time: write a number and a unit, such as 90m, 12h or 30d%s", orOff)
		return nil
	}
	return &age
}

func duration(text string) (time.Duration, bool) {
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err == nil && n >= 0 && n <= maxCount
	}
	age, err := time.ParseDuration(text)
	return age, err == nil && age >= 0
}

func (r reader) interval(at document.Spot) *time.Duration {
	interval := r.age(at, false)
	if interval != nil && *interval < minInterval {
		r.Errorf(at, "too short: write 1m or more")
		return nil
	}
	return interval
}

func (r reader) count(at document.Spot, least int) *int {
	if !isSet(at) {
		return nil
	}
	n, err := strconv.Atoi(at.Text())
	if err != nil || n < least || n > maxCount {
		r.Errorf(at, "not a number: write a number from %d to %d", least, maxCount)
		return nil
	}
	return &n
}

// patterns reads one pattern or a list of them.
func (r reader) patterns(at document.Spot) []string {
	if !isSet(at) {
		return nil
	}
	spots := []document.Spot{at}
	if at.IsList() {
		spots = nil
		for _, item := range at.Items() {
			spots = append(spots, item)
		}
	}
	var patterns []string
	for _, item := range spots {
		if r.pattern(item) {
			patterns = append(patterns, item.Text())
		}
	}
	return patterns
}

// pattern reports whether a pattern is valid. A pattern that matches every image
// is refused: images: off says the same more clearly.
func (r reader) pattern(at document.Spot) bool {
	text := at.Text()
	name, isLabel := strings.CutPrefix(text, "label=")
	name, _, _ = strings.Cut(name, "=")
	switch {
	case text == "" || strings.ContainsAny(text, " \t\n"):
		r.Errorf(at, "not a pattern: write a reference with * and ?, such as registry.example/team/*, or label=NAME")
	case strings.ContainsAny(text, "[]{}\\"):
		r.Errorf(at, "not a pattern: only * and ? are special characters (write several patterns instead)")
	case isLabel && strings.Trim(name, "*?") == "":
		r.Errorf(at, "matches every label: write the name of the label, as in label=NAME or label=NAME=VALUE")
	case !isLabel && strings.Trim(text, "*?/:@.") == "":
		r.Errorf(at, "matches every image: write a narrower pattern, or images: off")
	default:
		return true
	}
	return false
}
