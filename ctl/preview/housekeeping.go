package preview

import (
	"fmt"
	"strings"
	"time"

	"github.com/dockhost/dockhost/spec"
)

// settings returns the housekeeping settings of user data, with the keys and
// values that people write. It returns "off" or nil for no settings.
func settings(h *spec.Housekeeping) any {
	switch {
	case h == nil:
		return nil
	case h.Off != nil && *h.Off:
		return "off"
	}
	written := map[string]any{}
	put(written, "images", h.Images, scope)
	put(written, "containers", h.Containers, scope)
	put(written, "keep_last", h.KeepLast, number)
	put(written, "max_removals", h.MaxRemovals, number)
	put(written, "high", h.High, percent)
	put(written, "low", h.Low, percent)
	put(written, "min_age", h.MinAge, age)
	put(written, "max_age", h.MaxAge, ageOrOff)
	put(written, "interval", h.Interval, ageOrOff)
	put(written, "build_cache", h.BuildCache, ageOrOff)
	put(written, "networks", h.Networks, offOr("unused"))
	put(written, "volumes", h.Volumes, offOr("dangling"))
	if len(h.Keep) > 0 {
		written["keep"] = h.Keep
	}
	return written
}

// put adds a setting, if it is set, in the form that format returns.
func put[T any](written map[string]any, key string, value *T, format func(T) any) {
	if value != nil {
		written[key] = format(*value)
	}
}

func scope(s spec.Scope) any { return s }

func number(n int) any { return n }

func percent(n int) any { return fmt.Sprintf("%d%%", n) }

// offOr formats a setting that is "off" or one other word.
func offOr(word string) func(bool) any {
	return func(on bool) any {
		if !on {
			return "off"
		}
		return word
	}
}

func ageOrOff(d time.Duration) any {
	if d == 0 {
		return "off"
	}
	return age(d)
}

// age returns a duration as people write it: "7d", "1h30m".
func age(d time.Duration) any {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
