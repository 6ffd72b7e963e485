package enginetest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// emit sends an event to all listeners. The caller holds the lock.
func (s *Server) emit(b *box, action events.Action, attributes ...string) {
	m := events.Message{Type: events.ContainerEventType, Action: action, Actor: events.Actor{ID: b.id, Attributes: map[string]string{"name": b.name, "image": b.config.Image}}}
	m.TimeNano = time.Now().UnixNano()
	for i := 0; i+1 < len(attributes); i += 2 {
		m.Actor.Attributes[attributes[i]] = attributes[i+1]
	}
	s.tell(m)
}

// reloaded says that the server has read its configuration again. The caller holds the lock.
func (s *Server) reloaded() {
	s.tell(events.Message{Type: events.DaemonEventType, Action: events.ActionReload})
}

// tell sends an event to those who want it. The caller holds the lock.
func (s *Server) tell(m events.Message) {
	for listener, wants := range s.watchers {
		if wants(m) {
			listener <- m
		}
	}
}

func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	wanted, err := filters.FromJSON(r.URL.Query().Get("filters"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	listener := make(chan events.Message, 1024) // more than any test causes
	s.mu.Lock()
	s.watchers[listener] = func(m events.Message) bool {
		return wanted.ExactMatch("type", string(m.Type)) && matchEvent(wanted, string(m.Action)) &&
			(wanted.ExactMatch("container", m.Actor.ID) || wanted.ExactMatch("container", m.Actor.Attributes["name"]))
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, listener)
	}()
	flush(w)
	out := json.NewEncoder(w)
	for {
		select {
		case m := <-listener:
			_ = out.Encode(m)
			flush(w)
		case <-r.Context().Done():
			return
		}
	}
}

// matchEvent matches an action. As in moby's daemon/events/filter.go, health_status
// matches as a prefix, any other filter the whole word.
func matchEvent(wanted filters.Args, action string) bool {
	if wanted.ExactMatch("event", "health_status") {
		return wanted.FuzzyMatch("event", action)
	}
	return wanted.ExactMatch("event", action)
}
