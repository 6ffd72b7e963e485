// Package webhook tells a receiver how updates ended: one https request for each
// outcome, signed with a secret that both know. Whether the receiver answers has no
// influence on updates.
package webhook

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/backoff"
)

const (
	// maxQueue is how many outcomes wait at most.
	maxQueue = 64
	// maxTries is how often a request is made at most. The waits between the tries are
	// about a quarter of an hour together.
	maxTries = 10
	// firstWait and longestWait bound the wait between two tries, unless the receiver
	// demands a longer one, up to longestRetryAfter.
	firstWait, longestWait = 2 * time.Second, 5 * time.Minute
	longestRetryAfter      = 15 * time.Minute
	// timeout bounds a request with its answer.
	timeout = 20 * time.Second
	// maxAnswer is how many bytes of an answer are read. Nothing in them is used.
	maxAnswer = 64 << 10
	// signatureHeader is the header with the signature of the body.
	signatureHeader = "Dockhost-Signature"
)

// Target is the receiver of the requests.
type Target struct {
	// URL is the https address.
	URL string
	// SecretFile is the file with the secret, which is read for each request.
	SecretFile string
}

// Options are what a sender works with. The functions are called for each outcome,
// since settings may change.
type Options struct {
	// Target returns the receiver; its URL is empty without one.
	Target func() Target
	// Host returns who the host is.
	Host func() Host
	Log  *zap.Logger
}

// Sender sends outcomes, one after the other.
type Sender struct {
	Options

	queue chan Event
	post  poster
}

// New returns a sender. It sends once it runs.
func New(o Options) *Sender {
	return &Sender{Options: o, queue: make(chan Event, maxQueue), post: newClient().post}
}

// Send has an outcome sent. It never waits: when too many outcomes wait already, it
// drops this one and logs that.
func (s *Sender) Send(entry api.HistoryEntry) {
	if s.Target().URL == "" {
		return
	}
	select {
	case s.queue <- newEvent(s.Host(), entry):
	default:
		s.Log.Warn("outcome not sent to the webhook: too many wait", zap.String("container", entry.Name), zap.Int("waiting", maxQueue))
	}
}

// Run sends outcomes until ctx ends. Those that wait then are not sent: dockhostctl
// history has them.
func (s *Sender) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-s.queue:
			s.deliver(ctx, event)
		}
	}
}

// deliver makes the request, and repeats it while that may help.
func (s *Sender) deliver(ctx context.Context, event Event) {
	log := s.Log.With(zap.String("container", event.Name), zap.String("event", event.ID))
	wait := backoff.Backoff{Next: firstWait, Cap: longestWait}
	for try := 1; ; try++ {
		target := s.Target()
		if target.URL == "" {
			return
		}
		err := s.post(ctx, target, event)
		if err == nil {
			log.Debug("outcome sent to the webhook")
			return
		}
		pause, passes := pauseAfter(err, wait.Step())
		if ctx.Err() != nil {
			return
		}
		if !passes || try == maxTries {
			log.Warn("outcome not sent to the webhook", zap.Error(err), zap.Int("tries", try))
			return
		}
		log.Debug("outcome not sent to the webhook yet", zap.Error(err), zap.Duration("next_try", pause))
		if backoff.Pause(ctx, pause) != nil {
			return
		}
	}
}
