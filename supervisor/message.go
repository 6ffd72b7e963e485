package supervisor

import (
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/systemd"
)

// message is one message of a container, without the parts that it may not say.
type message struct {
	ready, reloading bool
	// status is nil when the message has none.
	status *string
	// pass are assignments for systemd, unchanged.
	pass []string
}

// parseMessage reads the assignments of sd_notify(3). It drops MAINPID=,
// FDSTORE= and all others by which a container could speak for the supervisor.
func parseMessage(text string) message {
	var m message
	monotonic := ""
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, "=")
		switch {
		case name == "READY":
			m.ready = m.ready || value == "1"
		case name == "RELOADING":
			m.reloading = m.reloading || value == "1"
		case name == "MONOTONIC_USEC" && isNumber(value):
			monotonic = line
		case name == "STATUS":
			status := clean(value)
			m.status = &status
		case passes(name, value):
			m.pass = append(m.pass, line)
		}
	}
	if m.reloading {
		if monotonic == "" {
			monotonic = systemd.Monotonic()
		}
		m.pass = append(m.pass, "RELOADING=1", monotonic)
	}
	return m
}

// passes says whether systemd gets an assignment as it is.
func passes(name, value string) bool {
	switch name {
	case "STOPPING":
		return value == "1"
	case "WATCHDOG":
		return value == "1" || value == "trigger"
	case "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "ERRNO":
		return isNumber(value)
	}
	return false
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 63)
	return err == nil
}
