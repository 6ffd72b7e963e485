package compose

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/dockhost/dockhost/spec"
)

// applyRestart converts Compose's restart to systemd's Restart=. Docker's own
// policy stays "no".
//
// "on-failure:N" means N restarts after the first start. systemd counts starts
// within an interval, so N restarts are N+1 starts within an interval that never
// ends. The interval is 100 years instead of "infinity": older systemd
// (src/basic/ratelimit.c) adds the interval to a time, which overflows and
// disables the limit. Manual starts count too; systemctl reset-failed resets the
// count.
func (d *declaration) applyRestart(c *spec.Container) {
	policy := d.service.Restart
	name, count, counted := strings.Cut(policy, ":")
	switch {
	case policy == "":
	case policy == "no":
		c.Restart = "no"
	case policy == "always", policy == "unless-stopped":
		c.Restart = "always"
	case name == "on-failure":
		c.Restart = "on-failure"
		if counted {
			c.Unit = d.startLimit(count)
		}
	default:
		d.Errorf(d.field("restart"), "cannot use %q: use \"no\", always, unless-stopped, on-failure or on-failure:COUNT", document.Shorten(policy))
	}
}

func (d *declaration) startLimit(count string) []spec.UnitSetting {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n >= math.MaxInt32 {
		d.Errorf(d.field("restart"), "cannot use %q as a number of restarts: write a whole number", document.Shorten(count))
		return nil
	}
	if n == 0 { // Docker's form of "no limit"
		return nil
	}
	return []spec.UnitSetting{
		{Section: "Unit", Key: "StartLimitIntervalSec", Value: "100y"},
		{Section: "Unit", Key: "StartLimitBurst", Value: strconv.Itoa(n + 1)},
	}
}

// overridden removes settings from restart that the user sets too.
func overridden(settings []spec.UnitSetting) []spec.UnitSetting {
	var result []spec.UnitSetting
	for i, setting := range settings {
		later := slices.ContainsFunc(settings[i+1:], func(s spec.UnitSetting) bool { return s.Section == setting.Section && s.Key == setting.Key })
		if later && strings.HasPrefix(setting.Key, "StartLimit") {
			continue
		}
		result = append(result, setting)
	}
	return result
}
