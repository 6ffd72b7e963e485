package engine

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Output is where a container's output goes.
type Output struct {
	// Stdout and Stderr get the container's streams. What has no writer is not
	// asked for.
	Stdout, Stderr io.Writer
	// TTY says that the container has a terminal: then there is one stream.
	TTY bool
	// Trouble, unless nil, is told when a stream cannot be written, the first
	// time. What cannot be written is dropped, so that the container goes on.
	Trouble func(error)
}

// wanted says which streams are relayed.
func (o Output) wanted() (stdout, stderr bool) {
	return o.Stdout != nil, o.Stderr != nil && !o.TTY
}

// Relay is the relay of a container's output, and how far it got.
type Relay struct {
	out     Output
	streams [2]stream
	done    chan struct{}
	close   func() error
	once    sync.Once

	// marked says that the streams' marks hold; before, only their tails do,
	// and these times: when there was nothing more to relay than had been, and
	// when the connection was lost.
	marked          bool
	caughtUp, ended time.Time
}

// stream is one of the container's streams.
type stream struct {
	name string
	w    io.Writer
	// failed says that it could not be written.
	failed bool
	tail   tail
	mark   mark
}

// Attach relays a container's output until it ends. Attached before the start,
// nothing is missed. The caller closes what it gets.
func (c *Client) Attach(ctx context.Context, id string, out Output) (*Relay, error) {
	r := &Relay{out: out, streams: [2]stream{{name: "stdout", w: out.Stdout}, {name: "stderr", w: out.Stderr}}, done: make(chan struct{})}
	stdout, stderr := out.wanted()
	if !stdout && !stderr {
		r.close = func() error { return nil }
		close(r.done)
		return r, nil
	}
	response, err := c.api.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdout: stdout, Stderr: stderr})
	if err != nil {
		return nil, fmt.Errorf("attach to container: %w", translate(err))
	}
	r.close = response.Conn.Close
	go func() {
		defer close(r.done)
		r.attached(response.Reader)
	}()
	return r, nil
}

// Output is where the relay's output goes.
func (r *Relay) Output() Output { return r.out }

// Done is closed when the last byte was relayed.
func (r *Relay) Done() <-chan struct{} { return r.done }

// Close ends the relay. It does not wait for what is being written.
func (r *Relay) Close() { r.once.Do(func() { _ = r.close() }) }

// idle is how long nothing has to come for all that Docker had to be taken as
// relayed.
const idle = time.Second

// attached relays what comes by a connection, and keeps what is needed to find
// the end of it in the container's log.
func (r *Relay) attached(src io.Reader) {
	r.caughtUp = time.Now()
	read, emptied := r.caughtUp, false
	f := &frames{
		write: func(stream int, p []byte) {
			r.write(stream, p)
			r.streams[stream].tail.add(p, read)
		},
		arrived: func(all bool) {
			// That something came after a read that left nothing shows that the
			// connection was not at its end then, with more behind it in Docker.
			if emptied {
				r.caughtUp = read
			}
			read, emptied = time.Now(), all
		},
	}
	if r.out.TTY {
		f.raw()
	}
	_ = f.copy(src) // the end of the connection tells nothing that Wait does not
	r.ended = time.Now()
	if r.ended.Sub(read) > idle {
		r.caughtUp = r.ended
	}
}

// write drops what cannot be written: a container must not hang because a disk
// is full.
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
