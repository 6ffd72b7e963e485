package api

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Those who may only read do not see what a container has printed. The answer itself
// stays whole: others may share it.
func TestPublicHidesOutput(t *testing.T) {
	t.Parallel()
	now := time.Now()
	entries := []HistoryEntry{{Name: "web", Began: now, From: &Revision{Image: "nginx"}, Output: []string{"password=hunter2"}}}
	got, isHistory := Public(entries).([]HistoryEntry)
	if !isHistory || cmp.Diff([]HistoryEntry{{Name: "web", Began: now, From: &Revision{Image: "nginx"}}}, got) != "" {
		t.Errorf("Public() = %+v, want it without the output", got)
	}
	if len(entries[0].Output) != 1 {
		t.Error("Public() has changed the answer itself")
	}
}

func TestPublicKeepsTheRest(t *testing.T) {
	t.Parallel()
	at := time.Now()
	status := Status{Version: 1, Source: Source{AcceptedAt: &at, Problems: []string{"x"}}, Containers: []Container{{Name: "web", Since: &at}}, Housekeeping: &Housekeeping{Problem: "full"}}
	if diff := cmp.Diff(status, Public(status)); diff != "" {
		t.Errorf("Public() (-want +got):\n%s", diff)
	}
	if Public(nil) != nil || !reflect.DeepEqual(Public(Declaration{"a": 1}), Declaration{"a": 1}) {
		t.Error("Public() changes what has no fields")
	}
}
