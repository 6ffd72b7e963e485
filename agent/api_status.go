package agent

import (
	"context"
	"net/http"
	"slices"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/spec"
)

// getStatus answers with the status of the host. Those who may only read share one, so
// that they cannot keep systemd and Docker busy.
func (s *server) getStatus(w http.ResponseWriter, r *http.Request) {
	if _, isPublic := w.(*publicReply); isPublic {
		s.send(w, http.StatusOK, s.public.get(r.Context(), s.hostStatus))
		return
	}
	s.send(w, http.StatusOK, s.hostStatus(r.Context()))
}

func (s *server) hostStatus(ctx context.Context) api.Status {
	answer := api.Status{
		Version: api.Version,
		Agent:   api.Agent{Reachable: true, Version: s.version},
		Docker:  s.status.Docker(ctx),
	}
	stored, containers, err := s.storedAndRunning(ctx)
	answer.Source = stored.source
	answer.Source.Waiting = s.fetcher.waiting()
	if !stored.known && answer.Source.Waiting == "" {
		answer.Source.Waiting = "the agent is starting"
	}
	answer.Source.Problems = append(answer.Source.Problems, stored.accepted.clashes()...)
	if err != nil {
		answer.Source.Problems = append(answer.Source.Problems, err.Error())
	}
	answer.Source.Problems = append(answer.Source.Problems, status.SettingsProblems(containers)...)
	answer.Source.Problems = append(answer.Source.Problems, s.outlets.problems()...)
	containers = slices.DeleteFunc(containers, func(c api.Container) bool { return s.besides.has(c.Name) })
	containers = s.withUnstarted(stored.accepted, containers)
	views := s.updates.views()
	for i := range containers {
		if view, hasMachine := views[containers[i].Name]; hasMachine {
			containers[i].Update = &view.Update
		}
		if containers[i].Origin == "" {
			containers[i].Origin = stored.accepted.origin(containers[i].Name)
		}
		containers[i].Stopped = stored.accepted.stop(containers[i].Name)
		if pending, isPending := stored.pending[containers[i].Name]; isPending {
			containers[i].Pending = &pending
		}
	}
	answer.Containers = append([]api.Container{}, containers...)
	if s.house.keeper != nil {
		house := s.house.keeper.Status()
		answer.Housekeeping = &house
	}
	status.Judge(&answer)
	return answer
}

// withUnstarted says of the containers in force which do not run what they wait for. It adds
// those of which the host has no trace yet.
func (s *server) withUnstarted(inForce *accepted, known []api.Container) []api.Container {
	if inForce == nil {
		return known
	}
	for i := range inForce.Assignment.Containers {
		c := &inForce.Assignment.Containers[i]
		at := slices.IndexFunc(known, func(k api.Container) bool { return k.Name == c.Name })
		if at < 0 {
			at = len(known)
			known = append(known, api.Container{Name: c.Name, Image: c.Image, Unit: spec.UnitName(c.Name), ActiveState: "inactive", SubState: "dead"})
		}
		if known[at].ActiveState == "inactive" {
			known[at].WaitsFor = s.waitsFor(c.Name)
		}
	}
	return known
}

// maxGathers is how often a status is gathered again because what is in force
// changed meanwhile.
const maxGathers = 3

// storedAndRunning returns what the store holds, and the containers of the host at
// that time. If a successor came in force while the containers were gathered, some
// of them are the old ones: the status would say that the successor is ready.
func (s *server) storedAndRunning(ctx context.Context) (stored snapshot, containers []api.Container, err error) {
	for range maxGathers {
		stored = s.store.snapshot()
		containers, err = s.status.Containers(ctx)
		if s.store.snapshot().accepted == stored.accepted {
			break
		}
	}
	return stored, containers, err
}
