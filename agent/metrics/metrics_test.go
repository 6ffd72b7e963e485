package metrics

import (
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
)

var update = flag.Bool("update", false, "write testdata/metrics.txt")

const golden = "testdata/metrics.txt"

// snapshot has every metric.
func snapshot() Snapshot {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return Snapshot{
		Status: api.Status{
			Agent:  api.Agent{Version: "1.2.3"},
			Source: api.Source{LastKnownGood: true, AcceptedAt: &at},
			Containers: []api.Container{
				{
					Name: "web", Origin: api.OriginUserData, Image: "nginx:1", Digest: "sha256:1", Unit: "dockhost@web.service", Ready: true, Health: "unhealthy", Restarts: 3,
					GPU: "GPU 0 is lost", Update: &api.Update{State: api.OutcomeRolledBack, Since: &at},
				},
				{Name: "db", Unit: "dockhost@db.service", Stopped: &api.Stopped{At: at}},
			},
		},
		Counts:     Counts{Pulls: 2, PullErrors: 1, PullTime: 3 * time.Second, PulledBytes: 4711, Rollbacks: map[string]int{"web": 1}},
		FreedBytes: 1 << 30, OOMKills: map[string]int64{"web": 2}, Boot: []Phase{{"user-data", 1500 * time.Millisecond}}, GPUs: 1,
	}
}

// The golden file is what test/observability checks with promtool.
func TestText(t *testing.T) {
	got, err := Text(snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("Text() (-want +got):\n%s", diff)
	}
	if strings.Contains(string(got), "age_seconds") {
		t.Error("the file has a metric that changes by itself")
	}
}

// A scrape has the age, too, and works with text of all kinds.
func TestHandler(t *testing.T) {
	s := snapshot()
	s.Status.Containers[0].Image = "a\"\n\xff"
	server := httptest.NewServer(Handler(func(context.Context) Snapshot { return s }))
	defer server.Close()
	for image, want := range map[string]int{"nginx": http.StatusOK, "a\"\n": http.StatusOK} {
		s.Status.Containers[0].Image = image
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != want || !strings.Contains(string(text), "dockhost_assignment_age_seconds ") {
			t.Errorf("with image %q: %d %s", image, response.StatusCode, text)
		}
	}
}

func TestCounter(t *testing.T) {
	t.Parallel()
	var c Counter
	c.Pulled(10, time.Second, false)
	c.Pulled(5, time.Second, true)
	c.RolledBack("web")
	want := Counts{Pulls: 2, PullErrors: 1, PullTime: 2 * time.Second, PulledBytes: 15, Rollbacks: map[string]int{"web": 1}}
	if diff := cmp.Diff(want, c.Counts()); diff != "" {
		t.Errorf("Counts() (-want +got):\n%s", diff)
	}
}
