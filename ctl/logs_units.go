package ctl

import (
	"strings"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// anyUser is the uid of a unit of a user's manager whose user is not known.
const anyUser = "*"

// journalUnit is a unit whose lines are shown.
type journalUnit struct {
	name string
	// uid is the user whose manager has the unit, [anyUser], or "" for a unit of the system.
	uid string
}

func (u journalUnit) isOfUser() bool { return u.uid != "" }

// unitOf returns the unit of a container.
func unitOf(c *api.Container) journalUnit { return journalUnit{c.Unit, userOf(c.Cgroup)} }

// userOf returns the uid of the user whose manager a unit with this cgroup belongs to: that
// of "/user.slice/user-7.slice/user@7.service/app.slice/web.service" is "7".
func userOf(cgroup string) string {
	for part := range strings.SplitSeq(cgroup, "/") {
		if uid, isManager := strings.CutPrefix(part, "user@"); isManager && part != cgroup[strings.LastIndexByte(cgroup, '/')+1:] {
			return strings.TrimSuffix(uid, ".service")
		}
	}
	return ""
}

// selectUnits returns the arguments of journalctl that select the lines of units.
func selectUnits(units []journalUnit, onlyOutput bool) []string {
	var arguments []string
	for _, unit := range units {
		if unit.isOfUser() {
			return matchUnits(units, onlyOutput)
		}
		arguments = append(arguments, "--unit="+unit.name)
	}
	if onlyOutput {
		arguments = append(arguments, "_TRANSPORT=stdout")
	}
	return arguments
}

// matchUnits selects by fields of the journal (systemd.journal-fields(7)), as journalctl
// does for --unit= and --user-unit=. The latter knows the caller's own units alone.
func matchUnits(units []journalUnit, onlyOutput bool) []string {
	var arguments []string
	or := func(matches ...string) {
		if len(arguments) > 0 {
			arguments = append(arguments, "+")
		}
		arguments = append(arguments, matches...)
	}
	var output []string
	if onlyOutput {
		output = []string{"_TRANSPORT=stdout"}
	}
	for _, unit := range units {
		switch {
		case unit.name == spec.UnitName("*"):
			or(append(output, "_SYSTEMD_SLICE="+containersSlice)...)
			continue
		case unit.uid == anyUser:
			or(append(output, "_SYSTEMD_USER_UNIT="+unit.name)...)
			continue
		case unit.isOfUser():
			or(append(output, "_UID="+unit.uid, "_SYSTEMD_USER_UNIT="+unit.name)...)
		default:
			or(append(output, "_SYSTEMD_UNIT="+unit.name)...)
		}
		switch {
		case onlyOutput:
		case unit.isOfUser():
			or("_UID="+unit.uid, "USER_UNIT="+unit.name)
		default:
			or("_PID=1", "UNIT="+unit.name)
			or("_UID=0", "OBJECT_SYSTEMD_UNIT="+unit.name)
		}
	}
	return arguments
}

// containersSlice is the slice of all units dockhost@.
const containersSlice = "system-dockhost.slice"
