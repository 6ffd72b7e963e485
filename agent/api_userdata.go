package agent

import (
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/cloudinit"
)

// getUserData answers with a description of the user data, and what it assigns.
func (s *server) getUserData(w http.ResponseWriter, _ *http.Request) {
	s.send(w, http.StatusOK, s.userData())
}

// postFetch has the user data fetched again, and then answers as getUserData does.
func (s *server) postFetch(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	select {
	case s.refetches <- done:
	case <-r.Context().Done():
		return
	}
	select {
	case <-done:
		s.send(w, http.StatusOK, s.userData())
	case <-r.Context().Done():
	}
}

// getRaw answers with the user data itself, which contains secrets.
func (s *server) getRaw(w http.ResponseWriter, _ *http.Request) {
	latest := s.fetcher.last()
	if latest.data == nil {
		s.refuse(w, http.StatusNotFound, errors.New("there is no user data (see: dockhostctl userdata)"))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	deadlineErr := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout))
	if _, err := w.Write(latest.data.Raw); errors.Join(deadlineErr, err) != nil {
		s.log.Debug("user data not sent", zap.Error(err))
	}
}

// userData describes the user data, without its content.
func (s *server) userData() api.UserData {
	stored, latest := s.store.snapshot(), s.fetcher.last()
	u := api.UserData{Source: stored.source, Parts: []api.Part{}, Containers: []string{}}
	u.Source.Waiting = s.fetcher.waiting()
	if !latest.at.IsZero() {
		u.FetchedAt = &latest.at
	}
	if stored.accepted != nil {
		for _, c := range stored.accepted.UserData.Containers {
			u.Containers = append(u.Containers, c.Name)
		}
	}
	if latest.data == nil {
		return u
	}
	u.How, u.Size = latest.data.How, len(latest.data.Raw)
	if section := latest.result.Section; section != nil {
		u.Parts = append(u.Parts, parts(section)...)
		u.Warnings = section.Warnings
	}
	if latest.wrong == nil {
		u.Warnings = latest.result.Warnings
	}
	return u
}

// parts describes the parts of user data.
func parts(section *cloudinit.Section) []api.Part {
	var parts []api.Part
	for _, part := range section.Parts {
		used := string(part.Outcome)
		if part.Why != "" {
			used += ": " + part.Why
		}
		parts = append(parts, api.Part{Name: part.Name, Type: part.Type, Size: part.Size, Used: used})
	}
	return parts
}
