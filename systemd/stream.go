package systemd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/journal"

	"github.com/dockhost/dockhost/internal/backoff"
)

const (
	// streamSocket is where the journal takes streams of lines.
	streamSocket = "/run/systemd/journal/stdout"
	// streamGiveUp is how long a stream waits for a journal that is not there.
	// One that is slow is waited for as long as it takes.
	streamGiveUp = time.Minute
)

// OutputStreams returns where output goes that is not this process's own: what
// of its standard output and standard error is the journal becomes a stream
// into the journal, under that identifier, with priority info or err; what is
// not (a file, a terminal, a socket) is left as it is. unit is the journal's
// answer for lines that it reads when this process has ended; it takes it from
// root only.
func OutputStreams(identifier, unit string) (stdout, stderr io.Writer) {
	stdout, stderr = os.Stdout, os.Stderr
	if inJournal, err := journal.StdoutIsJournalStream(); err == nil && inJournal {
		stdout = newStream(streamSocket, identifier, unit, journal.PriInfo)
	}
	if inJournal, err := journal.StderrIsJournalStream(); err == nil && inJournal {
		stderr = newStream(streamSocket, identifier, unit, journal.PriErr)
	}
	return stdout, stderr
}

// stream is a stream of lines into the journal, as sd_journal_stream_fd(3)
// opens it and systemd itself for a service. It has no concurrent writers. It
// connects when the first line comes, and again when the journal went away.
type stream struct {
	socket, header string
	giveUp         time.Duration
	conn           net.Conn
	// gone says that there is no journal any more.
	gone bool
}

func newStream(socket, identifier, unit string, priority journal.Priority) *stream {
	// The identifier, the unit, the priority of lines without a prefix, whether
	// prefixes like <3> are heeded (SyslogLevelPrefix=, which is on), and whether
	// to forward to syslog, kmsg and console (journald-stream.c).
	header := fmt.Sprintf("%s\n%s\n%d\n1\n0\n0\n0\n", identifier, unit, priority)
	return &stream{socket: socket, header: header, giveUp: streamGiveUp}
}

// Write blocks while the journal is slow: EAGAIN is its queue of connections
// that is full. What the journal has not taken when
// it goes away is written to the next one.
func (s *stream) Write(p []byte) (int, error) {
	tries, since := backoff.Backoff{Next: 100 * time.Millisecond, Cap: 5 * time.Second}, time.Now()
	for written := 0; ; {
		n, err := s.try(p[written:])
		written += n
		switch {
		case err == nil:
			s.gone = false
			return written, nil
		case n > 0:
			tries.Next, since = 100*time.Millisecond, time.Now()
		case s.gone || (!errors.Is(err, syscall.EAGAIN) && time.Since(since) > s.giveUp):
			s.gone = true // until one is there again, which each line tries
			return written, fmt.Errorf("write to the journal: %w", err)
		}
		_ = tries.Wait(context.Background()) // a background context does not end
	}
}

// try writes what it can, and drops a connection that is broken.
func (s *stream) try(p []byte) (int, error) {
	if s.conn == nil {
		conn, err := net.Dial("unix", s.socket) //nolint:noctx // a local socket answers at once
		if err != nil {
			return 0, err
		}
		if _, err := io.WriteString(conn, s.header); err != nil {
			return 0, errors.Join(err, conn.Close())
		}
		s.conn = conn
	}
	n, err := s.conn.Write(p)
	if err != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
	return n, err
}
