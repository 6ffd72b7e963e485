package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
)

// agentAt answers on a socket until the test ends.
func agentAt(t *testing.T, socket string, handler http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
}

func answer(w http.ResponseWriter, code int, body any) {
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body)
}

// die ends the connection without an answer, as an agent does that is killed.
func die(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func TestRun(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	accept := func(w http.ResponseWriter) { answer(w, 200, api.Accepted{Unit: "dockhost@web.service", At: at}) }
	progress := func(each ...api.Progress) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for _, p := range each {
				json.NewEncoder(w).Encode(p)
			}
		}
	}
	ready := progress(api.Progress{Ready: true})
	tests := []struct {
		name     string
		noBlock  bool
		puts     []func(http.ResponseWriter)
		gets     []func(http.ResponseWriter)
		code     int
		out      string
		progress string
		err      string
	}{
		{
			name: "ready", puts: []func(http.ResponseWriter){accept},
			gets: []func(http.ResponseWriter){progress(api.Progress{Doing: "pulling"}, api.Progress{Doing: "starting"}, api.Progress{Ready: true})},
			out:  "dockhost@web.service\n", progress: "web: pulling\nweb: starting\n",
		},
		{name: "not waited for", noBlock: true, puts: []func(http.ResponseWriter){accept}, out: "dockhost@web.service\n"},
		{
			name: "refused",
			puts: []func(http.ResponseWriter){func(w http.ResponseWriter) { answer(w, 400, api.Refusal{Problems: []string{"one", "two"}}) }},
			code: 1, err: "one\ntwo",
		},
		{
			name: "fails", puts: []func(http.ResponseWriter){accept},
			gets: []func(http.ResponseWriter){progress(api.Progress{Doing: "pulling"}, api.Progress{Error: "no such image"})},
			code: 1, progress: "web: pulling\n", err: "web: no such image",
		},
		{
			name: "the agent is killed before it answers, and while it is waited for", puts: []func(http.ResponseWriter){die, accept},
			gets: []func(http.ResponseWriter){die, progress(api.Progress{Doing: "pulling"}), progress(api.Progress{Doing: "pulling"}, api.Progress{Ready: true})},
			out:  "dockhost@web.service\n", progress: "web: pulling\n",
		},
		{
			name: "the agent is being stopped",
			puts: []func(http.ResponseWriter){func(w http.ResponseWriter) { answer(w, 503, api.Refusal{Problems: []string{"stopping"}}) }, accept},
			gets: []func(http.ResponseWriter){ready}, out: "dockhost@web.service\n",
		},
		{
			name: "no agent's answer", puts: []func(http.ResponseWriter){func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }},
			code: 1, err: "answered 404 Not Found",
		},
		{name: "the agent does not come back", puts: []func(http.ResponseWriter){die, die, die, die, die, die}, code: 4, err: "cannot be reached"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "s")
			var mu sync.Mutex
			agentAt(t, socket, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				var next func(http.ResponseWriter)
				switch r.Method + " " + r.URL.Path {
				case "PUT /v1/containers/web":
					if body, _ := io.ReadAll(r.Body); string(body) != `{"name":"web"}` {
						t.Errorf("PUT sends %s", body)
					}
					next, test.puts = test.puts[0], test.puts[1:]
				case "GET /v1/containers/web/progress":
					if since, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since")); err != nil || !since.Equal(at) {
						t.Errorf("since = %v, %v, want %v", since, err, at)
					}
					next, test.gets = test.gets[0], test.gets[1:]
				default:
					t.Errorf("%s %s", r.Method, r.URL.Path)
				}
				next(w)
			})
			var out, told bytes.Buffer
			code, err := Run(t.Context(), RunOptions{
				Socket: socket, Name: "web", Declaration: []byte(`{"name":"web"}`), NoBlock: test.noBlock, Out: &out, Progress: &told,
			})
			if code != test.code || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("Run() = %d, %v, want %d, %q", code, err, test.code, test.err)
			}
			if diff := cmp.Diff([]string{test.out, test.progress}, []string{out.String(), told.String()}); diff != "" {
				t.Errorf("output and progress (-want +got):\n%s", diff)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(test.puts)+len(test.gets) > 0 {
				t.Errorf("%d answers were not asked for", len(test.puts)+len(test.gets))
			}
		})
	}
}

// To interrupt the waiting ends nothing else.
func TestRunInterrupted(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(t.Context())
	agentAt(t, socket, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			answer(w, 200, api.Accepted{Unit: "dockhost@web.service"})
			return
		}
		cancel()
		<-r.Context().Done()
	})
	code, err := Run(ctx, RunOptions{Socket: socket, Name: "web", Out: io.Discard})
	if code != 130 || err == nil || !strings.Contains(err.Error(), "which goes on") {
		t.Errorf("Run() = %d, %v, want 130, and that it goes on", code, err)
	}
}

func TestRemove(t *testing.T) {
	none := api.Refusal{Problems: []string{"no such container"}}
	tests := []struct {
		name    string
		force   bool
		answers []func(http.ResponseWriter)
		code    int
	}{
		{"gone", false, []func(http.ResponseWriter){func(w http.ResponseWriter) { answer(w, 200, struct{}{}) }}, 0},
		{"none", false, []func(http.ResponseWriter){func(w http.ResponseWriter) { answer(w, 404, none) }}, 1},
		{"none, with force", true, []func(http.ResponseWriter){func(w http.ResponseWriter) { answer(w, 404, none) }}, 0},
		{"the user data's, with force", true, []func(http.ResponseWriter){func(w http.ResponseWriter) { answer(w, 409, none) }}, 1},
		{"done by an agent that was killed", false, []func(http.ResponseWriter){die, func(w http.ResponseWriter) { answer(w, 404, none) }}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "s")
			var mu sync.Mutex
			agentAt(t, socket, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if r.Method != http.MethodDelete || r.URL.Path != "/v1/containers/web" {
					t.Errorf("%s %s", r.Method, r.URL.Path)
				}
				next := test.answers[0]
				test.answers = test.answers[1:]
				next(w)
			})
			if code, err := Remove(t.Context(), socket, test.force, "web"); code != test.code || (err == nil) != (code == 0) {
				t.Errorf("Remove() = %d, %v, want %d", code, err, test.code)
			}
		})
	}
	if code, err := Remove(t.Context(), filepath.Join(t.TempDir(), "none"), true, "web"); code != 4 || err == nil {
		t.Errorf("Remove() = %d, %v, want 4 without an agent", code, err)
	}
}
