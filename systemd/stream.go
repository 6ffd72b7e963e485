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
	// streamSocket is the journal's socket for streams of lines.
	streamSocket = "/run/systemd/journal/stdout"
	// streamGiveUp is how long a stream waits for a journal that does not run. It waits
	// without limit for a journal that is slow.
	streamGiveUp = time.Minute
)

// OutputStreams returns the writers for a container's output. If standard output or
// standard error is the journal, its writer is a stream into the journal with this
// identifier, and with priority info or err. Otherwise (a file, a terminal, a socket)
// it is standard output or standard error itself. The journal assigns lines that it
// reads after this process has ended to unit. It accepts that only from root.
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

// stream is a stream of lines into the journal, like those of sd_journal_stream_fd(3)
// and those that systemd opens for a service. It is not safe for concurrent use. It
// connects at the first line, and again after the journal was restarted.
type stream struct {
	socket, header string
	giveUp         time.Duration
	conn           net.Conn
	// gone says that the journal does not run.
	gone bool
}

func newStream(socket, identifier, unit string, priority journal.Priority) *stream {
	// The identifier, the unit, the priority of lines without a prefix, whether
	// prefixes such as <3> set the priority (SyslogLevelPrefix=, which is on), and
	// whether to forward to syslog, kmsg and console (journald-stream.c).
	header := fmt.Sprintf("%s\n%s\n%d\n1\n0\n0\n0\n", identifier, unit, priority)
	return &stream{socket: socket, header: header, giveUp: streamGiveUp}
}

// Write blocks while the journal is slow; EAGAIN means that its queue of connections
// is full. If the journal is restarted, Write sends the rest to the new one.
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
			s.gone = true // until a later line reaches it
			return written, fmt.Errorf("write to the journal: %w", err)
		}
		_ = tries.Wait(context.Background(), nil) // this context never ends
	}
}

// try writes as much as it can, and drops a broken connection.
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
