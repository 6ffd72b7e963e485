package housekeeping

import (
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/dockhost/dockhost/spec"
)

// Policy is what may be removed, and when. [spec.Housekeeping] describes the fields.
type Policy struct {
	Off         bool
	Images      spec.Scope
	High, Low   int
	MinAge      time.Duration
	MaxAge      time.Duration
	KeepLast    int
	Keep        []string
	MaxRemovals int
	Interval    time.Duration
	Containers  spec.Scope
	BuildCache  time.Duration
	Networks    bool
	Volumes     bool
}

// containerAge is how long a container stays after it ended.
const containerAge = time.Hour

// DefaultPolicy returns the policy of a host without settings.
func DefaultPolicy() Policy {
	return Policy{
		Images: spec.ScopeManaged, High: 85, Low: 70, MinAge: time.Hour, KeepLast: 2, MaxRemovals: 100,
		Interval: time.Hour, Containers: spec.ScopeManaged, BuildCache: 7 * 24 * time.Hour,
	}
}

// With returns the policy with the settings of one source. Settings that the source
// does not have stay; its patterns to keep are added.
func (p Policy) With(h *spec.Housekeeping) Policy {
	if h == nil {
		return p
	}
	set(&p.Off, h.Off)
	set(&p.Images, h.Images)
	set(&p.High, h.High)
	set(&p.Low, h.Low)
	set(&p.MinAge, h.MinAge)
	set(&p.MaxAge, h.MaxAge)
	set(&p.KeepLast, h.KeepLast)
	set(&p.MaxRemovals, h.MaxRemovals)
	set(&p.Interval, h.Interval)
	set(&p.Containers, h.Containers)
	set(&p.BuildCache, h.BuildCache)
	set(&p.Networks, h.Networks)
	set(&p.Volumes, h.Volumes)
	p.Keep = append(slices.Clone(p.Keep), h.Keep...)
	return p
}

func set[T any](to, setting *T) {
	if setting != nil {
		*to = *setting
	}
}

// pinnedBy returns the pattern that keeps an image, "" when none does.
func (p Policy) pinnedBy(image *Image) string {
	for _, pattern := range p.Keep {
		if label, isLabel := strings.CutPrefix(pattern, "label="); isLabel {
			if matchLabel(label, image.Labels) {
				return pattern
			}
			continue
		}
		for _, ref := range slices.Concat(image.Tags, image.Digests) {
			if slices.ContainsFunc(spellings(ref), func(s string) bool { return glob(pattern, s) }) {
				return pattern
			}
		}
	}
	return ""
}

func matchLabel(pattern string, labels map[string]string) bool {
	name, value, hasValue := strings.Cut(pattern, "=")
	for key, label := range labels {
		if glob(name, key) && (!hasValue || glob(value, label)) {
			return true
		}
	}
	return false
}

// spellings returns the ways in which people write a reference: in full and as docker
// prints it, with and without the tag.
func spellings(ref string) []string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return []string{ref}
	}
	return []string{named.String(), reference.FamiliarString(named), named.Name(), reference.FamiliarName(named)}
}

// glob reports whether a pattern matches a whole text: * matches any characters, ? one.
func glob(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
