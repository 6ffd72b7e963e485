package enginetest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/docker/docker/pkg/stdcopy"
)

// pieceSize is the maximum length of a log message. A longer line becomes several
// messages (moby's daemon/logger/copier.go).
const pieceSize = 16 << 10

// journal is a container's log.
type journal struct {
	mu       sync.Mutex
	messages []message
	// partial has the output after the last message, by stream.
	partial map[stdcopy.StdType]*partialLine
	// more is closed when another message arrives or the log ends.
	more  chan struct{}
	ended bool
}

// message is a line or a piece of a line.
type message struct {
	kind stdcopy.StdType
	at   time.Time
	text []byte
}

// partialLine is a line that has not ended. since is the time of its first piece, or
// zero before that is logged.
type partialLine struct {
	text  []byte
	since time.Time
}

func newJournal() *journal {
	return &journal{partial: map[stdcopy.StdType]*partialLine{stdcopy.Stdout: {}, stdcopy.Stderr: {}}, more: make(chan struct{})}
}

// write logs the output of a stream.
func (j *journal) write(kind stdcopy.StdType, text []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.partial[kind]
	b.text = append(b.text, text...)
	for {
		end := bytes.IndexByte(b.text, '\n') + 1
		switch {
		case end > 0 && end <= pieceSize+1:
			j.add(kind, b.stamp(), b.text[:end])
			b.text, b.since = b.text[end:], time.Time{}
		case len(b.text) >= pieceSize:
			b.since = b.stamp()
			j.add(kind, b.since, b.text[:pieceSize])
			b.text = b.text[pieceSize:]
		default:
			return
		}
	}
}

func (b *partialLine) stamp() time.Time {
	if !b.since.IsZero() {
		return b.since
	}
	return time.Now().UTC()
}

func (j *journal) add(kind stdcopy.StdType, at time.Time, text []byte) {
	j.messages = append(j.messages, message{kind, at, bytes.Clone(text)})
	close(j.more)
	j.more = make(chan struct{})
}

// end logs the unfinished lines and ends the log.
func (j *journal) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for kind, b := range j.partial {
		if len(b.text) > 0 {
			j.add(kind, b.stamp(), b.text)
		}
	}
	j.partial = map[stdcopy.StdType]*partialLine{stdcopy.Stdout: {}, stdcopy.Stderr: {}}
	j.ended = true
	close(j.more)
	j.more = make(chan struct{})
}

// begin begins the log of a new run.
func (j *journal) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = false
}

// forget loses the unfinished lines, as an Engine does when it is killed.
func (j *journal) forget() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.partial = map[stdcopy.StdType]*partialLine{stdcopy.Stdout: {}, stdcopy.Stderr: {}}
}

// from returns the messages from the nth on, and a channel that is closed when more
// arrive. The channel is nil at the end of the log.
func (j *journal) from(n int) ([]message, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return j.messages[n:], nil
	}
	return j.messages[n:], j.more
}

// serveLogs writes each message in a frame, or without frames for a container with a
// terminal (moby's api/server/httputils/write_log_stream.go).
func (s *Server) serveLogs(w http.ResponseWriter, r *http.Request, b *box) {
	if b.host.LogConfig.Type == "none" {
		refuse(w, http.StatusNotImplemented, "configured logging driver does not support reading")
		return
	}
	s.mu.Lock()
	cut, broken := s.cut > 0, s.broken
	if cut {
		s.cut--
	}
	s.mu.Unlock()
	if cut {
		panic(http.ErrAbortHandler)
	}
	query := r.URL.Query()
	flag := func(name string) bool { on, _ := strconv.ParseBool(query.Get(name)); return on }
	since, until := unixTime(query.Get("since")), unixTime(query.Get("until"))
	write := func(m message) {
		if m.at.Before(since) || (!until.IsZero() && m.at.After(until)) || !flag(map[stdcopy.StdType]string{stdcopy.Stdout: "stdout", stdcopy.Stderr: "stderr"}[m.kind]) {
			return
		}
		line := m.text
		if flag("timestamps") {
			line = append([]byte(m.at.Format("2006-01-02T15:04:05.000000000Z07:00")+" "), line...)
		}
		var to io.Writer = w
		if !b.config.Tty {
			to = stdcopy.NewStdWriter(w, m.kind)
		}
		_, _ = to.Write(line)
	}
	flush(w)
	if broken != nil {
		if *broken != "" {
			_, _ = stdcopy.NewStdWriter(w, stdcopy.Systemerr).Write([]byte(*broken))
		}
		return
	}
	n := 0
	if tail, err := strconv.Atoi(query.Get("tail")); err == nil {
		all, _ := b.log.from(0)
		n = max(len(all)-tail, 0)
	}
	for {
		messages, more := b.log.from(n)
		for _, m := range messages {
			write(m)
		}
		n += len(messages)
		flush(w)
		if more == nil || !flag("follow") {
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}

// unixTime parses a time in the clients' form: seconds and nanoseconds.
func unixTime(text string) time.Time {
	seconds, nanos, _ := bytes.Cut([]byte(text), []byte("."))
	s, err := strconv.ParseInt(string(seconds), 10, 64)
	if err != nil {
		return time.Time{}
	}
	n, _ := strconv.ParseInt(string(nanos), 10, 64)
	return time.Unix(s, n)
}
