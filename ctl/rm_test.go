package ctl

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

func TestRemove(t *testing.T) {
	missing := answer(404, api.Refusal{Problems: []string{"no such container"}})
	tests := []struct {
		name    string
		force   bool
		answers []http.HandlerFunc
		code    int
	}{
		{"removed", false, []http.HandlerFunc{answer(200, struct{}{})}, 0},
		{"missing", false, []http.HandlerFunc{missing}, 1},
		{"missing, with force", true, []http.HandlerFunc{missing}, 0},
		{"from user data, with force", true, []http.HandlerFunc{answer(409, api.Refusal{Problems: []string{"user data assigns it"}})}, 1},
		{"removed by an agent that was then killed", false, []http.HandlerFunc{die, missing}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := scriptedAgent(t, map[string][]http.HandlerFunc{"DELETE /v1/containers/web": test.answers})
			if err := remove(t.Context(), c, "web", test.force, false); exitStatus(err) != test.code {
				t.Errorf("remove() = %v, want exit status %d", err, test.code)
			}
		})
	}
	if err := remove(t.Context(), client.New(filepath.Join(t.TempDir(), "none")), "web", true, true); exitStatus(err) != 4 {
		t.Errorf("remove() = %v, want exit status 4 without an agent", err)
	}
}
