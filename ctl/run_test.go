package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
)

const (
	putWeb      = "PUT /v1/containers/web"
	getProgress = "GET /v1/containers/web/progress"
)

var acceptedAt = time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))

// progress returns a handler that checks since= and sends progress messages.
func progress(t *testing.T, messages ...api.Progress) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		if since, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since")); err != nil || !since.Equal(acceptedAt) {
			t.Errorf("since = %v, %v, want %v", since, err, acceptedAt)
		}
		for _, message := range messages {
			json.NewEncoder(w).Encode(message)
		}
	}
}

func TestRunDeclaration(t *testing.T) {
	accept := answer(200, api.Accepted{Unit: "dockhost@web.service", At: acceptedAt})
	pulling, starting, ready := api.Progress{Doing: "pulling"}, api.Progress{Doing: "starting"}, api.Progress{Ready: true}
	tests := []struct {
		name     string
		noBlock  bool
		puts     []http.HandlerFunc
		gets     []http.HandlerFunc
		code     int
		progress string
		err      string
	}{
		{
			name: "ready", puts: []http.HandlerFunc{accept},
			gets:     []http.HandlerFunc{progress(t, pulling, starting, ready)},
			progress: "web: pulling\nweb: starting\n",
		},
		{name: "does not wait", noBlock: true, puts: []http.HandlerFunc{accept}},
		{
			name: "refused", puts: []http.HandlerFunc{answer(400, api.Refusal{Problems: []string{"one", "two"}})},
			code: 1, err: "one\ntwo",
		},
		{
			name: "fails", puts: []http.HandlerFunc{accept},
			gets: []http.HandlerFunc{progress(t, pulling, api.Progress{Error: "no such image"})},
			code: 3, progress: "web: pulling\n", err: "web: no such image",
		},
		{
			name: "the agent is killed before it answers, and again while it reports progress",
			puts: []http.HandlerFunc{die, accept},
			gets: []http.HandlerFunc{die, progress(t, pulling), progress(t, pulling, ready)}, progress: "web: pulling\n",
		},
		{
			name: "the agent is stopping",
			puts: []http.HandlerFunc{answer(503, api.Refusal{Problems: []string{"stopping"}}), accept},
			gets: []http.HandlerFunc{progress(t, ready)},
		},
		{
			name: "the answer is not an agent's", puts: []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
			code: 1, err: "answered 404 Not Found",
		},
		{name: "the agent does not come back", puts: []http.HandlerFunc{die, die, die, die, die, die}, code: 4, err: "cannot be reached"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := scriptedAgent(t, map[string][]http.HandlerFunc{putWeb: test.puts, getProgress: test.gets})
			var progress bytes.Buffer
			d := declaration{name: "web", text: []byte(`{"name":"web"}`), progress: &progress}
			unit, err := d.run(t.Context(), c, test.noBlock)
			if exitStatus(err) != test.code || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("run() = %v, want exit status %d, %q", err, test.code, test.err)
			}
			if err == nil && unit != "dockhost@web.service" {
				t.Errorf("run() = %q, want the unit", unit)
			}
			if diff := cmp.Diff(test.progress, progress.String()); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunSendsTheDeclaration(t *testing.T) {
	c := scriptedAgent(t, map[string][]http.HandlerFunc{putWeb: {func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); string(body) != `{"name":"web"}` {
			t.Errorf("PUT sends %s, want the declaration", body)
		}
		answer(200, api.Accepted{})(w, r)
	}}})
	d := declaration{name: "web", text: []byte(`{"name":"web"}`), progress: io.Discard}
	if _, err := d.run(t.Context(), c, true); err != nil {
		t.Error(err)
	}
}

func TestInterruptedRunLeavesTheContainer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := scriptedAgent(t, map[string][]http.HandlerFunc{
		putWeb: {answer(200, api.Accepted{Unit: "dockhost@web.service"})},
		getProgress: {func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		}},
	})
	_, err := declaration{name: "web", progress: io.Discard}.run(ctx, c, false)
	if exitStatus(err) != 130 || !strings.Contains(err.Error(), "keeps working") {
		t.Errorf("run() = %v, want exit status 130 and that the agent keeps working", err)
	}
}
