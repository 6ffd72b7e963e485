package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// sender sends to the socket of the supervisor.
type sender struct {
	conn *net.UnixConn
	to   *net.UnixAddr
	// sent counts the datagrams that the socket took.
	sent int
}

func newSender() (*sender, error) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, errors.New("NOTIFY_SOCKET is not set")
	}
	// The socket is not connected, because Go sends no files over a connected one.
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	return &sender{conn: conn, to: &net.UnixAddr{Name: path, Net: "unixgram"}}, nil
}

// send sends one datagram with descriptors. It waits for room in the socket up to 2 seconds.
func (s *sender) send(state []byte, files ...int) error {
	var rights []byte
	if len(files) > 0 {
		rights = syscall.UnixRights(files...)
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	_, _, err := s.conn.WriteMsgUnix(state, rights, s.to)
	if err == nil {
		s.sent++
	}
	return err
}

// texts sends texts again and again.
func texts(times int, all ...string) func(*sender) error {
	return func(s *sender) error {
		for range times {
			for _, text := range all {
				// A datagram that is too long, or a full socket, is a limit that holds.
				if err := s.send([]byte(text)); err != nil && !errors.Is(err, syscall.EMSGSIZE) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ENOBUFS) {
					return err
				}
			}
		}
		return nil
	}
}

// descriptors sends a text with as many descriptors as fit, again and again.
func descriptors(times int, text string) func(*sender) error {
	return func(s *sender) error {
		var files []int
		for range 253 { // SCM_MAX_FD
			file, err := os.Open("/")
			if err != nil {
				return err
			}
			defer file.Close()
			files = append(files, int(file.Fd()))
		}
		for range times {
			// The kernel refuses more descriptors on their way than a process may have (ETOOMANYREFS).
			if err := s.send([]byte(text), files...); err != nil && !errors.Is(err, syscall.ETOOMANYREFS) && !errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			}
		}
		return nil
	}
}

// flood sends as much as the socket takes, for a time.
func flood(text string, lasts time.Duration) func(*sender) error {
	return func(s *sender) error {
		for end := time.Now().Add(lasts); time.Now().Before(end); {
			if err := s.send([]byte(text)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			}
		}
		return nil
	}
}

// ugly is text that a terminal obeys, that hides what follows, or that looks like another line.
const ugly = "\x1b]0;pwned\x07\x1b[2J\u202e\u2066\u200b\x9b31m\r\x00\xff\xfe<0>forged"

func notifyAttacks() map[string]func(*sender) error {
	const most = "18446744073709551615"
	return map[string]func(*sender) error{
		"main-pid":            texts(5, "MAINPID=1", "MAINPID=2\nREADY=1", "MAINPID=-1", "MAINPIDFDID=1\nMAINPID=1"),
		"main-pid-descriptor": descriptors(3, "MAINPIDFD=1"),
		"store-descriptors":   descriptors(30, "FDSTORE=1\nFDNAME=../../etc/passwd\nFDPOLL=0"),
		"barrier-descriptors": descriptors(30, "BARRIER=1"),
		"descriptors-alone":   descriptors(30, "x"),
		"huge":                texts(3, strings.Repeat("A", 4096), strings.Repeat("A", 4097), "STATUS="+strings.Repeat("B", 65536), strings.Repeat("C", 200<<10)),
		"truncated-status":    texts(3, "STATUS="+strings.Repeat("\u202e", 1363)+"\nMAINPID=1"),
		"empty":               texts(300, "", "\n", "\x00", strings.Repeat("\n", 4000)),
		"no-assignments":      texts(50, "READY", "=1", "==", "READY=1=1", " READY=1", "READY=1\x00", "ready=1"),
		"ugly-status":         texts(3, "STATUS="+ugly, "STATUS=ok\n"+ugly, "STATUS=\n"+ugly),
		"false-errno":         texts(3, "ERRNO="+most, "ERRNO=-1", "ERRNO=4096", "BUSERROR="+ugly, "VARLINKERROR="+ugly),
		"exit-status":         texts(3, "EXIT_STATUS=0\nSTOPPING=0", "SERVICE_RESULT=success", "NOTIFYACCESS=all", "X_SYSTEMD_UNIT_ACTIVE=evil.service"),
		"watchdog-of-zero":    texts(3, "WATCHDOG_USEC=0", "WATCHDOG_USEC=1", "WATCHDOG_USEC="+most, "WATCHDOG_USEC=-1\nWATCHDOG=1"),
		"endless-extension":   texts(20, "EXTEND_TIMEOUT_USEC="+most, "EXTEND_TIMEOUT_USEC=-1", "EXTEND_TIMEOUT_USEC=9223372036854775807"),
		"ready-again":         texts(300, "READY=1", "READY=1\nREADY=1\nREADY=1"),
		"reload-forever":      texts(200, "RELOADING=1", "RELOADING=1\nMONOTONIC_USEC="+most, "RELOADING=1\nMONOTONIC_USEC=0\nREADY=1"),
		"flood":               flood("STATUS=flooding", 4*time.Second),
		"long-flood":          flood("STATUS=flooding\nWATCHDOG=1\nREADY=1", 10*time.Minute),
		"stop-unanswered":     texts(20, "STOPPING=1\nEXTEND_TIMEOUT_USEC=3600000000"),
	}
}

// notify sends what an attack sends, and prints how many datagrams were taken.
func notify(ctx context.Context, args []string) error {
	attack, err := pick(notifyAttacks(), args)
	if err != nil {
		return err
	}
	s, err := newSender()
	if err != nil {
		return err
	}
	defer s.conn.Close()
	context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	err = attack(s)
	_, _ = fmt.Fprintln(os.Stdout, "sent", s.sent)
	return err
}
