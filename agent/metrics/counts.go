package metrics

import (
	"maps"
	"sync"
	"time"
)

// Counts are counters since the agent started.
type Counts struct {
	// Pulls and PullTime are of the pulls that ended, well or not; PullErrors are those
	// that failed.
	Pulls, PullErrors uint64
	PullTime          time.Duration
	// PulledBytes is how much they downloaded.
	PulledBytes int64
	// Rollbacks are by container.
	Rollbacks map[string]int
}

// Counter counts. Its zero value is ready, nil counts nothing, and its methods may be
// called by several goroutines at a time.
type Counter struct {
	mu     sync.Mutex
	counts Counts
}

// Pulled counts a pull that has ended.
func (c *Counter) Pulled(bytes int64, took time.Duration, failed bool) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Pulls++
	c.counts.PullTime += took
	c.counts.PulledBytes += bytes
	if failed {
		c.counts.PullErrors++
	}
}

// RolledBack counts an update of a container that was rolled back.
func (c *Counter) RolledBack(name string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts.Rollbacks == nil {
		c.counts.Rollbacks = map[string]int{}
	}
	c.counts.Rollbacks[name]++
}

// Counts returns the counts so far.
func (c *Counter) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	counts.Rollbacks = maps.Clone(counts.Rollbacks)
	return counts
}
