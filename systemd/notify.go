package systemd

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/dockhost/dockhost/internal/oneline"
)

// Notifier sends the state of this service to systemd (sd_notify(3)). Without
// $NOTIFY_SOCKET it does nothing.
type Notifier struct {
	// sent receives the notifications in a test.
	sent func(state string)
}

// Ready says that the service has started or reloaded.
func (n Notifier) Ready(status string) { n.send("READY=1", statusLine(status)) }

// HandOver says that the service is ready and that pid is now its main process. This
// process is about to end.
func (n Notifier) HandOver(pid int, status string) {
	n.send("READY=1", "MAINPID="+strconv.Itoa(pid), statusLine(status))
}

// Status sends a sentence about what the service is doing.
func (n Notifier) Status(status string) { n.send(statusLine(status)) }

// Reloading says that the service reloads its configuration, until Ready. It includes
// MONOTONIC_USEC, which Type=notify-reload requires.
func (n Notifier) Reloading(status string) {
	n.send("RELOADING=1", Monotonic(), statusLine(status))
}

// Watchdog sends the keep-alive for WatchdogSec=.
func (n Notifier) Watchdog() { n.send("WATCHDOG=1") }

// Pass sends assignments unchanged.
func (n Notifier) Pass(assignments ...string) { n.send(assignments...) }

// Monotonic returns the assignment MONOTONIC_USEC= that accompanies RELOADING=1.
func Monotonic() string { return strings.TrimSpace(daemon.SdNotifyMonotonicUsec()) }

// WatchdogInterval returns the time within which systemd expects a keep-alive from this
// process, 0 for none (sd_watchdog_enabled(3)).
func WatchdogInterval() time.Duration {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0 // systemd never sets invalid variables
	}
	return interval
}

// Stopping says that the service is stopping.
func (n Notifier) Stopping(status string) { n.send("STOPPING=1", statusLine(status)) }

// ExtendTimeout extends the timeout of the current start or stop to at least d from
// now. It never shortens a timeout.
func (n Notifier) ExtendTimeout(d time.Duration) {
	n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

// send ignores errors, because the next notification replaces a lost one.
func (n Notifier) send(lines ...string) {
	if n.sent != nil {
		n.sent(strings.Join(lines, "\n"))
		return
	}
	_, _ = daemon.SdNotify(false, strings.Join(lines, "\n"))
}

// maxStatus bounds a status in characters.
const maxStatus = 2000

// statusLine puts a status on one line, because a newline would begin another
// assignment, and systemctl shows it in terminals.
func statusLine(status string) string { return "STATUS=" + oneline.Of(status, maxStatus) }
