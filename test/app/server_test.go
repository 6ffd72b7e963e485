package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// newTestHost returns a host with the given variables, and the channel of its signals.
func newTestHost(env map[string]string) (host, chan<- os.Signal) {
	signals := make(chan os.Signal, 1)
	return host{
		stdout:    io.Discard,
		stderr:    io.Discard,
		lookupEnv: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		hostname:  "web-1",
		signals:   signals,
	}, signals
}

func request(t *testing.T, handler http.Handler, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, target, nil))
	return recorder
}

func TestRoutes(t *testing.T) {
	tests := map[string]struct {
		method, target string
		status         int
		body           string
	}{
		"version":             {"GET", "/", 200, `"version":"2","hostname":"web-1"`},
		"healthy from start":  {"GET", "/healthz", 200, "ok"},
		"variable":            {"GET", "/env?name=APP_VERSION", 200, "2"},
		"unknown variable":    {"GET", "/env?name=NONE", 404, "NONE"},
		"healthy without on":  {"POST", "/healthy", 400, "true or false"},
		"crash, no number":    {"POST", "/crash?code=x", 400, `"x"`},
		"crash, no exit code": {"POST", "/crash?code=256", 400, "from 0 to 255"},
		"eat nothing":         {"POST", "/eat?mb=0", 400, "from 1 to"},
		"crash by GET":        {"GET", "/crash?code=3", 405, ""},
		"reload":              {"POST", "/reload", 200, ""},
		"unknown page":        {"GET", "/other", 404, ""},
	}
	machine, _ := newTestHost(map[string]string{"APP_VERSION": "2"})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := request(t, newServer(options{}, machine).routes(), test.method, test.target)
			if got.Code != test.status || !strings.Contains(got.Body.String(), test.body) {
				t.Errorf("%s %s = %d %q, want %d and %q in it", test.method, test.target, got.Code, got.Body, test.status, test.body)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine, _ := newTestHost(nil)
		routes := newServer(options{readyAfter: 5 * time.Second}, machine).routes()
		check := func(when string, want int) {
			t.Helper()
			if got := request(t, routes, "GET", "/healthz").Code; got != want {
				t.Errorf("health %s = %d, want %d", when, got, want)
			}
		}
		check("at the start", 503)
		time.Sleep(5 * time.Second)
		check("when ready", 200)
		request(t, routes, "POST", "/healthy?on=false")
		check("when unhealthy by request", 503)
		request(t, routes, "POST", "/healthy?on=true")
		check("when healthy by request", 200)
	})
}

func TestReload(t *testing.T) {
	machine, signals := newTestHost(nil)
	server := newServer(options{exitAfter: 100 * time.Millisecond}, machine)
	signals <- syscall.SIGHUP
	if code, err := server.wait(t.Context(), nil); code != 0 || err != nil {
		t.Errorf("wait() = %d, %v after SIGHUP, want it to keep running", code, err)
	}
	request(t, server.routes(), "POST", "/reload")
	request(t, server.routes(), "POST", "/healthy?on=false")
	if got := request(t, server.routes(), "POST", "/reload"); got.Code != 503 {
		t.Errorf("reload while unhealthy = %d, want 503", got.Code)
	}
	if got := request(t, server.routes(), "GET", "/reloads").Body.String(); got != "2\n" {
		t.Errorf("reloads = %q, want 2", got)
	}
}

func TestFirstAnswer(t *testing.T) {
	machine, _ := newTestHost(nil)
	s := newServer(options{listen: "127.0.0.1:0", firstAnswer: true}, machine)
	if got := request(t, s.routes(), "GET", "/first-answer").Code; got != http.StatusNotFound {
		t.Errorf("GET /first-answer before it serves = %d, want 404", got)
	}
	s.exit <- 0
	if code, err := s.Run(t.Context()); code != 0 || err != nil {
		t.Fatalf("Run() = %d, %v", code, err)
	}
	got := request(t, s.routes(), "GET", "/first-answer").Body.String()
	if at, err := strconv.ParseFloat(strings.TrimSpace(got), 64); err != nil || at <= 0 {
		t.Errorf("GET /first-answer = %q, want seconds since the boot", got)
	}
}

func TestHang(t *testing.T) {
	machine, _ := newTestHost(nil)
	web := httptest.NewServer(newServer(options{}, machine).routes())
	defer web.Close()
	if err := ask(t.Context(), "POST", web.URL+"/hang", ""); err == nil || !strings.Contains(err.Error(), "204") {
		t.Fatalf("POST /hang = %v, want 204", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := ask(ctx, "GET", web.URL, "/healthz"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("GET /healthz = %v, want no answer", err)
	}
}

func TestEatKeepsMemory(t *testing.T) {
	machine, _ := newTestHost(nil)
	server := newServer(options{}, machine)
	request(t, server.routes(), "POST", "/eat?mb=2")
	request(t, server.routes(), "POST", "/eat?mb=1")
	if len(server.eaten) != 2 || len(server.eaten[0]) != 2<<20 {
		t.Errorf("allocations = %d, want 2 MiB and 1 MiB", len(server.eaten))
	}
}

func TestWaitEndsWith(t *testing.T) {
	tests := map[string]struct {
		opts options
		act  func(server *server, signals chan<- os.Signal)
		want int
	}{
		"SIGTERM": {act: func(_ *server, signals chan<- os.Signal) { signals <- syscall.SIGTERM }, want: 0},
		"a crash": {act: func(s *server, _ chan<- os.Signal) { s.exit <- 3 }, want: 3},
		"time":    {opts: options{exitAfter: time.Minute, exitCode: 4}, want: 4},
		"SIGTERM ignored": {
			opts: options{exitAfter: time.Minute, exitCode: 4, ignoreSigterm: true},
			act:  func(_ *server, signals chan<- os.Signal) { signals <- syscall.SIGTERM },
			want: 4,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				machine, signals := newTestHost(nil)
				server := newServer(test.opts, machine)
				if test.act != nil {
					test.act(server, signals)
				}
				code, err := server.wait(t.Context(), nil)
				if code != test.want || err != nil {
					t.Errorf("wait() = %d, %v, want %d", code, err, test.want)
				}
			})
		})
	}
}

func TestLinesDue(t *testing.T) {
	tests := map[string]struct {
		elapsed time.Duration
		rate    int
		want    int
	}{
		"start":       {0, 100, 0},
		"slow":        {999 * time.Millisecond, 1, 0},
		"one second":  {time.Second, 1, 1},
		"fast":        {10 * time.Millisecond, 10000, 100},
		"half a line": {15 * time.Millisecond, 100, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := linesDue(test.elapsed, test.rate); got != test.want {
				t.Errorf("linesDue(%v, %d) = %d, want %d", test.elapsed, test.rate, got, test.want)
			}
		})
	}
}

func TestWriteLinesHoldsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second+linesEvery/2)
		defer cancel()
		writeLines(ctx, &out, 50)
		if got := strings.Count(out.String(), "\n"); got != 150 {
			t.Errorf("%d lines in 3 s at 50 a second, want 150", got)
		}
	})
}

func TestRunRefuses(t *testing.T) {
	tests := map[string][]string{
		"unknown flag":  {"-what"},
		"argument":      {"serve"},
		"negative rate": {"-log-rate", "-1"},
		"stall size":    {"stall", "-after", "much"},
		"stall CA":      {"stall", "-ca", "/does/not/exist"},
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			machine, _ := newTestHost(nil)
			if got := run(t.Context(), machine, args); got != 2 {
				t.Errorf("run(%q) = %d, want 2", args, got)
			}
		})
	}
}
