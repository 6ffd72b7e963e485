package preview

import (
	"fmt"
	"strings"
	"time"

	"github.com/dockhost/dockhost/spec"
)

// settings are what is said about housekeeping, by the keys and in the values
// that people write, or "off"; nil where nothing is said.
func settings(h *spec.Housekeeping) any {
	switch {
	case h == nil:
		return nil
	case h.Off != nil && *h.Off:
		return "off"
	}
	said := map[string]any{}
	for key, value := range map[string]*spec.Scope{"images": h.Images, "containers": h.Containers} {
		if value != nil {
			said[key] = *value
		}
	}
	for key, value := range map[string]*int{"keep_last": h.KeepLast, "max_removals": h.MaxRemovals} {
		if value != nil {
			said[key] = *value
		}
	}
	for key, value := range map[string]*int{"high": h.High, "low": h.Low} {
		if value != nil {
			said[key] = fmt.Sprintf("%d%%", *value)
		}
	}
	for key, value := range map[string]*time.Duration{"min_age": h.MinAge, "max_age": h.MaxAge, "interval": h.Interval, "build_cache": h.BuildCache} {
		if value != nil {
			said[key] = age(key, *value)
		}
	}
	only := map[bool]string{false: "off"}
	if h.Networks != nil {
		only[true] = "unused"
		said["networks"] = only[*h.Networks]
	}
	if h.Volumes != nil {
		only[true] = "dangling"
		said["volumes"] = only[*h.Volumes]
	}
	if len(h.Keep) > 0 {
		said["keep"] = h.Keep
	}
	return said
}

// age is a time as people write it.
func age(key string, d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0 && key != "min_age":
		return "off"
	case d >= day && d%day == 0:
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
