package supervisor

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// sortTimeout bounds the question to systemd what a signal means.
const sortTimeout = 5 * time.Second

// Signals returns the signals that the supervisor handles besides SIGTERM and SIGINT,
// which always ask for a stop: all that would end it or mean something to a container,
// and SIGCONT, by which the agent asks for the supervisor's files to be restored. A
// program on a terminal leaves the signals of job control to the kernel.
func Signals(onTerminal bool) []os.Signal {
	none := []syscall.Signal{syscall.SIGINT, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGPIPE, syscall.SIGCHLD, syscall.SIGSTOP, syscall.SIGURG}
	if onTerminal {
		none = append(none, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	}
	var signals []os.Signal
	for sig := syscall.Signal(1); sig <= sigRTMax; sig++ {
		// The C library uses those between the standard and the real-time signals.
		if !slices.Contains(none, sig) && (sig < 32 || sig >= sigRTMin) {
			signals = append(signals, sig)
		}
	}
	return signals
}

// signalName returns the name of a signal as Docker takes it: the number where it has
// no other name.
func signalName(sig os.Signal) string {
	number, _ := sig.(syscall.Signal)
	if name := unix.SignalName(number); name != "" {
		return name
	}
	return fmt.Sprint(int(number))
}

// watchdogExpired is what systemd's watchdog sends, whatever WatchdogSignal= says.
type watchdogExpired struct{}

func (watchdogExpired) Signal()        {}
func (watchdogExpired) String() string { return "watchdog" }

// sorter tells the signals by which systemd asks for a stop from those that someone
// sends the container. KillSignal= may be any of them, and `systemctl kill` sends the
// same ones; but systemd knows whether it is stopping the unit.
type sorter struct {
	unit    *unit
	signals <-chan os.Signal
	// others gets the signals that ask for no stop. Those of a flood are dropped.
	others chan<- os.Signal
	stop   context.CancelFunc
	log    *zap.Logger
}

// run sorts signals until ctx ends.
func (s *sorter) run(ctx context.Context) {
	for {
		select {
		case sig := <-s.signals:
			s.sort(ctx, sig)
		case <-ctx.Done():
			return
		}
	}
}

// sort asks systemd what a signal means. systemd changes the unit's state before it
// answers another question. SIGCONT, which follows each of its stop signals, means no
// stop.
func (s *sorter) sort(ctx context.Context, sig os.Signal) {
	name := zap.String("signal", signalName(sig))
	if s.unit.exists() && sig != syscall.SIGCONT {
		ctx, cancel := context.WithTimeout(ctx, sortTimeout)
		defer cancel()
		unit, err := s.unit.read(ctx)
		switch {
		case err != nil:
			s.log.Warn("cannot ask systemd whether a signal asks for a stop, so it does not", name, zap.Error(err))
		case unit.SubState == "stop-watchdog", unit.SubState == "stop-sigabrt": // before systemd 243
			sig = watchdogExpired{}
		case unit.ActiveState == "deactivating":
			s.log.Debug("systemd asks for a stop by another signal than SIGTERM", name)
			s.stop()
			return
		}
	}
	select {
	case s.others <- sig:
	default:
		s.log.Warn("signal dropped: too many at a time", name)
	}
}
