// Package dropin renders the drop-in of dockhost@NAME.service, which has the unit
// settings of one container, and the units for its mounts. It writes no files: the
// agent writes what it renders, and `dockhostctl render` prints it.
package dropin

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dockhost/dockhost/spec"
)

// name sorts before override.conf, which `systemctl edit` writes, so that an
// administrator's settings win.
const name = "50-dockhost.conf"

const (
	// defaultGrace is Docker's default time between the stop signal and SIGKILL.
	defaultGrace = 10 * time.Second
	// stopMargin is added to the container's grace period for the unit's stop timeout.
	// Docker needs it to kill and remove the container.
	stopMargin = 10 * time.Second
	// settings254 are for systemd 254 and later; an older one warns about them at each
	// reload. RestartSteps= makes restarts ever slower. DelegateSubgroup= starts the
	// supervisor in its leaf cgroup. Otherwise it moves there by itself, which takes the
	// kernel milliseconds.
	settings254 = "RestartSteps=6\nRestartMaxDelaySec=1min\nDelegateSubgroup=supervisor\n"
	// settingsV1 are controllers of cgroup v1 alone. systemd 258 does not know them any
	// more, and Delegate=yes does not include them. Without them, once a setting of the
	// unit or its slice needs one of them, systemd moves the container's processes out
	// of their cgroup, and docker exec fails.
	settingsV1 = "Delegate=cpuacct blkio devices\n"
	// settingsProbe add to the sandbox of dockhost@.service what probes need: they
	// connect from within the container's network namespace. Without it they would
	// connect from outside.
	settingsProbe = "CapabilityBoundingSet=CAP_SYS_ADMIN CAP_SYS_PTRACE\nRestrictNamespaces=net\n"
	// settingsGPU add what GPUs need: the supervisor loads modules and makes device
	// nodes. Its checks read the kernel's log and look into the container's file tree.
	settingsGPU = "CapabilityBoundingSet=CAP_MKNOD CAP_SYSLOG CAP_SYS_MODULE CAP_SYS_PTRACE\nSystemCallFilter=@module\n"
)

// UnitDir is where the agent writes unit files.
const UnitDir = "/run/systemd/system/"

// Path returns the path of a container's drop-in.
func Path(container string) string {
	return UnitDir + spec.UnitName(container) + ".d/" + name
}

// TemplatePath is the path of the drop-in for all containers. Its name is another
// one than that of a container's drop-in, which would hide it.
const TemplatePath = UnitDir + "dockhost@.service.d/40-dockhost.conf"

// Template returns the drop-in for all containers; nil for a version of systemd that
// needs none. systemctl revert of one container leaves it: without these controllers
// systemd would remove the cgroups of the running container.
func Template(systemdVersion int) []byte {
	if systemdVersion >= 258 {
		return nil
	}
	return []byte("# Written by dockhost.service.\n[Service]\n" + settingsV1)
}

// Render returns the drop-in of a container for a version of systemd. The user's
// settings are last, so they win. encrypted names the credentials that the host has
// only in encrypted form. The error names each value that would not stay on its line.
func Render(c *spec.Container, systemdVersion int, encrypted ...string) ([]byte, error) {
	var unit, service section
	for _, dependency := range c.DependsOn {
		dependencyLines(&unit, &dependency)
	}
	for _, m := range c.Mounts {
		unit.set("RequiresMountsFor", m.Where)
	}
	grace := defaultGrace
	if seconds := c.Config.StopTimeout; seconds != nil {
		grace = time.Duration(*seconds) * time.Second
	}
	service.set("TimeoutStopSec", strconv.Itoa(int((grace + stopMargin).Seconds())))
	if c.Restart != "" {
		service.set("Restart", c.Restart)
	}
	service.add(serviceType(c, systemdVersion))
	if c.Completes && systemdVersion >= 254 {
		// The jobs of the units that wait for it survive a failed try.
		service.add("RestartMode=direct\n")
	}
	if systemdVersion < 258 {
		service.add(settingsV1)
	}
	if systemdVersion >= 254 {
		service.add(settings254)
	}
	service.add(privileges(c))
	for _, name := range c.Credentials {
		// From 254 on systemd looks for both kinds by itself.
		setting := "ImportCredential"
		if systemdVersion < 254 && slices.Contains(encrypted, name) {
			setting = "LoadCredentialEncrypted"
		} else if systemdVersion < 254 {
			setting = "LoadCredential"
		}
		service.set(setting, name)
	}
	for _, setting := range c.Unit {
		target := &service
		if setting.Section == "Unit" {
			target = &unit
		}
		target.set(setting.Key, setting.Value)
	}
	if slices.ContainsFunc(c.Unit, makesReadOnly) {
		service.add("ReadWritePaths=/run/dockhost\n") // for the supervisor's own files
	}
	if err := errors.Join(append(unit.errs, service.errs...)...); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", spec.UnitName(c.Name), err)
	}
	return []byte("# Written by dockhost.service. Do not edit: it is replaced when the declaration changes.\n" +
		"[Unit]\n" + unit.text.String() + "\n[Service]\n" + service.text.String()), nil
}

// privileges renders what the supervisor of a container may do that others may not.
func privileges(c *spec.Container) string {
	var text string
	if _, probes := c.Notify.Probe(); probes {
		text += settingsProbe
	}
	if c.GPU != nil {
		text += settingsGPU
	}
	return text
}

// makesReadOnly says whether a setting makes /run read-only for the supervisor.
func makesReadOnly(setting spec.UnitSetting) bool {
	return setting.Section == "Service" && (setting.Key == "ReadOnlyPaths" || setting.Key == "ProtectSystem" && setting.Value == "strict")
}

// dependencyLines adds a dependency. A container that must not start before the
// other one has completed gets Requires=: with Wants= it would start after a failure,
// too. The others get Wants=, so that a failed start of the other one, which systemd
// repeats, does not end this one. One that someone has stopped is not started.
func dependencyLines(unit *section, dependency *spec.Dependency) {
	name := spec.UnitName(dependency.Name)
	if dependency.Stopped && !dependency.Needed() {
		unit.set("After", name)
		return
	}
	want := "Wants"
	if dependency.Needed() {
		want = "Requires"
	}
	unit.set("After", name)
	unit.set(want, name)
	if dependency.Restart {
		unit.set("PartOf", name)
	}
}

// serviceType renders what differs from the unit's Type=notify. With notify: off
// the supervisor sends systemd nothing, so systemd must not wait. SIGHUP has the
// supervisor reload the container; notify-reload, of systemd 253, also waits until
// that has ended.
func serviceType(c *spec.Container, systemdVersion int) string {
	const reload = "ExecReload=/bin/kill -HUP $MAINPID\n"
	switch {
	case c.Completes:
		// The start of a oneshot unit lasts until the container has ended.
		return "Type=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=infinity\n"
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
