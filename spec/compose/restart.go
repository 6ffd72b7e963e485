package compose

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/dockhost/dockhost/spec"
)

// applyRestart turns Compose's restart into systemd's Restart=. Docker's own
// policy stays "no".
//
// "on-failure:N" is N restarts after the first start. systemd counts starts
// within an interval, so that N restarts are N+1 starts within an interval that
// does not end while the host runs. The interval is 100 years and not
// "infinity": older systemd (src/basic/ratelimit.c) adds the interval to a time,
// which overflows, and no limit is left. A start by hand counts as well;
// systemctl reset-failed makes systemd forget the count.
func (d *declaration) applyRestart(made *spec.Container) {
	policy := d.service.Restart
	name, count, counted := strings.Cut(policy, ":")
	switch {
	case policy == "":
	case policy == "no":
		made.Restart = "no"
	case policy == "always", policy == "unless-stopped":
		made.Restart = "always"
	case name == "on-failure":
		made.Restart = "on-failure"
		if counted {
			made.Unit = d.startLimit(count)
		}
	default:
		d.Errorf(d.field("restart"), "cannot use %q: use \"no\", always, unless-stopped, on-failure or on-failure:COUNT", document.Shorten(policy))
	}
}

func (d *declaration) startLimit(count string) []spec.UnitSetting {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n >= math.MaxInt32 {
		d.Errorf(d.field("restart"), "cannot use %q as a number of restarts", document.Shorten(count))
		return nil
	}
	if n == 0 { // Docker's word for "no limit"
		return nil
	}
	return []spec.UnitSetting{
		{Section: "Unit", Key: "StartLimitIntervalSec", Value: "100y"},
		{Section: "Unit", Key: "StartLimitBurst", Value: strconv.Itoa(n + 1)},
	}
}

// overridden leaves out what restart sets where the user sets it as well.
func overridden(settings []spec.UnitSetting) []spec.UnitSetting {
	kept := settings[:0:0]
	for i, setting := range settings {
		later := slices.ContainsFunc(settings[i+1:], func(s spec.UnitSetting) bool { return s.Section == setting.Section && s.Key == setting.Key })
		if later && strings.HasPrefix(setting.Key, "StartLimit") {
			continue
		}
		kept = append(kept, setting)
	}
	return kept
}
