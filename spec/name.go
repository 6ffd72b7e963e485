package spec

import (
	"fmt"
	"regexp"
	"strings"
)

// RuntimeName is the name under which dockhost-runtime is registered with
// Docker.
const RuntimeName = "dockhost"

// UnitName returns the unit of an assigned container. With "*" it returns the
// pattern that matches all of them.
func UnitName(container string) string { return "dockhost@" + container + ".service" }

// ContainerName returns the assigned container of a unit, and false for any
// other unit.
func ContainerName(unit string) (string, bool) {
	name, found := strings.CutPrefix(unit, "dockhost@")
	if !found {
		return "", false
	}
	return strings.CutSuffix(name, ".service")
}

// signal matches a name or a number, as in signal(7).
var signal = regexp.MustCompile(`^((SIG)?[A-Z][A-Z0-9]*([+-][0-9]+)?|[1-9][0-9]?)$`)

// IsSignal reports whether name has the form of a signal: a name in upper
// case, with or without "SIG", or a number. See signal(7).
func IsSignal(name string) bool { return signal.MatchString(name) }

// maxName leaves room in the 255 bytes of a unit name for "dockhost@.service".
const maxName = 200

// CheckName returns an error unless an assigned container and its unit can have
// this name. The characters are those that Docker accepts in container names
// (daemon/names.RestrictedNameChars). systemd needs no escapes for them in the
// instance name of a unit (systemd.unit(5), "String escaping for inclusion in
// unit names").
func CheckName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	rest := strings.TrimLeft(name, letters)
	if len(name) >= 2 && len(name) <= maxName && len(rest) < len(name) && strings.Trim(rest, letters+"_.-") == "" {
		return nil
	}
	return fmt.Errorf("cannot use %q as the name of a container and of a unit: use 2 to %d letters, digits, \"_\", \".\" and \"-\", beginning with a letter or a digit",
		shorten(name), maxName)
}

// shorten cuts long text for a message.
func shorten(text string) string {
	const maxShown = 120
	if len(text) <= maxShown {
		return text
	}
	return text[:maxShown] + "..."
}
