package sim

import (
	"fmt"
	"sync"
	"time"
)

// counter counts requests by the second.
type counter struct {
	start  time.Time
	counts []int
}

func (c *counter) add() {
	second := int(time.Since(c.start) / time.Second)
	for len(c.counts) <= second {
		c.counts = append(c.counts, 0)
	}
	c.counts[second]++
}

// between returns the requests of each second of a time.
func (c *counter) between(from, to time.Duration) []int {
	seconds := make([]int, (to-from)/time.Second)
	if first := int(from / time.Second); first < len(c.counts) {
		copy(seconds, c.counts[first:])
	}
	return seconds
}

// registry is a registry with one tag.
type registry struct {
	mu     sync.Mutex
	digest string
	// limit is how many requests a second it answers, 0 for all.
	limit           int
	second          int
	inSecond        int
	requests, pulls counter
	refused         int
}

// limited is the answer to too many requests.
type limited struct{}

// retryAfter is the Retry-After of the registry.
const retryAfter = time.Minute

func (limited) Error() string             { return "429 Too Many Requests" }
func (limited) RetryAfter() time.Duration { return retryAfter }

func (r *registry) latest() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests.add()
	if second := int(time.Since(r.requests.start) / time.Second); second != r.second {
		r.second, r.inSecond = second, 0
	}
	r.inSecond++
	if r.limit > 0 && r.inSecond > r.limit {
		r.refused++
		return "", limited{}
	}
	return r.digest, nil
}

// push moves the tag.
func (r *registry) push(digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.digest = digest
}

func (r *registry) pull() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pulls.add()
}

// lock is a lock manager with one group. It has for each host with a slot how often the
// host was given it, so that an old timer gives back no new slot.
type lock struct {
	mu       sync.Mutex
	slots    int
	held     map[*member]int
	given    int
	most     int
	requests counter
}

func (l *lock) take(m *member) (why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests.add()
	if _, has := l.held[m]; !has && len(l.held) >= l.slots {
		return fmt.Sprintf("no free slot of group %q", "web")
	}
	l.given++
	l.held[m] = l.given
	l.most = max(l.most, len(l.held))
	return ""
}

// give gives a slot back after a while, as agent/fleetlock does.
func (l *lock) give(m *member, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given++
	given := l.given
	if _, has := l.held[m]; has {
		l.held[m] = given
	}
	time.AfterFunc(after, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		current, has := l.held[m]
		if has && current != given {
			return // taken or held again
		}
		l.requests.add()
		delete(l.held, m)
	})
}
