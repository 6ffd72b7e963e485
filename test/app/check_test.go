package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthURL(t *testing.T) {
	tests := map[string]struct{ target, want string }{
		"port":             {"8080", "http://127.0.0.1:8080/healthz"},
		"port with colon":  {":8080", "http://127.0.0.1:8080/healthz"},
		"host and port":    {"web:80", "http://web:80/healthz"},
		"URL without path": {"https://web", "https://web/healthz"},
		"URL with a path":  {"http://web/live", "http://web/live"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := healthURL(test.target)
			if got != test.want || err != nil {
				t.Errorf("healthURL(%q) = %q, %v, want %q", test.target, got, err, test.want)
			}
		})
	}
}

func TestCheckHealth(t *testing.T) {
	status := http.StatusOK
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "what is wrong", status)
	}))
	defer web.Close()
	if err := checkHealth(t.Context(), web.URL); err != nil {
		t.Errorf("checkHealth() of a healthy server = %v", err)
	}
	status = http.StatusServiceUnavailable
	if err := checkHealth(t.Context(), web.URL); err == nil || !strings.Contains(err.Error(), "what is wrong") {
		t.Errorf("checkHealth() of an unhealthy server = %v, want its answer", err)
	}
}
