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

// putContainer accepts a container that dockhostctl run declares.
func (s *server) putContainer(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	c, err := readDeclaration(r)
	if err == nil {
		err = checkLocal(name, c)
	}
	if err != nil {
		s.refuse(w, http.StatusBadRequest, err)
		return
	}
	normalize(c)
	accepted := api.Accepted{Unit: spec.UnitName(name), At: time.Now()}
	if err := s.request(r.Context(), change{name: name, container: c, by: userOf(r.Context())}); err != nil {
		s.refuseChange(w, err)
		return
	}
	s.send(w, http.StatusOK, accepted)
}

// deleteContainer stops and forgets a container that dockhostctl run declared. With
// volumes=true in the query it removes the container's volumes as well.
func (s *server) deleteContainer(w http.ResponseWriter, r *http.Request) {
	volumes := r.URL.Query().Get("volumes") == "true"
	if err := s.request(r.Context(), change{name: r.PathValue("name"), volumes: volumes, by: userOf(r.Context())}); err != nil {
		s.refuseChange(w, err)
		return
	}
	s.send(w, http.StatusOK, struct{}{})
}

// readDeclaration returns the container in the body. An error of the JSON decoder
// may quote the body, and with it a secret: only the name of a field is passed on.
func readDeclaration(r *http.Request) (*spec.Container, error) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var c spec.Container
	err := decoder.Decode(&c)
	if err == nil {
		return &c, nil
	}
	if _, field, isUnknown := strings.Cut(err.Error(), "unknown field "); isUnknown {
		return nil, fmt.Errorf("the agent does not know the field %s: it is older than dockhostctl (restart it with: systemctl restart dockhost)", field)
	}
	return nil, errors.New("the declaration is not the JSON of a container")
}

// request hands a change to the goroutine that reconciles, and waits until it was
// carried out. A ctx that ends withdraws it, unless it has begun.
func (s *server) request(ctx context.Context, c change) error {
	c.done = make(chan error, 1)
	select {
	case s.changes <- c:
	case <-ctx.Done():
		return fmt.Errorf("wait for another change: %w", context.Cause(ctx))
	}
	return <-c.done
}

func (s *server) refuseChange(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, context.Canceled):
		s.refuse(w, http.StatusServiceUnavailable, errors.New("the agent is being stopped"))
	case errors.Is(err, errDeclared):
		s.refuse(w, http.StatusConflict, err)
	case errors.Is(err, errNoContainer):
		s.refuse(w, http.StatusNotFound, err)
	default:
		s.log.Error("change not carried out", zap.Error(err))
		s.refuse(w, http.StatusInternalServerError, err)
	}
}
