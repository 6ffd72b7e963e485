package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"
)

// linesEvery is how often log lines are written: many at once, or a high rate would need a timer for each line.
const linesEvery = 10 * time.Millisecond

// writeLines writes numbered lines at the given rate a second until ctx ends. A slow reader slows it down: the lines that
// were due meanwhile follow at once.
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

// linesDue returns how many lines have to be written by the given time after the start.
func linesDue(elapsed time.Duration, rate int) int {
	return int(elapsed.Seconds() * float64(rate))
}
