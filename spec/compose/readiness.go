package compose

import (
	"strings"

	"github.com/dockhost/dockhost/spec"
)

// notify reads when the container counts as ready.
func (d *declaration) notify(at spot, made *spec.Container) spec.Notify {
	mode, err := spec.ParseNotify(shorten(at.text()))
	switch {
	case err != nil:
		d.errorf(at, "%v", err)
	case mode == spec.NotifyHealthy && !hasHealthcheck(made.Config):
		d.errorf(at, "cannot wait for a health check that is disabled: remove healthcheck.disable, or use started")
	}
	return mode
}

// reload reads what a reload of the unit does.
func (d *declaration) reload(at spot) *spec.Reload {
	if at.isNull() {
		return nil
	}
	if !at.isMapping() {
		d.errorf(at, "not a mapping: write signal: with the name of a signal, or exec: with a command, below it, indented")
		return nil
	}
	made := &spec.Reload{}
	for name, value := range at.fields() {
		switch name {
		case "signal":
			made.Signal = d.reloadSignal(value)
		case "exec":
			made.Exec = d.reloadCommand(value)
		default:
			d.unknownKey(value, name, []string{"signal", "exec"}, "")
		}
	}
	if at.field("signal").present() == at.field("exec").present() {
		d.errorf(at, "write one of signal: and exec:")
	}
	return made
}

func (d *declaration) reloadSignal(at spot) string {
	name := strings.ToUpper(at.text())
	if !signal.MatchString(name) {
		d.errorf(at, "cannot use %q as a signal: write a name such as HUP, or a number", shorten(at.text()))
	}
	return name
}

func (d *declaration) reloadCommand(at spot) []string {
	var command []string
	for _, item := range at.items() {
		if !item.isScalar() {
			d.errorf(item, "not a word of a command: write a string")
		}
		command = append(command, item.text())
	}
	if len(command) == 0 || command[0] == "" {
		d.errorf(at, "not a command: write a list of strings, such as [nginx, -s, reload]")
	}
	return command
}

// checkWatchdog notes a watchdog of a unit that systemd is told nothing of:
// it would be killed each time.
func (d *declaration) checkWatchdog(made *spec.Container) {
	if made.Notify != spec.NotifyOff {
		return
	}
	at := d.dockhost.field("unit").field("Service").field("WatchdogSec")
	if at.present() && at.text() != "0" && at.text() != "" {
		d.errorf(at, "systemd's watchdog is told nothing with notify: off, and would end the container: use another notify")
	}
}
