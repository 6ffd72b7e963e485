// Package dropin renders the drop-in of dockhost@NAME.service, what is one
// container's own in its unit, and the units that mount what it needs. It is pure, for the agent, which writes it, and
// for `dockhostctl render`, which shows it.
package dropin

import (
	"fmt"
	"strings"
	"time"

	"github.com/dockhost/dockhost/spec"
)

// name sorts before what an administrator adds by `systemctl edit`
// (override.conf), which then wins.
const name = "50-dockhost.conf"

const (
	// defaultGrace is Docker's own between the stop signal and SIGKILL.
	defaultGrace = 10 * time.Second
	// stopMargin is what the unit's stop timeout has over the container's
	// grace period, for Docker to kill and remove the container.
	stopMargin = 10 * time.Second
	// settings254 are settings that an older systemd warns about at each
	// reload. RestartSteps= makes restarts ever slower; DelegateSubgroup= has
	// the supervisor start in its leaf cgroup, where it would move by itself:
	// to move takes the kernel milliseconds.
	settings254 = "RestartSteps=6\nRestartMaxDelaySec=1min\nDelegateSubgroup=supervisor\n"
	// settingsV1 are controllers of cgroup v1 alone, which systemd 258 does not
	// know any more and which are not part of Delegate=yes. Without them, the
	// first setting in the unit or its slice that needs one has systemd move the
	// container's processes out of their cgroup there, and docker exec fails.
	settingsV1 = "Delegate=cpuacct blkio devices\n"
)

// UnitDir is where the agent writes unit files.
const UnitDir = "/run/systemd/system/"

// Path is where the drop-in of a container lies.
func Path(container string) string {
	return UnitDir + spec.UnitName(container) + ".d/" + name
}

// Render returns the drop-in of a container for a version of systemd. What the
// user sets comes last and wins.
func Render(c *spec.Container, systemdVersion int) []byte {
	var unit, service strings.Builder
	fmt.Fprintf(&unit, "Description=container %s (%s)\n", c.Name, escapePercent(c.Image))
	for _, dependency := range c.DependsOn {
		want := "Wants"
		if dependency.Joined {
			want = "Requires"
		}
		fmt.Fprintf(&unit, "After=%s\n%s=%s\n", spec.UnitName(dependency.Name), want, spec.UnitName(dependency.Name))
	}
	for _, m := range c.Mounts {
		fmt.Fprintf(&unit, "RequiresMountsFor=%s\n", m.Where)
	}
	grace := defaultGrace
	if own := c.Config.StopTimeout; own != nil {
		grace = time.Duration(*own) * time.Second
	}
	fmt.Fprintf(&service, "TimeoutStopSec=%d\n", int((grace + stopMargin).Seconds()))
	if c.Restart != "" {
		fmt.Fprintf(&service, "Restart=%s\n", c.Restart)
	}
	service.WriteString(serviceType(c, systemdVersion))
	if systemdVersion < 258 {
		service.WriteString(settingsV1)
	}
	if systemdVersion >= 254 {
		service.WriteString(settings254)
	}
	for _, name := range c.Credentials {
		if systemdVersion >= 254 {
			fmt.Fprintf(&service, "ImportCredential=%s\n", name)
		} else {
			fmt.Fprintf(&service, "LoadCredential=%s\n", name)
		}
	}
	for _, setting := range c.Unit {
		section := &service
		if setting.Section == "Unit" {
			section = &unit
		}
		fmt.Fprintf(section, "%s=%s\n", setting.Key, setting.Value)
	}
	return []byte("# Written by dockhost.service, and written anew when the declaration changes.\n" +
		"[Unit]\n" + unit.String() + "\n[Service]\n" + service.String())
}

// serviceType renders what differs from the unit's own Type=notify. With
// notify: off systemd is told nothing, so that it waits for nothing. Reloading
// is the supervisor's work, which SIGHUP asks for: notify-reload, of systemd
// 253, also waits for its end.
func serviceType(c *spec.Container, systemdVersion int) string {
	const reload = "ExecReload=/bin/kill -HUP $MAINPID\n"
	switch {
	case c.Notify == spec.NotifyOff && c.Reload != nil:
		return "Type=exec\n" + reload
	case c.Notify == spec.NotifyOff:
		return "Type=exec\n"
	case c.Reload != nil && systemdVersion >= 253:
		return "Type=notify-reload\n"
	case c.Reload != nil:
		return reload
	}
	return ""
}

// escapePercent keeps systemd from taking a text for specifiers.
func escapePercent(text string) string { return strings.ReplaceAll(text, "%", "%%") }
