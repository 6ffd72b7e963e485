package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/agent/api"
)

const secret = "correct horse battery staple"

// secretFile writes a secret as an operator does, with a line break.
func secretFile(t *testing.T, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// outcome is the outcome of an update whose container printed a secret.
func outcome() api.HistoryEntry {
	began := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	return api.HistoryEntry{
		Name: "web", Began: began, Ended: began.Add(90 * time.Second), Cause: api.CauseRegistry,
		From: &api.Revision{Image: "shop:1", Digest: "sha256:1"}, To: api.Revision{Image: "shop:1", Digest: "sha256:2"},
		Outcome: "rolled-back", Why: "unhealthy", Output: []string{"hunter2"},
	}
}

func thisHost() Host { return Host{InstanceID: "i-1", Hostname: "host1"} }

// receive starts a receiver with a certificate that the client accepts.
func receive(t *testing.T, serve http.HandlerFunc) (client, Target) {
	t.Helper()
	server := httptest.NewTLSServer(serve)
	t.Cleanup(server.Close)
	c := newClient()
	transport, ok := c.http.Transport.(*http.Transport)
	if !ok {
		t.Fatal("no transport")
	}
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig //nolint:forcetypeassert // httptest's own
	return c, Target{URL: server.URL + "/hook?token=hunter2", SecretFile: secretFile(t, 0o600)}
}

// The test reads the request as the receiver in docs/updates.md does.
func TestPost(t *testing.T) {
	var body []byte
	var header http.Header
	c, target := receive(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		header = r.Header
	})
	if err := c.post(t.Context(), target, newEvent(thisHost(), outcome())); err != nil {
		t.Fatal(err)
	}
	if got, want := header.Get("Dockhost-Signature"), Sign([]byte(secret), body); got != want || header.Get("Content-Type") != "application/json" {
		t.Errorf("header = %v, want the signature %s", header, want)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if sent, err := time.Parse(time.RFC3339, got["timestamp"].(string)); err != nil || time.Since(sent).Abs() > time.Minute {
		t.Errorf("timestamp = %v, want now", got["timestamp"])
	}
	if id, _ := got["id"].(string); len(id) != 32 {
		t.Errorf("id = %q, want 32 hexadecimal digits", id)
	}
	delete(got, "id")
	delete(got, "timestamp")
	want := map[string]any{
		"instance_id": "i-1", "hostname": "host1", "name": "web", "cause": "registry", "outcome": "rolled-back", "why": "unhealthy",
		"began": "2026-03-01T02:00:00Z", "ended": "2026-03-01T02:01:30Z",
		"from": map[string]any{"image": "shop:1", "digest": "sha256:1"}, "to": map[string]any{"image": "shop:1", "digest": "sha256:2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// The vector is RFC 4231's, test case 2.
func TestSign(t *testing.T) {
	const want = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if got := Sign([]byte("Jefe"), []byte("what do ya want for nothing?")); got != want {
		t.Errorf("Sign() = %s, want %s", got, want)
	}
}

func TestEventID(t *testing.T) {
	event := func(change func(*api.HistoryEntry)) string {
		entry := outcome()
		change(&entry)
		return newEvent(thisHost(), entry).ID
	}
	id := event(func(*api.HistoryEntry) {})
	if again := event(func(e *api.HistoryEntry) { e.Output = nil }); again != id {
		t.Errorf("the ID of one outcome is %s, then %s", id, again)
	}
	for _, other := range []string{
		event(func(e *api.HistoryEntry) { e.Name = "db" }), event(func(e *api.HistoryEntry) { e.Outcome = "confirmed" }),
		event(func(e *api.HistoryEntry) { e.Began = e.Began.Add(1) }), newEvent(Host{Hostname: "host1"}, outcome()).ID,
	} {
		if other == id {
			t.Errorf("two outcomes have the ID %s", id)
		}
	}
}

func TestPostFailures(t *testing.T) {
	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
	tests := []struct {
		name   string
		serve  http.HandlerFunc
		want   string // after the host
		passes bool
		after  time.Duration
	}{
		{"no content", answer(204), "", false, 0},
		{"unavailable", answer(503, "Retry-After", "120"), " answers 503 Service Unavailable", true, 2 * time.Minute},
		{"too many", answer(429, "Retry-After", "soon"), " answers 429 Too Many Requests", true, 0},
		{"for too long", answer(429, "Retry-After", "999999"), " answers 429 Too Many Requests", true, longestRetryAfter},
		{"wrong secret", answer(401), " answers 401 Unauthorized (check the address and the secret on both sides)", false, 0},
		{"redirect", answer(302, "Location", "/elsewhere"), " answers 302 Found, and redirects are not followed (correct update.webhook.url)", false, 0},
		{"the connection ends", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ": EOF", true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			requests := 0
			c, target := receive(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				test.serve(w, r)
			})
			err := c.post(t.Context(), target, newEvent(thisHost(), outcome()))
			if (err == nil) != (test.want == "") || err != nil && !strings.HasSuffix(err.Error(), test.want) || requests != 1 {
				t.Fatalf("post() = %v after %d requests, want %q", err, requests, test.want)
			}
			if err == nil {
				return
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("post() = %v, which has the token", err)
			}
			if after, passes := pauseAfter(err, 0); passes != test.passes || after != test.after {
				t.Errorf("pauseAfter(%v) = %s, %t, want %s, %t", err, after, passes, test.after, test.passes)
			}
		})
	}
}

func TestPostRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	good := write("good", secret, 0o400)
	tests := []struct {
		name, url, file, want string
	}{
		{"http", "http://localhost/hook", good, "is not https://"},
		{"no host", "https:///hook", good, "is not https://"},
		{"no address", "https://[?token=hunter2", good, "is not https://"},
		{"no file", "https://localhost", filepath.Join(dir, "none"), "no such file"},
		{"a directory", "https://localhost", dir, "not a regular file"},
		{"a FIFO", "https://localhost", fifo, "not a regular file"},
		{"a group's file", "https://localhost", write("group", secret, 0o640), "chmod 0600 " + dir},
		{"an empty file", "https://localhost", write("empty", "\n", 0o600), "openssl rand"},
		{"a large file", "https://localhost", write("large", strings.Repeat("x", maxSecret+1), 0o600), "more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := newClient().post(t.Context(), Target{URL: test.url, SecretFile: test.file}, newEvent(thisHost(), outcome()))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("post() = %v, want %q", err, test.want)
			}
			if _, passes := pauseAfter(err, 0); passes {
				t.Errorf("%v is tried again", err)
			}
		})
	}
}

func TestPostEndsWithItsCaller(t *testing.T) {
	end := make(chan struct{})
	c, target := receive(t, func(http.ResponseWriter, *http.Request) { <-end })
	defer close(end)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.post(ctx, target, newEvent(thisHost(), outcome())); err == nil {
		t.Error("post() = nil without an answer")
	}
}
