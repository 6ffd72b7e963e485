package systemd

import "github.com/coreos/go-systemd/v22/unit"

// PathUnit returns the name of the unit that stands for a path: with ".mount"
// for what is mounted there, with ".device" for a device node
// (systemd.unit(5), "String escaping for inclusion in unit names").
func PathUnit(path, suffix string) string { return unit.UnitNamePathEscape(path) + suffix }

// PathInstance returns the name of a template's instance for a path:
// "systemd-fsck@dev-sdb.service".
func PathInstance(template, path string) string {
	return template + "@" + unit.UnitNamePathEscape(path) + ".service"
}
