package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestOutage replaces a server that is down for a while.
func TestOutage(t *testing.T) {
	var down atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	r := &replacement{port: server.URL[strings.LastIndex(server.URL, ":")+1:]}
	const least = 50 * time.Millisecond
	replaced := make(chan error, 1)
	go func() {
		down.Store(true)
		time.Sleep(least)
		down.Store(false)
		replaced <- nil
	}()
	if got, err := r.outage(t.Context(), replaced); err != nil || got < least {
		t.Errorf("outage() = %v, %v, want at least %v", got, err, least)
	}
	replaced <- nil
	if got, err := r.outage(t.Context(), replaced); err == nil {
		t.Errorf("outage() without one = %v, want an error", got)
	}
}
