package agent

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// The API tells what was declared by whom, and the changes alone; the analysis has the
// start of the container.
func TestEventsByTheAPI(t *testing.T) {
	h := newTestHost(t)
	s := h.serve()
	if code, answer := s.put(local("web", "nginx:1")); code != http.StatusOK {
		t.Fatalf("PUT answers %d: %s", code, answer)
	}
	read := func(query string) map[string]api.Event {
		t.Helper()
		code, lines := s.ask("GET", "/v1/events"+query, "")
		if code != http.StatusOK {
			t.Fatalf("GET /v1/events%s answers %d: %s", query, code, lines)
		}
		byName := map[string]api.Event{}
		for decoder := json.NewDecoder(strings.NewReader(lines)); decoder.More(); {
			var e api.Event
			if err := decoder.Decode(&e); err != nil {
				t.Fatal(err)
			}
			byName[e.Event] = e
		}
		s.wantNoSecret(lines)
		return byName
	}
	all, changes := read(""), read("?changes=true")
	if e := all["declared"]; e.Container != "web" || e.To != "nginx:1" || !strings.HasPrefix(e.By, "dockhostctl by ") || e.Outcome != "done" {
		t.Errorf("event = %+v", e)
	}
	if all["starting"].Container != "web" || len(changes) != 1 || changes["declared"].Container != "web" {
		t.Errorf("events = %+v, changes %+v", all, changes)
	}
	if code, answer := s.ask("GET", "/v1/events?since=now", ""); code != http.StatusBadRequest {
		t.Errorf("GET since=now answers %d: %s", code, answer)
	}
	if later := read("?since=2100-01-01T00:00:00Z"); len(later) != 0 {
		t.Errorf("events of the future = %+v", later)
	}
	code, answer := s.ask("GET", "/v1/analysis", "")
	var a api.Analysis
	if err := json.Unmarshal([]byte(answer), &a); err != nil || code != http.StatusOK || a.Version != api.Version {
		t.Errorf("GET /v1/analysis answers %d: %s, %v", code, answer, err)
	}
}
