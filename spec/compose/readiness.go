package compose

import (
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/dockhost/dockhost/spec"
)

// notify reads when the container is ready.
func (d *declaration) notify(at spot, c *spec.Container) spec.Notify {
	mode, err := spec.ParseNotify(document.Shorten(at.Text()))
	switch {
	case err != nil:
		d.Errorf(at, "%v", err)
	case mode == spec.NotifyHealthy && !hasHealthcheck(c.Config):
		d.Errorf(at, "cannot wait for a disabled health check: remove healthcheck.disable, or use started")
	}
	return mode
}

// reload reads what a reload of the unit does.
func (d *declaration) reload(at spot) *spec.Reload {
	if at.IsNull() {
		return nil
	}
	if !at.IsMapping() {
		d.Errorf(at, "not a mapping: write signal: with the name of a signal, or exec: with a command, below it, indented")
		return nil
	}
	reload := &spec.Reload{}
	for name, value := range at.Fields() {
		switch name {
		case "signal":
			reload.Signal = d.reloadSignal(value)
		case "exec":
			reload.Exec = d.reloadCommand(value)
		default:
			d.UnknownKey(value, name, []string{"signal", "exec"}, "")
		}
	}
	if at.Field("signal").Present() == at.Field("exec").Present() {
		d.Errorf(at, "write either signal: or exec:")
	}
	return reload
}

func (d *declaration) reloadSignal(at spot) string {
	name := strings.ToUpper(at.Text())
	if !spec.IsSignal(name) {
		d.Errorf(at, "cannot use %q as a signal: write a name such as HUP, or a number", document.Shorten(at.Text()))
	}
	return name
}

func (d *declaration) reloadCommand(at spot) []string {
	var command []string
	for _, item := range at.Items() {
		if !item.IsScalar() {
			d.Errorf(item, "not a word of a command: write a string")
		}
		command = append(command, item.Text())
	}
	if len(command) == 0 || command[0] == "" {
		d.Errorf(at, "not a command: write a list of strings, such as [nginx, -s, reload]")
	}
	return command
}

// checkWatchdog reports a watchdog in a unit that sends systemd no notifications:
// systemd would kill the container each time.
func (d *declaration) checkWatchdog(c *spec.Container) {
	if c.Notify != spec.NotifyOff {
		return
	}
	at := d.dockhost.Field("unit").Field("Service").Field("WatchdogSec")
	if at.Present() && at.Text() != "0" && at.Text() != "" {
		d.Errorf(at, "cannot be combined with notify: off: systemd would get no watchdog messages and kill the container (use another notify)")
	}
}
