package systemd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
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
// standard error is the journal, its writer is a stream into the journal. Otherwise (a
// file, a terminal, a socket) it is standard output or standard error itself. The
// journal assigns lines that it reads after this process has ended to unit. It accepts
// that only from root.
//
// At the first line, the streams take the Syslog settings from the unit that own
// returns. Without SyslogIdentifier= they have the given identifier. With the default
// SyslogLevel=info, standard error has the priority err. No line has the priority emerg.
func OutputStreams(identifier, unit string, own func() (Unit, error)) (stdout, stderr io.Writer) {
	stdout, stderr = os.Stdout, os.Stderr
	read := sync.OnceValue(func() Syslog {
		if properties, err := own(); err == nil {
			return properties.Syslog
		}
		return defaultSyslog()
	})
	prefixed := func() bool { return read().LevelPrefix }
	if inJournal, err := journal.StdoutIsJournalStream(); err == nil && inJournal {
		stdout = &calm{to: newStream(streamSocket, func() string { return read().header(identifier, unit, journal.PriInfo) }), prefixed: prefixed}
	}
	if inJournal, err := journal.StderrIsJournalStream(); err == nil && inJournal {
		stderr = &calm{to: newStream(streamSocket, func() string { return read().header(identifier, unit, journal.PriErr) }), prefixed: prefixed}
	}
	return stdout, stderr
}

// InJournal says whether standard output or standard error is the journal.
func InJournal() bool {
	stdout, _ := journal.StdoutIsJournalStream()
	stderr, _ := journal.StderrIsJournalStream()
	return stdout || stderr
}

// Syslog are the settings of a unit for its lines in the journal.
type Syslog struct {
	// Identifier is SyslogIdentifier=; "" if it is not set.
	Identifier string
	// Facility and Level are SyslogFacility= and SyslogLevel=.
	Facility, Level int
	// LevelPrefix is SyslogLevelPrefix=: prefixes such as <3> set the priority.
	LevelPrefix bool
	// Output and Error are StandardOutput= and StandardError=.
	Output, Error string
}

// defaultSyslog returns systemd's defaults.
func defaultSyslog() Syslog {
	return Syslog{Facility: facilityDaemon, Level: int(journal.PriInfo), LevelPrefix: true}
}

// facilityDaemon is the number of the facility daemon (syslog(3)).
const facilityDaemon = 3

// header returns the first lines of a stream (journald-stream.c): the identifier, the
// unit, facility and priority of lines without a prefix, whether prefixes set the
// priority, and whether to forward to syslog, kmsg and console. normal is the
// priority that belongs to SyslogLevel=info.
func (s Syslog) header(identifier, unit string, normal journal.Priority) string {
	level, target := s.Level, s.Output
	if level == int(journal.PriInfo) {
		level = int(normal)
	}
	if normal == journal.PriErr && s.Error != "inherit" {
		target = s.Error
	}
	flag := map[bool]int{true: 1}
	kind, console := strings.CutSuffix(target, "+console")
	return fmt.Sprintf("%s\n%s\n%d\n%d\n%d\n%d\n%d\n", cmp.Or(s.Identifier, identifier), unit, s.Facility<<3|level,
		flag[s.LevelPrefix], flag[kind == "syslog"], flag[kind == "kmsg"], flag[console])
}

// stream is a stream of lines into the journal, like those of sd_journal_stream_fd(3)
// and those that systemd opens for a service. It is not safe for concurrent use. It
// connects at the first line, and again after the journal was restarted.
type stream struct {
	socket string
	// header returns the first lines of each connection.
	header func() string
	giveUp time.Duration
	conn   net.Conn
	// gone says that the journal does not run.
	gone bool
}

func newStream(socket string, header func() string) *stream {
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
		_ = tries.Wait(context.Background()) // this context never ends
	}
}

// try writes as much as it can, and drops a broken connection.
func (s *stream) try(p []byte) (int, error) {
	if s.conn == nil {
		conn, err := net.Dial("unix", s.socket) //nolint:noctx // a local socket answers at once
		if err != nil {
			return 0, err
		}
		if _, err := io.WriteString(conn, s.header()); err != nil {
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
