package supervisor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dockhost/dockhost/systemd"
)

const (
	// minWatchdog and maxWatchdog bound what a container may ask for by WATCHDOG_USEC=.
	minWatchdog = time.Second
	maxWatchdog = time.Hour
	// maxErrno is the largest error number of the kernel (linux/err.h, MAX_ERRNO).
	maxErrno = 4095
)

// message is one message of a container, without the parts that it may not say.
type message struct {
	// stopping says that the container is about to end by itself. systemd is not told:
	// it would then send no stop signal to the unit any more.
	ready, reloading, stopping bool
	// extend is how much more time the container asks for; 0 for none.
	extend time.Duration
	// watchdog is the new limit of systemd's watchdog, which is in pass, too; 0 for none.
	watchdog time.Duration
	// status is nil when the message has none.
	status *string
	// pass are assignments for systemd.
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
		case name == "STOPPING":
			m.stopping = m.stopping || value == "1"
		case name == "EXTEND_TIMEOUT_USEC":
			m.extend = max(m.extend, microseconds(value))
		case name == "WATCHDOG" && (value == "1" || value == "trigger"):
			m.pass = append(m.pass, line)
		case name == "WATCHDOG_USEC" && microseconds(value) > 0:
			m.watchdog = min(max(microseconds(value), minWatchdog), maxWatchdog)
			m.pass = append(m.pass, assign(name, m.watchdog))
		case name == "ERRNO" && isNumber(value):
			if number, _ := strconv.ParseUint(value, 10, 63); number <= maxErrno {
				m.pass = append(m.pass, line)
			}
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

// microseconds reads a number of microseconds. It returns 0 for anything else, and the
// longest duration for a larger number.
func microseconds(text string) time.Duration {
	number, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0
	}
	return time.Duration(min(number, math.MaxInt64/uint64(time.Microsecond))) * time.Microsecond
}

// assign returns the assignment of a duration.
func assign(name string, d time.Duration) string {
	return name + "=" + strconv.FormatInt(d.Microseconds(), 10)
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 63)
	return err == nil
}
