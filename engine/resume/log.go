package resume

import (
	"context"
	"errors"
	"io"
	"time"
)

// LogRequest describes one reading of a container's log. Each message must
// begin with its timestamp (option "timestamps" of the Engine API's
// ContainerLogs).
type LogRequest struct {
	// Stdout and Stderr are the streams to read.
	Stdout, Stderr bool
	// Tail is the number of last messages to read, 0 for all.
	Tail int
	// Since and Until bound the timestamps, unless zero.
	Since, Until time.Time
	// Follow keeps the log open until the container ends.
	Follow bool
}

// OpenLog opens a container's log. Its text is in frames, or in plain lines if
// the container has a terminal.
type OpenLog func(ctx context.Context, request LogRequest) (io.ReadCloser, error)

// firstTail is how many of a log's last messages are read in the first attempt:
// Docker takes minutes to find a time in a log of gigabytes.
const firstTail = 4096

// errTooLate means that the messages read do not reach back to the time needed.
var errTooLate = errors.New("the log's last messages do not reach back far enough")

// logReader reads a container's log once.
type logReader struct {
	out Output
	// from is the time from which messages are needed; earlier ones arrive
	// too. Messages after until are not needed, unless it is zero.
	from, until time.Time
	follow      bool
	// begin is called before the first message of each attempt.
	begin func()
	// message receives each message and returns how many bytes at its beginning
	// are not to be written.
	message func(stream int, stamp, text []byte) int
	write   func(stream int, p []byte)
}

// read returns nil at the end of the log.
func (l logReader) read(ctx context.Context, open OpenLog) error {
	stdout, stderr := l.out.Wanted()
	request := LogRequest{Stdout: stdout, Stderr: stderr, Follow: l.follow, Tail: firstTail}
	err := l.attempt(ctx, open, request)
	if errors.Is(err, errTooLate) {
		request.Tail, request.Since, request.Until = 0, l.from, l.until
		err = l.attempt(ctx, open, request)
	}
	return err
}

func (l logReader) attempt(ctx context.Context, open OpenLog, request LogRequest) error {
	log, err := open(ctx, request)
	if err != nil {
		return err
	}
	defer log.Close()
	l.begin()
	first := request.Tail > 0
	f := &frames{write: l.write, lines: l.out.TTY, whole: func(stream int, p []byte) (int, error) {
		size := stampSize(p)
		if size == 0 {
			return 0, nil // the rest of a message that is larger than the buffer
		}
		stamp := p[:size-1]
		if first && timeOf(stamp).After(l.from) {
			return 0, errTooLate
		}
		first = false
		return size + l.message(stream, stamp, p[size:]), nil
	}}
	return f.copy(log)
}
