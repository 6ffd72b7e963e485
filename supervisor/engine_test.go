package supervisor

import (
	"strings"
	"testing"
)

// The supervisor waits for Docker, and shows it.
func TestAwaitEngine(t *testing.T) {
	r := newRig(t)
	r.server.Down()
	l := r.start()
	l.until("what it waits for", func() bool {
		last := l.state().LastError
		return last != nil && strings.Contains(last.Message, "is docker.service running?") && r.notify.count("STATUS waiting for Docker at unix://") > 0
	})
	r.server.Up()
	l.ready()
	l.until("no error any more", func() bool { return l.state().LastError == nil })
	l.stop()
	l.ends(0, "")
}
