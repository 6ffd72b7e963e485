package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/update"
)

// pullStep is the shortest time between two lines about the bytes of a pull.
const pullStep = 100 * time.Millisecond

// postPull pulls what the reference of a container names now, and starts nothing: the
// next start is quicker. The pull ends with the connection.
func (s *server) postPull(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if _, ok := s.updateRequest(w, r, nil); !ok {
		return
	}
	c := s.store.container(name)
	if c == nil {
		s.refuse(w, http.StatusNotFound, fmt.Errorf("%w: %q (see: dockhostctl status)", errNoContainer, name))
		return
	}
	next := c.Unpinned()
	w.Header().Set("Content-Type", "application/x-ndjson")
	connection := http.NewResponseController(w)
	encoder := json.NewEncoder(w)
	var mu sync.Mutex
	var sent time.Time
	send := func(p api.PullProgress) {
		mu.Lock()
		defer mu.Unlock()
		if !p.Last() && time.Since(sent) < pullStep {
			return
		}
		sent = time.Now()
		if err := errors.Join(connection.SetWriteDeadline(time.Now().Add(sendTimeout)), encoder.Encode(visible(w, p)), connection.Flush()); err != nil {
			s.log.Debug("progress of a pull not sent", zap.Error(err))
		}
	}
	send(api.PullProgress{Doing: "pulling " + next.PullRef()})
	image, err := s.puller.pull(r.Context(), next, func(step update.Step) {
		send(api.PullProgress{Doing: step.Doing, Done: step.Done, Total: step.Total})
	})
	if err != nil {
		send(api.PullProgress{Error: err.Error()})
		return
	}
	last := api.PullProgress{Image: &api.Revision{Image: next.Image, Digest: image.Digest}}
	if state, err := s.dir.State(name); err == nil && state.Image != "" {
		last.From = &api.Revision{Image: state.Image, Digest: state.Digest}
	}
	s.log.Info("image pulled for someone", zap.String("container", name), zap.String("image", next.Image), zap.String("digest", image.Digest), zap.String("by", byPerson(userOf(r.Context()))))
	send(last)
}
