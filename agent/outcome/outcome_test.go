package outcome

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/journal"
)

// logged returns the entry that Log writes.
func logged(t *testing.T, entry api.HistoryEntry) observer.LoggedEntry {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	Log(zap.New(core), entry)
	all := logs.All()
	if len(all) != 1 {
		t.Fatalf("Log() wrote %d entries, want one", len(all))
	}
	return all[0]
}

func entry(outcome string) api.HistoryEntry {
	began := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	return api.HistoryEntry{
		Name: "web", Began: began, Ended: began.Add(90 * time.Second), Cause: api.CauseRegistry, By: "root",
		From: &api.Revision{Image: "shop:1", Digest: "sha256:1"}, To: api.Revision{Image: "shop:1", Digest: "sha256:2"},
		Outcome: outcome, Why: "unhealthy", Output: []string{"hunter2"},
	}
}

func TestLog(t *testing.T) {
	got := logged(t, entry("rolled-back"))
	if got.Level != zapcore.WarnLevel || got.Message != "update rolled back" {
		t.Errorf("Log() = %v %q", got.Level, got.Message)
	}
	want := map[string]any{
		"container": "web", "image": "shop:1", "why": "unhealthy", "took": 90 * time.Second,
		"MESSAGE_ID": journal.UpdateRolledBack.ID(), "CONTAINER_NAME": "web", "IMAGE_NAME": "shop:1",
		"OBJECT_SYSTEMD_UNIT": "dockhost@web.service", "DOCKHOST_EVENT": "update-rolled-back", "DOCKHOST_UPDATE_OUTCOME": "rolled-back",
		"DOCKHOST_UPDATE_CAUSE": "registry", "DOCKHOST_UPDATE_BY": "root", "DOCKHOST_UPDATE_WHY": "unhealthy",
		"DOCKHOST_UPDATE_FROM": "sha256:1", "DOCKHOST_UPDATE_TO": "sha256:2",
	}
	if diff := cmp.Diff(want, got.ContextMap()); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	first := logged(t, api.HistoryEntry{Name: "web", Outcome: "confirmed", To: api.Revision{Image: "shop:1"}})
	for key := range first.ContextMap() {
		if strings.HasPrefix(key, "DOCKHOST_UPDATE_") && key != "DOCKHOST_UPDATE_OUTCOME" {
			t.Errorf("a first start has the field %s", key)
		}
	}
}
