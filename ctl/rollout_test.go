package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

const (
	postUpdate = "POST /v1/containers/web/update"
	getUpdate  = "GET /v1/containers/web/update"
)

func TestInterruptedUpdateIsLeftToTheAgent(t *testing.T) {
	t.Parallel()
	accept := answer(200, api.UpdateStarted{At: acceptedAt})
	tests := []struct {
		name string
		// hangs is the request during which the signal arrives.
		hangs, want string
	}{
		{"before the answer", postUpdate, "it may still begin"},
		{"while it is followed", getUpdate, "the agent keeps working on it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			answers := map[string][]http.HandlerFunc{postUpdate: {accept}}
			answers[test.hangs] = []http.HandlerFunc{func(_ http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body) // the server notices only then that the client has left
				cancel()
				<-r.Context().Done()
			}}
			r := rollout{name: "web"}
			err := r.run(ctx, scriptedAgent(t, answers), newTranscript(io.Discard, nil), false)
			if exitStatus(err) != 130 || !strings.Contains(err.Error(), test.want) {
				t.Errorf("run() = %v, want exit status 130 and %q", err, test.want)
			}
		})
	}
}

func TestUpdateEndsWithoutAgent(t *testing.T) {
	t.Parallel()
	dies := []http.HandlerFunc{die, die, die, die, die, die}
	c := scriptedAgent(t, map[string][]http.HandlerFunc{postUpdate: {answer(200, api.UpdateStarted{At: acceptedAt})}, getUpdate: dies})
	err := rollout{name: "web"}.run(t.Context(), c, newTranscript(io.Discard, nil), false)
	if exitStatus(err) != 4 {
		t.Errorf("run() = %v, want exit status 4", err)
	}
}

func TestWorst(t *testing.T) {
	t.Parallel()
	refused, rolledBack := &exitError{exitRefused, errors.New("refused")}, &exitError{exitRolledBack, errors.New("rolled back")}
	waiting, interrupted := &exitError{exitWaiting, errors.New("waiting")}, &exitError{exitInterrupted, errors.New("interrupted")}
	tests := []struct {
		errs []error
		want int
	}{
		{nil, 0},
		{[]error{nil, nil}, 0},
		{[]error{nil, waiting}, 7},
		{[]error{refused, waiting}, 6},
		{[]error{refused, rolledBack, waiting}, 5},
		{[]error{errors.New("failed"), rolledBack}, 1},
		{[]error{errors.New("failed"), fmt.Errorf("%w: gone", client.ErrUnreachable), nil}, 4},
		{[]error{client.ErrUnreachable, interrupted}, 130},
	}
	for _, test := range tests {
		if got := worst(test.errs); exitStatus(got) != test.want {
			t.Errorf("worst(%v) = %v, want exit status %d", test.errs, got, test.want)
		}
	}
	// Every status must have a rank, or it would count as success.
	for _, row := range exitTable() {
		if got := worst([]error{nil, &exitError{row.status, errors.New("x")}}); exitStatus(got) != row.status {
			t.Errorf("worst() of exit status %d = %d", row.status, exitStatus(got))
		}
	}
}

func TestTranscriptDrawsOneBarForAllPulls(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	transcript := newTranscript(&out, &out)
	pull := func(done, total int64) api.UpdateProgress {
		return api.UpdateProgress{Phase: api.StatePulling, Doing: "pulling", Done: done, Total: total}
	}
	transcript.progress("web", pull(0, 100e6))
	transcript.progress("web", pull(0, 100e6)) // the same bar is not drawn again
	transcript.progress("db", pull(30e6, 20e6))
	transcript.progress("web", api.UpdateProgress{Phase: "replacing"})
	transcript.end("db", "confirmed")
	transcript.end("web", "")
	text := strings.NewReplacer(eraseLine, "<", noWrap, "", wrap, "|", strings.Repeat(" ", 15), "~").Replace(out.String())
	want := `web: pulling
<web: [~~]   0%  0B/100MB|<db: pulling
<2 images: [=====~          ]  16%  20MB/120MB|<web: replacing
<db: [==============================] 100%  20MB/20MB|<db: confirmed
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
}
