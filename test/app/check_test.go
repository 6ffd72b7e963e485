package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestServerURL(t *testing.T) {
	tests := map[string]struct{ target, want string }{
		"port":             {"8080", "http://127.0.0.1:8080/healthz"},
		"port with colon":  {":8080", "http://127.0.0.1:8080/healthz"},
		"host and port":    {"web:80", "http://web:80/healthz"},
		"URL without path": {"https://web", "https://web/healthz"},
		"URL with a path":  {"http://web/live", "http://web/live"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := serverURL(test.target, "/healthz")
			if got != test.want || err != nil {
				t.Errorf("serverURL(%q) = %q, %v, want %q", test.target, got, err, test.want)
			}
		})
	}
}

func TestAsk(t *testing.T) {
	status := http.StatusOK
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "what is wrong", status)
	}))
	defer web.Close()
	if err := ask(t.Context(), http.MethodGet, web.URL, "/healthz"); err != nil {
		t.Errorf("ask() of a healthy server = %v", err)
	}
	status = http.StatusServiceUnavailable
	if err := ask(t.Context(), http.MethodGet, web.URL, "/healthz"); err == nil || !strings.Contains(err.Error(), "what is wrong") {
		t.Errorf("ask() of an unhealthy server = %v, want its answer", err)
	}
}
