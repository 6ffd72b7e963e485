package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/spec"
)

// getHistory answers with the updates that have ended.
func (s *server) getHistory(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if name != "" {
		if err := spec.CheckName(name); err != nil {
			s.refuse(w, http.StatusBadRequest, err)
			return
		}
	}
	entries, err := s.updates.history(name)
	if err != nil && len(entries) == 0 {
		s.refuse(w, http.StatusInternalServerError, err)
		return
	}
	s.send(w, http.StatusOK, entries)
}

// postUpdate asks for an update of a container, postRollback for its revision before.
func (s *server) postUpdate(w http.ResponseWriter, r *http.Request)   { s.ask(w, r, false) }
func (s *server) postRollback(w http.ResponseWriter, r *http.Request) { s.ask(w, r, true) }

func (s *server) ask(w http.ResponseWriter, r *http.Request, rollback bool) {
	var request api.UpdateRequest
	m, ok := s.updateRequest(w, r, &request)
	if !ok {
		return
	}
	if name := r.PathValue("name"); !request.Check && s.store.stop(name) != nil {
		s.refuse(w, http.StatusConflict, fmt.Errorf("%s is stopped, so it is not replaced (start it first: dockhostctl start %s)", name, name))
		return
	}
	now := time.Now()
	if err := m.Ask(update.Request{UpdateRequest: request, Rollback: rollback, By: userOf(r.Context()), At: now}); err != nil {
		s.refuse(w, http.StatusInternalServerError, err)
		return
	}
	s.send(w, http.StatusOK, api.UpdateStarted{At: now})
}

// putHold holds a container as it is, deleteHold ends that.
func (s *server) putHold(w http.ResponseWriter, r *http.Request) {
	var request api.HoldRequest
	m, ok := s.updateRequest(w, r, &request)
	if !ok {
		return
	}
	if request.Until != nil && !request.Until.After(time.Now()) {
		s.refuse(w, http.StatusBadRequest, errors.New("the time until which to hold is past"))
		return
	}
	s.answerHold(w, m.Hold(userOf(r.Context()), request.Until))
}

func (s *server) deleteHold(w http.ResponseWriter, r *http.Request) {
	m, ok := s.updateRequest(w, r, nil)
	if ok {
		s.answerHold(w, m.Unhold())
	}
}

func (s *server) answerHold(w http.ResponseWriter, err error) {
	if err != nil {
		s.refuse(w, http.StatusInternalServerError, err)
		return
	}
	s.send(w, http.StatusOK, struct{}{})
}

// updateRequest returns the machine that a request is for, and reads its body. Not ok,
// the request was refused.
func (s *server) updateRequest(w http.ResponseWriter, r *http.Request, body any) (m *update.Machine, ok bool) {
	if body != nil {
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(body); err != nil && !errors.Is(err, io.EOF) {
			s.refuse(w, http.StatusBadRequest, errors.New("not the JSON of such a request (is the agent older than dockhostctl? then run: systemctl restart dockhost)"))
			return nil, false
		}
	}
	m, err := s.updates.machine(r.PathValue("name"))
	if errors.Is(err, errStarting) {
		s.refuse(w, http.StatusServiceUnavailable, err)
		return nil, false
	}
	if err != nil {
		s.refuse(w, http.StatusNotFound, err)
		return nil, false
	}
	return m, true
}

// userOf returns the name of the user who made a request, or the uid.
func userOf(ctx context.Context) string { return userName(peerOf(ctx)) }

// getUpdate sends each step of an update until its outcome, if that is later than the
// time in the request. The answer ends early when the agent ends.
func (s *server) getUpdate(w http.ResponseWriter, r *http.Request) {
	since, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since"))
	if err != nil {
		s.refuse(w, http.StatusBadRequest, errors.New("since is not a time"))
		return
	}
	m, ok := s.updateRequest(w, r, nil)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	connection := http.NewResponseController(w)
	encoder := json.NewEncoder(w)
	var sent *api.UpdateProgress
	for {
		changed := m.NextChange()
		p := updateProgress(m.View(), since)
		if sent == nil || !reflect.DeepEqual(*sent, p) {
			sent = &p
			if errors.Join(connection.SetWriteDeadline(time.Now().Add(sendTimeout)), encoder.Encode(visible(w, p)), connection.Flush()) != nil || p.Last() {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}

// updateProgress returns the progress of what was asked for at a time.
func updateProgress(v update.View, since time.Time) api.UpdateProgress {
	p := api.UpdateProgress{Phase: v.State, Doing: v.State, Done: v.Done, Total: v.Total, To: v.To}
	if v.Why != "" {
		p.Doing += ": " + v.Why
	}
	if v.Pending != nil && v.Pending.Doing != update.DoingQuarantined && v.State != string(update.PhaseWaiting) {
		p.Doing = v.Pending.Doing
	}
	isRunning := !v.Requested.IsZero() || v.Busy
	switch {
	case v.Answer.At.After(since):
		p.Outcome, p.Why, p.To = string(v.Answer.Outcome), v.Answer.Why, v.Answer.To
	case !isRunning && v.Ended != nil && v.Ended.At.After(since):
		p.Outcome, p.Why, p.To = string(v.Ended.Outcome), v.Ended.Why, v.Ended.To
	}
	if p.Outcome != "" {
		p.Phase, p.Doing = "", ""
	}
	return p
}
