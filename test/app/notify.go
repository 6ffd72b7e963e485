package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// barrierTimeout bounds the wait until the service manager closes the file of a BARRIER=1.
const barrierTimeout = 5 * time.Second

// notify sends a state, lines of NAME=VALUE, to the service manager (sd_notify(3)), with at most one file.
func (h host) notify(state string, files ...*os.File) error {
	path, ok := h.lookupEnv("NOTIFY_SOCKET")
	if !ok {
		return fmt.Errorf("notify: NOTIFY_SOCKET is not set")
	}
	// The socket is not connected, because Go sends no files over a connected one.
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	defer conn.Close()
	var rights []byte
	if len(files) > 0 {
		rights = syscall.UnixRights(int(files[0].Fd()))
	}
	if _, _, err := conn.WriteMsgUnix([]byte(state), rights, &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// sendState implements -send. Like systemd-notify(1), it sends a barrier after the state, and waits until the service
// manager has read both.
func (h host) sendState(state string) error {
	if err := h.notify(strings.ReplaceAll(state, `\n`, "\n")); err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	err = h.notify("BARRIER=1", write)
	_ = write.Close()
	if err != nil {
		return err
	}
	if err := read.SetReadDeadline(time.Now().Add(barrierTimeout)); err != nil {
		return err
	}
	if _, err := read.Read(make([]byte, 1)); os.IsTimeout(err) { //nolint:forbidigo // this program is not a part of dockhost
		return fmt.Errorf("notify: the service manager did not read the state within %s", barrierTimeout)
	}
	return nil
}

// keepNotified sends READY=1 when the server is ready, and then WATCHDOG=1 until the server hangs.
func (s *server) keepNotified(ctx context.Context) {
	if !s.opts.notify {
		return
	}
	s.tell("STATUS=warming up")
	select {
	case <-ctx.Done():
		return
	case <-time.After(time.Until(s.started.Add(s.opts.readyAfter))):
	}
	s.tell("READY=1\nSTATUS=serving\nMAINPID=1")
	every := watchdogInterval(s.machine) / 2
	if every == 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if !s.hung.Load() {
			s.tell("WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *server) tell(state string) {
	if err := s.machine.notify(state); err != nil {
		_, _ = fmt.Fprintln(s.machine.stderr, err)
	}
}

// watchdogInterval returns the interval of WATCHDOG_USEC, or 0 without a watchdog.
func watchdogInterval(machine host) time.Duration {
	text, _ := machine.lookupEnv("WATCHDOG_USEC")
	usec, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}
