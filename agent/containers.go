package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

const (
	// maxDeclaration bounds a declaration; one of docker run's flags has some
	// kilobytes.
	maxDeclaration = 1 << 20
	// readTimeout bounds the reading of a declaration. The server's own would end
	// the request, and with it the waiting for what was asked.
	readTimeout = 30 * time.Second
	// sendTimeout bounds the sending of one line to a client that does not read.
	sendTimeout = 10 * time.Second
)

// putContainer takes over a container that dockhostctl run declared.
func (a *Agent) putContainer(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	c, err := readDeclaration(w, r)
	if err == nil {
		err = checkLocal(name, c)
	}
	if err != nil {
		a.refuse(w, http.StatusBadRequest, err)
		return
	}
	normalize(c)
	accepted := api.Accepted{Unit: spec.UnitName(name), At: time.Now()}
	if err := a.request(r.Context(), change{name: name, container: c, by: peerOf(r.Context())}); err != nil {
		a.refuseChange(w, err)
		return
	}
	a.send(w, http.StatusOK, accepted)
}

// deleteContainer ends and forgets a container that dockhostctl run declared.
func (a *Agent) deleteContainer(w http.ResponseWriter, r *http.Request) {
	if err := a.request(r.Context(), change{name: r.PathValue("name"), by: peerOf(r.Context())}); err != nil {
		a.refuseChange(w, err)
		return
	}
	a.send(w, http.StatusOK, struct{}{})
}

// readDeclaration returns the container in the body. An error of the JSON may
// hold a part of it, and with it a secret: only the name of a field is passed
// on.
func readDeclaration(w http.ResponseWriter, r *http.Request) (*spec.Container, error) {
	connection := http.NewResponseController(w)
	if err := connection.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		return nil, err
	}
	defer connection.SetReadDeadline(time.Time{}) //nolint:errcheck // it was set just now
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDeclaration))
	decoder.DisallowUnknownFields()
	var c spec.Container
	err := decoder.Decode(&c)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return &c, nil
	case errors.As(err, &tooLarge):
		return nil, fmt.Errorf("the declaration is larger than %d bytes", maxDeclaration)
	}
	if _, field, found := strings.Cut(err.Error(), "unknown field "); found {
		return nil, fmt.Errorf("the agent does not know the field %s: it is older than dockhostctl (restart it with: systemctl restart dockhost)", field)
	}
	return nil, errors.New("the declaration is not the JSON of a container")
}

func (a *Agent) refuseChange(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, context.Canceled):
		a.refuse(w, http.StatusServiceUnavailable, errors.New("the agent is being stopped"))
	case errors.Is(err, errAssigned):
		a.refuse(w, http.StatusConflict, err)
	case errors.Is(err, errNoContainer):
		a.refuse(w, http.StatusNotFound, err)
	default:
		a.Log.Error("change not carried out", zap.Error(err))
		a.refuse(w, http.StatusInternalServerError, err)
	}
}

func (a *Agent) refuse(w http.ResponseWriter, code int, err error) {
	a.send(w, code, api.Refusal{Problems: problems(err)})
}

func (a *Agent) send(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.Log.Debug("answer not sent", zap.Error(err))
	}
}
