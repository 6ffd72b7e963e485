package backoff

import (
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds [RetryAfter].
const maxRetryAfter = 7 * 24 * time.Hour

// RetryAfter returns the wait that the header Retry-After of an answer demands: seconds,
// or a date (RFC 9110, 10.2.3). It is 0 if the header demands none, and a week at most.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
