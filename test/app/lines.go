package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"
)

// linesEvery is the interval between writes. Each write has several lines, so that a high rate needs no timer per line.
const linesEvery = 10 * time.Millisecond

// writeLines writes numbered lines at the given rate per second until ctx ends. After a slow reader has held it up, it
// writes the lines that are overdue at once.
func writeLines(ctx context.Context, w io.Writer, rate int) {
	if rate == 0 {
		return
	}
	ticker := time.NewTicker(linesEvery)
	defer ticker.Stop()
	started := time.Now()
	buffered := bufio.NewWriter(w)
	for written := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for due := linesDue(time.Since(started), rate); written < due; written++ {
			_, _ = fmt.Fprintf(buffered, "line %d of the test application\n", written+1)
		}
		_ = buffered.Flush()
	}
}

// linesDue returns the number of lines that are due at the given time after the start.
func linesDue(elapsed time.Duration, rate int) int {
	return int(elapsed.Seconds() * float64(rate))
}
