package compose

import (
	"slices"
	"strings"

	"github.com/dockhost/dockhost/spec"
)

// applyRestart converts Compose's restart to systemd's Restart=.
func (d *declaration) applyRestart(c *spec.Container) {
	if d.service.Restart == "" {
		return
	}
	var err error
	if c.Restart, c.Unit, err = spec.ParseRestart(d.service.Restart); err != nil {
		d.Errorf(d.field("restart"), "%v", err)
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
