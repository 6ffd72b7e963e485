package main

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// listen returns the socket of a service manager, and the environment that names it.
func listen(t *testing.T) (*net.UnixConn, map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "20000"}
}

// receive returns the next state and the number of files with it, which it closes.
func receive(t *testing.T, conn *net.UnixConn) (state string, files int) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	data, control := make([]byte, 4096), make([]byte, 512)
	n, c, _, _, err := conn.ReadMsgUnix(data, control)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := syscall.ParseSocketControlMessage(control[:c])
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range messages {
		fds, err := syscall.ParseUnixRights(&message)
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			files++
			_ = syscall.Close(fd)
		}
	}
	return string(data[:n]), files
}

func TestNotify(t *testing.T) {
	manager, env := listen(t)
	machine, _ := newTestHost(env)
	server := newServer(options{notify: true, readyAfter: 10 * time.Millisecond}, machine)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go server.keepNotified(ctx)
	for _, want := range []string{"STATUS=warming up", "READY=1\nSTATUS=serving\nMAINPID=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got, _ := receive(t, manager); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}

// TestSend checks that -send waits until its state has been read.
func TestSend(t *testing.T) {
	manager, env := listen(t)
	machine, _ := newTestHost(env)
	sent := make(chan int, 1)
	go func() { sent <- run(t.Context(), machine, []string{"-send", `STATUS=one\nERRNO=2`}) }()
	first, _ := receive(t, manager)
	select {
	case code := <-sent:
		t.Errorf("-send exits %d before the barrier is read", code)
	default:
	}
	second, files := receive(t, manager)
	if got := []string{first, second}; !slices.Equal(got, []string{"STATUS=one\nERRNO=2", "BARRIER=1"}) || files != 1 {
		t.Errorf("received %q with %d files, want the state and a barrier with 1 file", got, files)
	}
	if code := <-sent; code != 0 {
		t.Errorf("-send exits %d, want 0", code)
	}
}

func TestSendToNobody(t *testing.T) {
	machine, _ := newTestHost(nil)
	var stderr strings.Builder
	machine.stderr = &stderr
	if code := run(t.Context(), machine, []string{"-send", "READY=1"}); code != 1 || !strings.Contains(stderr.String(), "NOTIFY_SOCKET") {
		t.Errorf("-send exits %d and prints %q, want 1 and NOTIFY_SOCKET", code, stderr.String())
	}
}
