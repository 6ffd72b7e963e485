package ctl

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dockhost/dockhost/client"
)

// scriptedAgent starts an agent that answers each request ("GET /v1/status")
// with the next of its answers. At the end of the test all must be used up.
func scriptedAgent(t *testing.T, answers map[string][]http.HandlerFunc) client.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		request := r.Method + " " + r.URL.Path
		if len(answers[request]) == 0 {
			t.Errorf("unexpected request: %s", request)
			return
		}
		next := answers[request][0]
		answers[request] = answers[request][1:]
		next(w, r)
	})}
	go server.Serve(listener)
	t.Cleanup(func() {
		server.Close()
		mu.Lock()
		defer mu.Unlock()
		for request, rest := range answers {
			if len(rest) > 0 {
				t.Errorf("%s: %d answers were not requested", request, len(rest))
			}
		}
	})
	return client.New(socket)
}

// answer returns a handler that sends a status and a body.
func answer(code int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(body)
	}
}

// die closes the connection without an answer, like an agent that is killed.
func die(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
