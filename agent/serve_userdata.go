package agent

import (
	"errors"
	"net/http"
	"slices"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/cloudinit"
)

// getUserData tells what user data was found, and what was made of it.
func (a *Agent) getUserData(w http.ResponseWriter, _ *http.Request) {
	a.send(w, http.StatusOK, a.userData())
}

// postFetch has the user data asked for anew, and tells what was found.
func (a *Agent) postFetch(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	select {
	case a.rereads <- done:
	case <-r.Context().Done():
		return
	}
	select {
	case <-done:
		a.send(w, http.StatusOK, a.userData())
	case <-r.Context().Done():
	}
}

// getRaw hands out the user data as it was found. It holds secrets.
func (a *Agent) getRaw(w http.ResponseWriter, r *http.Request) {
	if peerOf(r.Context()) != 0 {
		a.refuse(w, http.StatusForbidden, errors.New("user data holds secrets: it is shown to root alone (use sudo)"))
		return
	}
	f := a.lastFetch()
	if f.data == nil {
		a.refuse(w, http.StatusNotFound, errors.New("there is no user data (see: dockhostctl userdata)"))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := w.Write(f.data.Raw); err != nil {
		a.Log.Debug("user data not sent", zap.Error(err))
	}
}

// userData is what was found, without what stands in it.
func (a *Agent) userData() api.UserData {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := api.UserData{Source: a.sourceNow(), Parts: []api.Part{}, Containers: []string{}}
	f := a.fetched
	if !f.at.IsZero() {
		u.FetchedAt = &f.at
	}
	if a.kept != nil {
		for _, c := range a.kept.UserData.Containers {
			u.Containers = append(u.Containers, c.Name)
		}
	}
	if f.data == nil {
		return u
	}
	u.How, u.Size = f.data.How, len(f.data.Raw)
	if section := f.result.Section; section != nil {
		u.Parts = append(u.Parts, parts(section)...)
		u.Warnings = section.Warnings
	}
	if f.wrong == nil {
		u.Warnings = f.result.Warnings
	}
	return u
}

// parts are what is in user data.
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

// sourceNow is where the assignment comes from. The caller holds mu.
func (a *Agent) sourceNow() api.Source {
	source := a.source
	source.Problems = slices.Clone(source.Problems)
	source.Waiting = a.awaited
	if a.kept != nil && a.kept.Datasource != "" {
		at := a.kept.At
		source.AcceptedAt = &at
	}
	return source
}
