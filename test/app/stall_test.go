package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "500": 500, "20kB": 20_000, "1MB": 1_000_000, "2GB": 2_000_000_000} {
		if got, err := parseBytes(text); got != want || err != nil {
			t.Errorf("parseBytes(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1.5MB", "1 MB", "1TB", "9999999999GB"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("parseBytes(%q) = %d, want an error", text, got)
		}
	}
}

// newStalling returns the address of a proxy of a registry whose answers are all 1000 bytes long.
func newStalling(t *testing.T, after int64) (address string) {
	t.Helper()
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1000))
	}))
	t.Cleanup(registry.Close)
	upstream, err := url.Parse(registry.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(newStallProxy(stallOptions{upstream: upstream, after: after}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

func TestStallProxy(t *testing.T) {
	tests := map[string]struct {
		path   string
		after  int64
		want   int
		stalls bool
	}{
		"manifest":              {"/v2/nginx/manifests/1.22", 100, 1000, false},
		"larger blob":           {"/v2/nginx/blobs/sha256:1", 100, 100, true},
		"blob of just the size": {"/v2/nginx/blobs/sha256:1", 1000, 1000, false},
		"smaller blob":          {"/v2/nginx/blobs/sha256:1", 2000, 1000, false},
		"nothing gets through":  {"/v2/nginx/blobs/sha256:1", 0, 0, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			got, err := download(ctx, newStalling(t, test.after)+test.path)
			if got != test.want || errors.Is(err, context.DeadlineExceeded) != test.stalls {
				t.Errorf("download = %d bytes, %v, want %d bytes, stalls: %v", got, err, test.want, test.stalls)
			}
		})
	}
}

// download returns the number of bytes received, and the error that ended the download.
func download(ctx context.Context, address string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return len(body), err
}
