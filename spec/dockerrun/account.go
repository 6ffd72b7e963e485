package dockerrun

import (
	"slices"
	"strings"
)

// Account is the user that runs the unit, as systemd tells the unit's processes. A
// field is "" if it is not known.
type Account struct{ Name, Shell string }

// passedOn returns the variables that --env passes to the container: those that
// the unit sets, without those of the host and of systemd.
func (a Account) passedOn(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, value, found := strings.Cut(variable, "=")
		return !found || name == "" || a.ofHost(name, value)
	})
}

// ofHost reports whether a variable describes the host: HOME and PATH, which
// systemd-docker left out, and what systemd sets for each process
// (systemd.exec(5), "Environment variables set or propagated by the service
// manager"). A unit may set some of those names itself, and then means the
// container: they describe the host only with the value that systemd gives them.
// LANG is not one of them: systemd sets it too, but it is as good for the
// container.
func (a Account) ofHost(name, value string) bool {
	switch name {
	case "USER", "LOGNAME":
		return a.Name == "" || value == a.Name
	case "SHELL":
		return a.Shell == "" || value == a.Shell
	case "TERM":
		return value == "linux" || value == "vt220" || value == "dumb"
	case "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "CREDENTIALS_DIRECTORY":
		return strings.HasPrefix(value, "/run/")
	case "STATE_DIRECTORY":
		return strings.HasPrefix(value, "/var/lib/")
	case "CACHE_DIRECTORY":
		return strings.HasPrefix(value, "/var/cache/")
	case "LOGS_DIRECTORY":
		return strings.HasPrefix(value, "/var/log/")
	case "CONFIGURATION_DIRECTORY":
		return strings.HasPrefix(value, "/etc/")
	case "HOME", "PATH",
		"INVOCATION_ID", "JOURNAL_STREAM", "LOG_NAMESPACE", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
		"LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES", "FDSTORE", "REMOTE_ADDR", "REMOTE_PORT",
		"MAINPID", "MANAGERPID", "MANAGERPIDFDID", "SYSTEMD_EXEC_PID", "PIDFILE", "DEBUG_INVOCATION",
		"MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
		"XDG_SESSION_ID", "XDG_SESSION_TYPE", "XDG_SESSION_CLASS", "XDG_SEAT", "XDG_VTNR",
		"TRIGGER_UNIT", "TRIGGER_PATH", "TRIGGER_TIMER_REALTIME_USEC", "TRIGGER_TIMER_MONOTONIC_USEC",
		"MONITOR_SERVICE_RESULT", "MONITOR_EXIT_CODE", "MONITOR_EXIT_STATUS", "MONITOR_INVOCATION_ID", "MONITOR_UNIT":
		return true
	}
	return false
}
