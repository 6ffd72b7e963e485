package agent

import (
	"net"
	"sync"
	"time"
)

// limits are how many connections there may be at a time.
type limits struct {
	// perReader is for one user who may only read, readers for all of them together.
	perReader, readers int
	// changers is for all who may change something.
	changers int
}

// clientLimits are the limits of the local API. Readers cannot use up what those need who
// have to act.
func clientLimits() limits { return limits{perReader: 16, readers: 64, changers: 256} }

// tooMany is the answer to a connection above the limits.
const tooMany = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" +
	`{"problems":["the agent has too many clients: try again later"]}` + "\n"

// clientListener accepts connections up to the limits. It knows the peer of each.
type clientListener struct {
	net.Listener
	changers changers
	limits   limits

	mu sync.Mutex
	// open counts the connections of readers, by user.
	open map[uint32]int
	// changing and reading count those of all changers and readers.
	changing, reading int
}

func newClientListener(listener net.Listener, changers changers, limits limits) *clientListener {
	return &clientListener{Listener: listener, changers: changers, limits: limits, open: map[uint32]int{}}
}

// Accept implements [net.Listener]. It closes connections above the limits.
func (l *clientListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		p := readPeer(conn)
		if l.enter(p) {
			return &clientConn{Conn: conn, peer: p, leave: sync.OnceFunc(func() { l.leave(p) })}, nil
		}
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write([]byte(tooMany))
		_ = conn.Close()
	}
}

// enter counts a connection, unless there are too many.
func (l *clientListener) enter(p peer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changers.include(p) {
		if l.changing >= l.limits.changers {
			return false
		}
		l.changing++
		return true
	}
	if l.reading >= l.limits.readers || l.open[p.uid] >= l.limits.perReader {
		return false
	}
	l.reading++
	l.open[p.uid]++
	return true
}

func (l *clientListener) leave(p peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changers.include(p) {
		l.changing--
		return
	}
	l.reading--
	if l.open[p.uid]--; l.open[p.uid] == 0 {
		delete(l.open, p.uid)
	}
}

// clientConn is a connection whose peer is known.
type clientConn struct {
	net.Conn
	peer  peer
	leave func()
}

// Close implements [net.Conn].
func (c *clientConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
