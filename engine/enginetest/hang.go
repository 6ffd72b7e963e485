package enginetest

import (
	"net/http"
	"slices"
	"strings"
)

// hang is a request that an Engine does not answer.
type hang struct {
	// endings are the ends of the paths of such requests; none means all requests.
	endings []string
	// requests counts them.
	requests int
	// over is closed when the Engine answers again.
	over chan struct{}
}

// Hang makes the Engine answer no request with one of these ends of its path, or no
// request at all without one, until Continue. Requests that it has answered, such as those
// for events, continue.
func (s *Server) Hang(endings ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = &hang{endings: endings, over: make(chan struct{})}
}

// Continue ends a Hang. The Engine then serves the requests that came during it,
// although their clients may have left.
func (s *Server) Continue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang != nil {
		close(s.hang.over)
		s.hang = nil
	}
}

// Hangs says whether a request is waiting for Continue.
func (s *Server) Hangs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hang != nil && s.hang.requests > 0
}

// hold returns when the Engine answers a request.
func (s *Server) hold(r *http.Request) {
	matches := func(ending string) bool { return strings.HasSuffix(r.URL.Path, ending) }
	s.mu.Lock()
	hang := s.hang
	hangs := hang != nil && (len(hang.endings) == 0 || slices.ContainsFunc(hang.endings, matches))
	if hangs {
		hang.requests++
	}
	s.mu.Unlock()
	if hangs {
		<-hang.over
	}
}
