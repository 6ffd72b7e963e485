package enginetest

import (
	"net/http"
	"strings"

	"github.com/docker/docker/api/types/versions"
)

// oldestAPI and newestAPI are the versions of the API that the fake speaks at first.
const (
	oldestAPI = "1.24"
	newestAPI = "1.45"
)

// Speak sets the oldest and the newest version of the API that the server speaks, as an
// upgrade of Docker does.
func (s *Server) Speak(oldest, newest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldestAPI, s.newestAPI = oldest, newest
}

// withoutVersion calls a handler with the path without its version, unless the server does
// not speak that.
func (s *Server) withoutVersion(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		oldest, newest := s.oldestAPI, s.newestAPI
		s.mu.Unlock()
		w.Header().Set("Api-Version", newest)
		if rest, found := strings.CutPrefix(r.URL.Path, "/v"); found {
			version, path, _ := strings.Cut(rest, "/")
			switch {
			case versions.LessThan(version, oldest):
				refuse(w, http.StatusBadRequest, "client version %s is too old. Minimum supported API version is %s, please upgrade your client to a newer version", version, oldest)
				return
			case versions.GreaterThan(version, newest):
				refuse(w, http.StatusBadRequest, "client version %s is too new. Maximum supported API version is %s", version, newest)
				return
			}
			r.URL.Path = "/" + path
		}
		handler.ServeHTTP(w, r)
	})
}
