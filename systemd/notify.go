package systemd

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier tells systemd about the service it runs in (sd_notify(3)). Without
// $NOTIFY_SOCKET it says nothing.
type Notifier struct {
	// sent gets what would go to systemd, in a test.
	sent func(state string)
}

// Ready says that the service is up, or has finished reloading.
func (n Notifier) Ready(status string) { n.send("READY=1", statusLine(status)) }

// HandOver says that the service is ready, and that pid is its main process
// from now on: this one is about to end.
func (n Notifier) HandOver(pid int, status string) {
	n.send("READY=1", "MAINPID="+strconv.Itoa(pid), statusLine(status))
}

// Status says in a sentence what the service is doing.
func (n Notifier) Status(status string) { n.send(statusLine(status)) }

// Reloading says that the service takes over a new configuration; Ready ends
// it. MONOTONIC_USEC is what Type=notify-reload asks for.
func (n Notifier) Reloading(status string) {
	n.send("RELOADING=1", Monotonic(), statusLine(status))
}

// Watchdog says that the service is alive, for WatchdogSec=.
func (n Notifier) Watchdog() { n.send("WATCHDOG=1") }

// Pass sends assignments as they are.
func (n Notifier) Pass(assignments ...string) { n.send(assignments...) }

// Monotonic is the assignment of the time that RELOADING=1 goes with.
func Monotonic() string { return strings.TrimSpace(daemon.SdNotifyMonotonicUsec()) }

// WatchdogInterval is the time within which systemd wants to hear that this
// process is alive, 0 where it wants to hear nothing (sd_watchdog_enabled(3)).
func WatchdogInterval() time.Duration {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0 // systemd sets no such variables
	}
	return interval
}

// Stopping says that the service is on its way down.
func (n Notifier) Stopping(status string) { n.send("STOPPING=1", statusLine(status)) }

// ExtendTimeout asks for d more, from now, for the start or stop that is going
// on. It shortens nothing.
func (n Notifier) ExtendTimeout(d time.Duration) {
	n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

// send has no one to tell about an error: a lost line is replaced by the next.
func (n Notifier) send(lines ...string) {
	if n.sent != nil {
		n.sent(strings.Join(lines, "\n"))
		return
	}
	_, _ = daemon.SdNotify(false, strings.Join(lines, "\n"))
}

// statusLine keeps a status on one line, since a newline would start another
// assignment.
func statusLine(status string) string {
	return "STATUS=" + strings.Join(strings.FieldsFunc(status, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
