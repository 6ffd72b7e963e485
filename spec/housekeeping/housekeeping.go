// Package housekeeping reads what people write about keeping the disk from
// filling, in dockhost.yaml and in user data. It is pure.
package housekeeping

import (
	"strconv"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

const (
	// defaultHigh and defaultLow are the marks where only the other is given.
	defaultHigh, defaultLow = 85, 70
	// minInterval keeps Docker from being asked all the time.
	minInterval = time.Minute
	// maxCount bounds what is counted.
	maxCount = 10_000
)

// Keys are the keys that the mapping may have.
func Keys() document.Keys {
	return document.Only(
		"build_cache", "containers", "high", "images", "interval", "keep", "keep_last", "low", "max_age", "max_removals",
		"min_age", "networks", "volumes",
	)
}

// Parse reads what stands below `housekeeping:`, and notes what is wrong. It
// returns nil where nothing is said.
func Parse(report *document.Report, at document.Spot) *spec.Housekeeping {
	r := reader{report}
	switch {
	case !at.Present() || at.IsNull():
		return nil
	case at.Text() == "off" || at.Text() == "false":
		return &spec.Housekeeping{Off: new(true)}
	case !at.IsMapping():
		r.Errorf(at, "not a mapping: write images: managed and the like below it, indented, or off")
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
	h.Networks = r.only(at.Field("networks"), "unused")
	h.Volumes = r.only(at.Field("volumes"), "dangling")
	return h
}

// reader notes what is wrong while it reads.
type reader struct {
	*document.Report
}

// said reports whether a key has a value.
func said(at document.Spot) bool { return at.Present() && !at.IsNull() }

func (r reader) scope(at document.Spot, allowed ...spec.Scope) *spec.Scope {
	if !said(at) {
		return nil
	}
	for _, scope := range allowed {
		if at.Text() == string(scope) || scope == spec.ScopeNone && at.Text() == "false" {
			return new(scope)
		}
	}
	r.Errorf(at, "unknown: use managed (what dockhost brought), all (whoever brought it) or off")
	return nil
}

// only reads a key that has one value beside off.
func (r reader) only(at document.Spot, value string) *bool {
	switch text := at.Text(); {
	case !said(at):
		return nil
	case text == value:
		return new(true)
	case text == "off" || text == "false":
		return new(false)
	}
	r.Errorf(at, "unknown: use %s or off", value)
	return nil
}

// marks reads both marks: where one is given, the other is its default.
func (r reader) marks(highAt, lowAt document.Spot) (high, low *int) {
	if !said(highAt) && !said(lowAt) {
		return nil, nil
	}
	highMark, okHigh := r.percent(highAt, defaultHigh)
	lowMark, okLow := r.percent(lowAt, defaultLow)
	switch {
	case !okHigh || !okLow:
		return nil, nil
	case lowMark < highMark:
		return &highMark, &lowMark
	case !said(highAt):
		r.Errorf(lowAt, "not below high, which is %d%% by default: write a lower one, or high, too", defaultHigh)
	case !said(lowAt):
		r.Errorf(highAt, "not above low, which is %d%% by default: write a higher one, or low, too", defaultLow)
	default:
		r.Errorf(lowAt, "not below high: removal begins at high and ends at low, such as high: %d%% and low: %d%%", defaultHigh, defaultLow)
	}
	return nil, nil
}

func (r reader) percent(at document.Spot, otherwise int) (int, bool) {
	if !said(at) {
		return otherwise, true
	}
	value, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(at.Text(), "%")))
	if err != nil || value < 1 || value > 99 {
		r.Errorf(at, "not a mark: write percent of the file system, from 1%% to 99%%")
		return 0, false
	}
	return value, true
}

// age reads a time, in days, too; off is 0 where that is allowed.
func (r reader) age(at document.Spot, canBeOff bool) *time.Duration {
	text := at.Text()
	switch {
	case !said(at):
		return nil
	case canBeOff && (text == "off" || text == "false"):
		return new(time.Duration(0))
	}
	age, ok := duration(text)
	if !ok || canBeOff && age == 0 {
		r.Errorf(at, "not a time: write 90m, 12h, 30d or the like%s", map[bool]string{true: ", or off"}[canBeOff])
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
		r.Errorf(at, "too often: write %s at least", "1m")
		return nil
	}
	return interval
}

func (r reader) count(at document.Spot, least int) *int {
	if !said(at) {
		return nil
	}
	n, err := strconv.Atoi(at.Text())
	if err != nil || n < least || n > maxCount {
		r.Errorf(at, "not a number: write one from %d to %d", least, maxCount)
		return nil
	}
	return &n
}

// patterns reads one pattern or a list of them.
func (r reader) patterns(at document.Spot) []string {
	if !said(at) {
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

// pattern checks one. Whoever wants to keep everything does not want half of
// this feature, and says so better.
func (r reader) pattern(at document.Spot) bool {
	text := at.Text()
	name, isLabel := strings.CutPrefix(text, "label=")
	name, _, _ = strings.Cut(name, "=")
	switch {
	case text == "" || strings.ContainsAny(text, " \t\n"):
		r.Errorf(at, "not a pattern: write a reference with * and ?, such as registry.example/team/*, or label=NAME")
	case strings.ContainsAny(text, "[]{}\\"):
		r.Errorf(at, "not a pattern: nothing but * and ? has a meaning, write several patterns instead")
	case isLabel && strings.Trim(name, "*?") == "":
		r.Errorf(at, "matches every label: write the label's name, as in label=NAME or label=NAME=VALUE")
	case !isLabel && strings.Trim(text, "*?/:@.") == "":
		r.Errorf(at, "matches every image, so that none would ever go: write which ones, or images: off")
	default:
		return true
	}
	return false
}
