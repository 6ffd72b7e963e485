// Package resume relays a container's output and continues after the connection
// to Docker was lost. While the connection lasts, the output arrives on it.
// Afterwards, the rest is read from the container's log, from the byte at which
// the connection ended. The package works on readers and timestamps and does not
// import the Docker client: package engine hands it the connection and opens the log.
package resume

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Output says where a container's output is written.
type Output struct {
	// Stdout and Stderr receive the container's streams. A stream without a
	// writer is not requested from Docker.
	Stdout, Stderr io.Writer
	// TTY says that the container has a terminal. Its output is then one stream,
	// stdout.
	TTY bool
	// Trouble, unless nil, receives the first write error of each stream. Output
	// that cannot be written is dropped, so that the container is not blocked.
	Trouble func(error)
}

// Wanted says which streams have a writer.
func (o Output) Wanted() (stdout, stderr bool) {
	return o.Stdout != nil, o.Stderr != nil && !o.TTY
}

// Relay copies one container's output to an [Output] and remembers how much it
// has copied.
type Relay struct {
	out     Output
	streams [2]stream
	done    chan struct{}
	close   func() error
	once    sync.Once

	// located says that each stream's mark is valid. Until then only the
	// streams' tails and the next two times are.
	located bool
	// caughtUp is when everything that Docker had read was last known to be
	// relayed, disconnected when the connection ended.
	caughtUp, disconnected time.Time
}

// stream is one of the container's streams.
type stream struct {
	name string
	w    io.Writer
	// failed says that a write error was reported.
	failed bool
	tail   tail
	mark   mark
}

// Start relays what arrives on conn until it ends, in a goroutine of its own.
// The caller closes the relay, which closes conn. A conn of nil is for an output
// that has no writer: the relay is done at once.
func Start(out Output, conn io.ReadCloser) *Relay {
	r := &Relay{
		out: out, streams: [2]stream{{name: "stdout", w: out.Stdout}, {name: "stderr", w: out.Stderr}},
		done: make(chan struct{}), close: func() error { return nil },
	}
	if conn == nil {
		close(r.done)
		return r
	}
	r.close = conn.Close
	go func() {
		defer close(r.done)
		r.copyFrom(conn)
	}()
	return r
}

// Output returns the relay's output.
func (r *Relay) Output() Output { return r.out }

// Done returns a channel that is closed when the connection has ended and
// everything that arrived on it is written.
func (r *Relay) Done() <-chan struct{} { return r.done }

// Close closes the connection. It does not wait for a write in progress.
func (r *Relay) Close() { r.once.Do(func() { _ = r.close() }) }

// idle is how long the connection must be silent before all output that Docker
// had read counts as relayed.
const idle = time.Second

// copyFrom relays what arrives on a connection, and records what is needed to
// find its end in the container's log.
func (r *Relay) copyFrom(conn io.Reader) {
	r.caughtUp = time.Now()
	read, emptied := r.caughtUp, false
	f := &frames{
		write: func(stream int, p []byte) {
			r.write(stream, p)
			r.streams[stream].tail.add(p, read)
		},
		arrived: func(all bool) {
			// The last read emptied the connection, and more came afterwards. So it
			// had not ended then, and Docker was holding nothing back.
			if emptied {
				r.caughtUp = read
			}
			read, emptied = time.Now(), all
		},
	}
	if r.out.TTY {
		f.raw()
	}
	_ = f.copy(conn) // how the container ended is reported by Wait
	r.disconnected = time.Now()
	if r.disconnected.Sub(read) > idle {
		r.caughtUp = r.disconnected
	}
}

// write drops what cannot be written: a full disk must not block the container.
func (r *Relay) write(stream int, p []byte) {
	s := &r.streams[stream]
	if s.w == nil {
		return
	}
	if _, err := s.w.Write(p); err != nil && !s.failed {
		s.failed = true
		if r.out.Trouble != nil {
			r.out.Trouble(fmt.Errorf("write the container's %s: %w", s.name, err))
		}
	}
}
