package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/spec"
)

// dropInName sorts before what an administrator adds by `systemctl edit`
// (override.conf), which then wins.
const dropInName = "50-dockhost.conf"

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

// dropIns are the drop-ins of dockhost@NAME.service.
type dropIns struct {
	root string
}

// write makes the drop-in of a container, and says whether it has changed.
func (f dropIns) write(c *spec.Container, systemdVersion int) (bool, error) {
	text := dropIn(c, systemdVersion)
	path := f.path(c.Name)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // unit files are for all to read
		return false, fmt.Errorf("write drop-in: %w", err)
	}
	if err := atomicfile.Write(path, text, 0o644); err != nil {
		return false, fmt.Errorf("write drop-in: %w", err)
	}
	return true, nil
}

// remove takes the drop-in away, and its directory when nothing else is in it.
func (f dropIns) remove(name string) error {
	path := f.path(name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove drop-in: %w", err)
	}
	_ = os.Remove(filepath.Dir(path))
	return nil
}

func (f dropIns) path(name string) string {
	return filepath.Join(f.root, "/run/systemd/system", status.UnitName(name)+".d", dropInName)
}

// dropIn renders what is this container's own in its unit. What the user sets
// comes last and wins.
func dropIn(c *spec.Container, systemdVersion int) []byte {
	var unit, service strings.Builder
	fmt.Fprintf(&unit, "Description=container %s (%s)\n", c.Name, escapePercent(c.Image))
	for _, dependency := range c.DependsOn {
		want := "Wants"
		if dependency.Joined {
			want = "Requires"
		}
		fmt.Fprintf(&unit, "After=%s\n%s=%s\n", status.UnitName(dependency.Name), want, status.UnitName(dependency.Name))
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
