package agent

import (
	"context"
	"net/http"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/status"
)

// getStatus answers with the status of the host.
func (s *server) getStatus(w http.ResponseWriter, r *http.Request) {
	s.send(w, http.StatusOK, s.hostStatus(r.Context()))
}

func (s *server) hostStatus(ctx context.Context) api.Status {
	answer := api.Status{
		Version: api.Version,
		Agent:   api.Agent{Reachable: true, Version: s.version},
		Docker:  s.status.Docker(ctx),
	}
	containers, err := s.status.Containers(ctx)
	stored := s.store.snapshot()
	answer.Source = stored.source
	answer.Source.Waiting = s.fetcher.waiting()
	answer.Source.Problems = append(answer.Source.Problems, stored.accepted.clashes()...)
	if err != nil {
		answer.Source.Problems = append(answer.Source.Problems, err.Error())
	}
	for i := range containers {
		containers[i].Origin = stored.accepted.origin(containers[i].Name)
		if pending, isPending := stored.pending[containers[i].Name]; isPending {
			containers[i].Pending = &pending
		}
	}
	answer.Containers = append([]api.Container{}, containers...)
	if s.house.keeper != nil {
		house := s.house.keeper.Status()
		answer.Housekeeping = &house
	}
	answer.Well = status.Well(answer)
	return answer
}
