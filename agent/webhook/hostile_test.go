package webhook

import (
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// A chat that shows what a webhook says gets nothing that moves or hides text.
func TestHostileText(t *testing.T) {
	body, err := newEvent(Host{Hostname: "h"}, api.HistoryEntry{Name: "web", Why: "\x1b[2J\u202egood"}).body(time.Unix(0, 0))
	if err != nil || !strings.Contains(string(body), `" [2J good"`) {
		t.Errorf("body() = %s, %v, want the error cleaned", body, err)
	}
}
