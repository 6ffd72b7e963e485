package agent

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// getEvents answers with the events since a time, the oldest first, and with follow=true
// also with those that follow, until the client goes away or does not read. changes=true
// leaves out those that changed nothing.
func (s *server) getEvents(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	since := time.Time{}
	if text := query.Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			s.refuse(w, http.StatusBadRequest, errors.New("since is not a time"))
			return
		}
	}
	past, next, stop := s.events.Follow(since)
	defer stop()
	if next == nil {
		s.refuse(w, http.StatusServiceUnavailable, errTooManyFollowers)
		return
	}
	updates, err := s.updateEvents(since)
	if err != nil && len(updates) == 0 && len(past) == 0 {
		s.refuse(w, http.StatusInternalServerError, err)
		return
	}
	past = append(past, updates...)
	slices.SortStableFunc(past, func(a, b api.Event) int { return a.At.Compare(b.At) })
	stream := eventStream{w: w, connection: http.NewResponseController(w), changes: query.Get("changes") == "true"}
	w.Header().Set("Content-Type", "application/x-ndjson")
	if stream.send(past...) != nil || query.Get("follow") != "true" {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case e, open := <-next:
			if !open || stream.send(e) != nil {
				return
			}
		}
	}
}

// errTooManyFollowers means that no more clients may follow.
var errTooManyFollowers = errors.New("too many clients follow the events (end some of: dockhostctl events --follow)")

// updateEvents returns the updates that have ended since a time.
func (s *server) updateEvents(since time.Time) ([]api.Event, error) {
	entries, err := s.updates.history("")
	var ended []api.Event
	for _, entry := range entries {
		if e, isUpdate := updateEvent(entry); isUpdate && !e.At.Before(since) {
			ended = append(ended, e)
		}
	}
	return ended, err
}

// eventStream sends events to a client.
type eventStream struct {
	w          http.ResponseWriter
	connection *http.ResponseController
	changes    bool
}

// send sends events. A client that does not read them in time gets no more.
func (s eventStream) send(all ...api.Event) error {
	if err := s.connection.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	encoder := json.NewEncoder(s.w)
	for _, e := range all {
		if s.changes && !e.IsChange() {
			continue
		}
		if err := encoder.Encode(visible(s.w, e)); err != nil {
			return err
		}
	}
	return s.connection.Flush()
}

// getAnalysis answers with how long the phases of the boot and of each start took.
func (s *server) getAnalysis(w http.ResponseWriter, _ *http.Request) {
	analysis, err := s.boot.analysis()
	if err != nil {
		s.refuse(w, http.StatusInternalServerError, err)
		return
	}
	s.send(w, http.StatusOK, analysis)
}
