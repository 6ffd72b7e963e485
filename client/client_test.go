package client

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// agent answers each route with the zero value of its answer, and the routes of which
// it knows none with 404. It returns a client, and the routes that were asked for.
func agent(t *testing.T, refuse func(w http.ResponseWriter) bool) (Client, func() []string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 100)
	mux := http.NewServeMux()
	for _, route := range api.Routes() {
		mux.HandleFunc(route.Pattern(), func(w http.ResponseWriter, r *http.Request) {
			asked <- route.Pattern()
			var body any
			if route.Body != nil && json.NewDecoder(r.Body).Decode(&body) != nil {
				t.Errorf("%s has no body of JSON", route.Pattern())
			}
			if refuse != nil && refuse(w) {
				return
			}
			switch answer := route.Answer.(type) {
			case api.Progress:
				answer.Ready = true
				_ = json.NewEncoder(w).Encode(answer)
			case api.PullProgress:
				answer.Image = &api.Revision{}
				_ = json.NewEncoder(w).Encode(answer)
			case api.UpdateProgress:
				answer.Outcome = api.OutcomeConfirmed
				_ = json.NewEncoder(w).Encode(answer)
			default:
				_ = json.NewEncoder(w).Encode(answer)
			}
		})
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener)
	t.Cleanup(func() { _ = server.Close() })
	return New(socket), func() []string {
		var all []string
		for len(asked) > 0 {
			all = append(all, <-asked)
		}
		return all
	}
}

// Each method sends a request that the agent knows.
func TestRequests(t *testing.T) {
	t.Parallel()
	c, asked := agent(t, nil)
	ctx, now := t.Context(), time.Now()
	progress := func(api.Progress) { t.Error("a step before the last one") }
	for want, request := range map[string]func() error{
		"GET /v1/status":                     func() error { _, err := c.Status(ctx); return err },
		"GET /v1/userdata":                   func() error { _, err := c.UserData(ctx, false); return err },
		"POST /v1/userdata/fetch":            func() error { _, err := c.UserData(ctx, true); return err },
		"GET /v1/userdata/raw":               func() error { raw, err := c.RawUserData(ctx); return errors.Join(err, raw.Close()) },
		"PUT /v1/containers/{name}":          func() error { _, err := c.Declare(ctx, "web", []byte("{}")); return err },
		"DELETE /v1/containers/{name}":       func() error { _, err := c.Remove(ctx, "web", true); return err },
		"GET /v1/containers/{name}/progress": func() error { _, err := c.Progress(ctx, "web", now, progress); return err },
		"POST /v1/containers/{name}/update":  func() error { _, err := c.Update(ctx, "web", api.UpdateRequest{}); return err },
		"GET /v1/containers/{name}/update":   func() error { _, err := c.UpdateProgress(ctx, "web", now, func(api.UpdateProgress) {}); return err },
		"POST /v1/containers/{name}/rollback": func() error {
			_, err := c.Rollback(ctx, "web", api.UpdateRequest{To: "sha256:1"})
			return err
		},
		"GET /metrics": func() error { raw, err := c.Metrics(ctx); return errors.Join(err, raw.Close()) },
		"GET /v1/events": func() error {
			return c.Events(ctx, EventFilter{Since: now, Changes: true}, func(api.Event) error { return nil })
		},
		"GET /v1/analysis":                   func() error { _, err := c.Analysis(ctx); return err },
		"POST /v1/containers/{name}/start":   func() error { _, err := c.Operate(ctx, "web", "start"); return err },
		"POST /v1/containers/{name}/stop":    func() error { _, err := c.Operate(ctx, "web", "stop"); return err },
		"POST /v1/containers/{name}/restart": func() error { _, err := c.Operate(ctx, "web", "restart"); return err },
		"POST /v1/containers/{name}/reload":  func() error { _, err := c.Operate(ctx, "web", "reload"); return err },
		"POST /v1/containers/{name}/pull":    func() error { _, err := c.Pull(ctx, "web", func(api.PullProgress) {}); return err },
		"GET /v1/history":                    func() error { _, err := c.History(ctx, "web"); return err },
		"PUT /v1/containers/{name}/hold":     func() error { return c.Hold(ctx, "web", api.HoldRequest{}) },
		"DELETE /v1/containers/{name}/hold":  func() error { return c.Unhold(ctx, "web") },
		"GET /v1/gc":                         func() error { _, err := c.GC(ctx, false); return err },
		"POST /v1/gc":                        func() error { _, err := c.GC(ctx, true); return err },
	} {
		if err := request(); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if got := asked(); !slices.Equal(got, []string{want}) {
			t.Errorf("the request is %v, want %s", got, want)
		}
	}
}

// An agent that restarts is asked again; a refusal is returned with all its problems.
func TestRefusals(t *testing.T) {
	t.Parallel()
	restarts := 1
	c, _ := agent(t, func(w http.ResponseWriter) bool {
		if restarts--; restarts >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(api.Refusal{Problems: []string{"only root", "use sudo"}})
		return true
	})
	_, err := c.History(t.Context(), "")
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Code != http.StatusForbidden || err.Error() != "only root\nuse sudo" {
		t.Errorf("History() = %v, want the second answer", err)
	}
	if _, err := New(filepath.Join(t.TempDir(), "none")).Status(t.Context()); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "systemctl status dockhost") {
		t.Errorf("Status() = %v, want what to do", err)
	}
}

// A user who may not connect learns that, at once, and not that the agent is down.
func TestNoAccess(t *testing.T) {
	tries := 0
	c := Client{socket: "/run/dockhost/agent.sock", http: &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			tries++
			return nil, &net.OpError{Op: "dial", Net: "unix", Err: &os.SyscallError{Syscall: "connect", Err: fs.ErrPermission}}
		},
	}}}
	_, err := c.Change(t.Context(), http.MethodPost, "/v1/containers/web/stop", nil, &struct{}{})
	if !errors.Is(err, ErrNoAccess) || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "sudo") || !strings.Contains(err.Error(), "group docker") {
		t.Errorf("Change() = %v, want ErrNoAccess, sudo and the group", err)
	}
	if tries != 1 {
		t.Errorf("Change() tried %d times, want once", tries)
	}
}
