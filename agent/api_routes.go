package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/oneline"
)

// readTimeout bounds the reading of a body. The server's own timeout would end the
// request while it waits for the change.
const readTimeout = 30 * time.Second

// handlers returns the handler of each route of [api.Routes], by its pattern.
func (s *server) handlers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /metrics":                        s.getMetrics,
		"GET /v1/status":                      s.getStatus,
		"GET /v1/watch":                       s.getWatch,
		"GET /v1/userdata":                    s.getUserData,
		"GET /v1/userdata/raw":                s.getRaw,
		"POST /v1/userdata/fetch":             s.postFetch,
		"PUT /v1/containers/{name}":           s.putContainer,
		"DELETE /v1/containers/{name}":        s.deleteContainer,
		"GET /v1/containers/{name}/progress":  s.getProgress,
		"GET /v1/history":                     s.getHistory,
		"GET /v1/events":                      s.getEvents,
		"GET /v1/analysis":                    s.getAnalysis,
		"POST /v1/containers/{name}/update":   s.postUpdate,
		"GET /v1/containers/{name}/update":    s.getUpdate,
		"POST /v1/containers/{name}/rollback": s.postRollback,
		"PUT /v1/containers/{name}/hold":      s.putHold,
		"DELETE /v1/containers/{name}/hold":   s.deleteHold,
		"POST /v1/containers/{name}/start":    s.postStart,
		"POST /v1/containers/{name}/stop":     s.postStop,
		"POST /v1/containers/{name}/restart":  s.postRestart,
		"POST /v1/containers/{name}/reload":   s.postReload,
		"POST /v1/containers/{name}/pull":     s.postPull,
		"GET /v1/gc":                          s.getGC,
		"POST /v1/gc":                         s.postGC,
	}
}

// routes returns the handler of all requests. changers says who may do more than read.
func (s *server) routes(changers changers) http.Handler {
	mux := http.NewServeMux()
	handlers := s.handlers()
	for _, route := range api.Routes() {
		handler := handlers[route.Pattern()]
		mux.HandleFunc(route.Pattern(), func(w http.ResponseWriter, r *http.Request) {
			p := clientOf(r.Context())
			if mayChange := changers.include(p); !mayChange {
				w = &publicReply{w}
			}
			if err := changers.check(p, route.Access); err != nil {
				s.refuse(w, http.StatusForbidden, err)
				return
			}
			if code, err := takeBody(w, r, route.MaxBody); err != nil {
				s.refuse(w, code, err)
				return
			}
			handler(w, r)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, http.StatusNotFound, fmt.Errorf("the agent has no %s %s (is it older than dockhostctl? then run: systemctl restart dockhost)", r.Method, r.URL.Path))
	})
	return mux
}

// publicReply is the reply to a client that may only read.
type publicReply struct{ http.ResponseWriter }

// Unwrap is for [http.ResponseController].
func (r *publicReply) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// visible returns an answer as the client may see it.
func visible(w http.ResponseWriter, answer any) any {
	if _, isPublic := w.(*publicReply); isPublic {
		answer = api.Public(answer)
	}
	return oneline.JSON{Value: answer}
}

// takeBody reads the whole body, so that no handler waits for a client that does not
// write. Of a request that is refused, the rest of the body is read for as long at most.
func takeBody(w http.ResponseWriter, r *http.Request, limit int64) (code int, err error) {
	if r.ContentLength == 0 {
		return 0, nil
	}
	connection := http.NewResponseController(w)
	if err := connection.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		return http.StatusServiceUnavailable, err
	}
	w.Header().Set("Connection", "close")
	if limit == 0 {
		return http.StatusBadRequest, errors.New("this request takes no body")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", limit)
	case err != nil:
		return http.StatusBadRequest, errors.New("the body did not arrive")
	}
	w.Header().Del("Connection")
	r.Body = io.NopCloser(bytes.NewReader(body))
	return 0, connection.SetReadDeadline(time.Time{})
}
