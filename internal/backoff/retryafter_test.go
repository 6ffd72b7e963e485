package backoff

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "90": 90 * time.Second, "-1": 0, "1.5": 0, "2000000000": 7 * 24 * time.Hour, "99999999999999999999": 0,
		"Sun, 01 Mar 2026 02:01:00 GMT": time.Minute, "Sun, 01 Mar 2026 01:00:00 GMT": 0, "Sun, 01 Mar 2099 01:00:00 GMT": 7 * 24 * time.Hour, "tomorrow": 0,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("RetryAfter(%q) = %s, want %s", value, got, want)
		}
	}
}
