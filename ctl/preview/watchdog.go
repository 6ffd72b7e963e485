package preview

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dockhost/dockhost/spec"
)

// watchdog returns the value of the unit's WatchdogSec=. It understands the
// usual forms, "30", "30s" and "1min 30s", and returns 0 for any other.
func watchdog(settings []spec.UnitSetting) time.Duration {
	value := ""
	for _, setting := range settings {
		if setting.Section == "Service" && setting.Key == "WatchdogSec" {
			value = strings.TrimSpace(setting.Value)
		}
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && !math.IsInf(seconds, 0) {
		return time.Duration(seconds * float64(time.Second))
	}
	short := strings.NewReplacer(" ", "", "seconds", "s", "second", "s", "sec", "s", "minutes", "m", "minute", "m", "min", "m", "usec", "us", "msec", "ms").Replace(value)
	d, err := time.ParseDuration(short)
	if err != nil {
		return 0
	}
	return d
}
