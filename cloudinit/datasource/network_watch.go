package datasource

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"time"

	"github.com/dockhost/dockhost/internal/backoff"
)

// watched is a service that can report changes.
type watched struct{ *service }

// Changed waits until the user data differs from the last result of Read. Other
// changes, such as SSH keys on GCE, do not count. It retries after errors, and
// returns an error only when ctx ends.
func (w watched) Changed(ctx context.Context) error {
	fresh := backoff.Backoff{Next: w.first, Cap: w.longest}
	wait := fresh
	// No answer has the tag 0: the first request is answered at once.
	tag := "0"
	for {
		answer, err := w.ask(ctx, tag)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			if w.digest(answer.doc) != w.last() {
				return nil
			}
			tag, wait = answer.tag, fresh
		}
		// Pause after answers too, in case the service does not wait. The tag
		// makes sure that no change is missed.
		if cause := wait.Wait(ctx); cause != nil {
			return cause
		}
	}
}

type change struct {
	doc map[string]any
	tag string
}

// ask sends the request. The service answers when the tag is out of date, or
// after a while.
func (w watched) ask(ctx context.Context, tag string) (change, error) {
	base := w.answered()
	if base == "" {
		base = w.addresses[0]
	}
	session := w.session(base)
	defer session.close()
	session.limit += w.poll
	query := url.Values{
		"recursive": {"true"}, "alt": {"json"}, "wait_for_change": {"true"},
		"last_etag": {tag}, "timeout_sec": {fmt.Sprint(int(w.poll / time.Second))},
	}
	raw, header, err := session.getWith(ctx, w.watch.path+"?"+query.Encode(), nil)
	if err != nil {
		return change{}, err
	}
	doc, ok := parseObject(raw)
	if !ok {
		return change{}, refusal("its answer is not a JSON object")
	}
	return change{doc: map[string]any{w.watch.below: doc}, tag: header.Get("ETag")}, nil
}

// digest returns a hash of the watched values.
func (s *service) digest(doc map[string]any) (sum [sha256.Size]byte) {
	if s.watch == nil {
		return sum
	}
	hash := sha256.New()
	for _, key := range s.watch.keys {
		value := text(look(doc, s.watch.below+"."+key))
		fmt.Fprintf(hash, "%d:%s", len(value), value)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func (s *service) last() [sha256.Size]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}
