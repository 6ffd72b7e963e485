package fleetlock_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dockhost/dockhost/agent/fleetlock"
)

// Airlock, and what may be in front of it, answers in many ways.
func TestAnswers(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   string // after the operation
		busy   bool
	}{
		{"the protocol's own example", 500, `{"kind": "failed_lock_semaphore_full", "value": "semaphore currently full, all slots are locked already"}`, "failed_lock_semaphore_full: semaphore currently full, all slots are locked already", true},
		{"poseidon", 423, `{"kind": "locked", "value": "reboot lease held by node-2"}`, "locked: reboot lease held by node-2", true},
		{"etcd is away", 500, `{"kind": "failed_sem_init", "value": "failed to initialize semaphore manager: context deadline exceeded"}`, "failed_sem_init: failed to initialize semaphore manager: context deadline exceeded", false},
		{"a proxy without a server", 502, `<html>Bad Gateway</html>`, "it answers 502 Bad Gateway", false},
		{"too many requests", 429, "", "it answers 429 Too Many Requests", false},
		{"a login", 401, `{"error": "who are you?"}`, "it answers 401 Unauthorized (let this host use the lock manager: a proxy or the lock manager refuses it)", false},
		{"no known status", 599, `null`, "it answers 599", false},
		{"control characters", 500, `{"kind": "a\u001b[31mb", "value": "one\r\n\u0007two\u202e"}`, "a [31mb: one two", false},
		{"a long value", 500, `{"kind": "k", "value": "` + strings.Repeat("x", 5000) + `"}`, "k: " + strings.Repeat("x", 200) + "...", false},
		{"an endless answer", 500, `{"kind": "k", "value": "` + strings.Repeat("x", 1<<20), "it answers 500 Internal Server Error", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			err := fleetlock.New(server.URL, "web", "id").Acquire(t.Context())
			want := "ask " + server.URL + ` for a slot of group "web": ` + test.want
			if test.busy {
				want = `no free slot of group "web" at ` + server.URL + ": " + test.want
			}
			if textOf(err) != want || errors.Is(err, fleetlock.ErrBusy) != test.busy {
				t.Errorf("Acquire() = %v, want %s", err, want)
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/secret?token=hunter2", http.StatusTemporaryRedirect))
	defer server.Close()
	err := fleetlock.New(server.URL, "web", "id").Acquire(t.Context())
	if text := textOf(err); !strings.Contains(text, "it redirects to "+elsewhere.URL+",") || strings.Contains(text, "hunter2") {
		t.Errorf("Acquire() = %v, want the address of the redirect without its path", err)
	}
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	base := strings.Replace(server.URL, "://", "://me:hunter2@", 1)
	err := fleetlock.New(base, "web", "id").Acquire(t.Context())
	if text := textOf(err); !strings.Contains(text, "connection refused") || strings.Contains(text, "hunter2") || errors.Is(err, fleetlock.ErrBusy) {
		t.Errorf("Acquire() = %v, want that the connection is refused, without the password", err)
	}
	if err := fleetlock.New("http://[", "web", "id").Release(t.Context()); !strings.Contains(textOf(err), "correct fleet_lock.base_url") {
		t.Errorf("Release() = %v, want the cure", err)
	}
}

func TestSilentLockManager(t *testing.T) {
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	defer server.Close()
	defer close(end)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("the agent stops"))
	defer cancel()
	if err := fleetlock.New(server.URL, "web", "id").Acquire(ctx); !strings.HasSuffix(textOf(err), ": the agent stops") {
		t.Errorf("Acquire() = %v, want the cause of its end", err)
	}
}

func TestID(t *testing.T) {
	const machine = "0123456789abcdef0123456789abcdef"
	id := fleetlock.ID(machine, "i-1")
	if want := "0913f8686b5725c3ba492f9cc8b6ede4"; id != want { // the next version must have the same
		t.Errorf("ID() = %q, want %q", id, want)
	}
	others := map[string]bool{id: true, machine: true}
	for _, other := range []string{fleetlock.ID(machine, "i-2"), fleetlock.ID(machine, ""), fleetlock.ID("", "i-1")} {
		if others[other] || other == "" {
			t.Errorf("ID() = %q is not unique", other)
		}
		others[other] = true
	}
	if again := fleetlock.ID(machine, "i-1"); again != id {
		t.Errorf("ID() = %q, then %q", id, again)
	}
	if id := fleetlock.ID("", ""); id != "" {
		t.Errorf("ID() = %q without an identity", id)
	}
}

// A host that waits long asks every few minutes.
func TestTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, began := fleetlock.Tries(), time.Now()
		for range 12 {
			if err := tries.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(began); waited < 20*time.Minute || waited > time.Hour {
			t.Errorf("12 tries wait %s", waited)
		}
	})
}
