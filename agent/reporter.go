package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/housekeeping"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/internal/journal"
)

// reporter makes the line that `systemctl status dockhost` shows.
type reporter struct {
	notify  notifier
	engine  imageSource
	boot    *boot
	log     *zap.Logger
	store   *store
	fetcher *fetcher
	// keeper is nil without housekeeping.
	keeper *housekeeping.Keeper
	// also is called after each update; nil calls nothing.
	also func()

	mu sync.Mutex
	// dockerProblem says that Docker does not answer, "" when it does.
	dockerProblem string
}

// connect sets what the line reports. It must precede the first update.
func (r *reporter) connect(store *store, fetcher *fetcher, keeper *housekeeping.Keeper) {
	r.store, r.fetcher, r.keeper = store, fetcher, keeper
}

// update sends the line to systemd.
func (r *reporter) update() {
	r.notify.Status(r.line())
	if r.also != nil {
		r.also()
	}
}

// watchDocker reports that Docker does not answer, and ends once it does: from then
// on the supervisor of each container reports it.
func (r *reporter) watchDocker(ctx context.Context) {
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 10 * time.Second}
	for {
		err := r.engine.Ping(ctx)
		r.setDocker(err)
		if err == nil {
			r.boot.end(phaseDocker, "")
		}
		if err == nil || tries.Wait(ctx) != nil {
			return
		}
	}
}

func (r *reporter) setDocker(err error) {
	problem := ""
	if err != nil {
		problem = fmt.Sprintf("waiting for Docker at %s: %v", r.engine.Host(), err)
	}
	r.mu.Lock()
	changed := r.dockerProblem != problem
	r.dockerProblem = problem
	r.mu.Unlock()
	if !changed {
		return
	}
	if err != nil {
		journal.Problem.Say(r.log, "waiting for Docker", zap.String("host", r.engine.Host()), zap.Error(err))
	} else {
		journal.Solved.Log(r.log, zap.String("problem", "Docker did not answer"))
	}
	r.update()
}

// line returns what the host runs, and what is wrong.
func (r *reporter) line() string {
	r.mu.Lock()
	problem := r.dockerProblem
	r.mu.Unlock()
	if problem != "" {
		return problem
	}
	s := r.store.snapshot()
	counts := s.accepted.counts()
	clauses := []string{userDataClause(s.source, counts[api.OriginUserData], r.fetcher.waiting())}
	if files := counts[api.OriginFile]; files > 0 {
		clauses = append(clauses, fmt.Sprintf("%d declared in %s", files, filesDir))
	}
	if local := counts[api.OriginLocal]; local > 0 {
		clauses = append(clauses, fmt.Sprintf("%d declared by dockhostctl run", local))
	}
	clauses = append(clauses, s.accepted.clashes()...)
	if r.keeper != nil {
		if problem := r.keeper.Status().Problem; problem != "" {
			clauses = append(clauses, problem)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.pending)) {
		if p := s.pending[name]; p.Error != "" {
			clauses = append(clauses, name+" not updated: "+p.Error)
		}
	}
	return strings.Join(clauses, "; ")
}

// userDataClause is the part of the line about the user data. waiting describes
// the data that the agent waits for.
func userDataClause(source api.Source, containers int, waiting string) string {
	clause := fmt.Sprintf("%d containers assigned", containers)
	if containers == 1 {
		clause = "1 container assigned"
	}
	if waiting != "" {
		clause = waiting + "; " + clause
	}
	switch {
	case source.LastKnownGood:
		clause += ", last known good: " + source.Problems[0]
	case len(source.Problems) > 0:
		clause += ": " + source.Problems[0]
	case source.Datasource != "":
		clause += " by " + source.Datasource + ", instance " + source.InstanceID
	case waiting == "":
		clause += ", no user data"
	}
	return clause
}
