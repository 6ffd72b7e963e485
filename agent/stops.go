package agent

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// agentUnit is the agent's own unit.
const agentUnit = "dockhost.service"

// bySystemctl is how the status names a stop that systemd was asked for.
const bySystemctl = "systemctl stop"

// stops notices that someone has stopped the unit of a container, or has started one
// that was stopped. Its methods are called while no other containers are put in force.
type stops struct {
	dir     rundir.Dir
	store   *store
	systemd unitManager
	// begun are the containers that the agent is stopping for someone.
	begun map[string]bool
	// watched has, by container, when the supervisor ended whose next start systemd delays.
	// Nobody writes that such a unit is stopped: it is watched, and look is called.
	watched map[string]time.Time
	look    func()
	// explained has, by container, when it was stopped for another reason than a person:
	// that is not asked again, as systemd may have forgotten it.
	explained map[string]time.Time
	// retires reports whether a unit stops because its container was not assigned.
	retires func(unit string) bool
	log     *zap.Logger
}

// notice returns what is accepted, with the stops and starts since the last call; nil
// without any. Only a supervisor that was asked to stop, or that runs what was stopped, is
// a reason to ask systemd.
func (s *stops) notice(ctx context.Context) *accepted {
	current := s.store.snapshot().accepted
	if current == nil {
		return nil
	}
	draft, changed := current.clone(), false
	for i := range current.Assignment.Containers {
		c := &current.Assignment.Containers[i]
		name := c.Name
		state, err := s.dir.State(name)
		if err != nil || s.begun[name] || s.retires(spec.UnitName(name)) {
			continue // its supervisor has not run since boot
		}
		switch isStopped := current.isStopped(name); {
		case !isStopped && (wasAsked(state) || s.isDelayed(ctx, name, state)) && !s.ofAnother(c, state) && s.byPerson(ctx, name, state):
			draft.setStop(name, api.Stopped{At: stopTime(state), By: bySystemctl})
			journal.Stopping.Say(s.log, "someone has stopped the container; it stays so until it is started", zap.String("container", name), zap.String("by", bySystemctl))
			changed = true
		case isStopped && stoppedAgain(current.Stopped[name], state):
			delete(draft.Stopped, name)
			if s.byPerson(ctx, name, state) {
				draft.setStop(name, api.Stopped{At: state.StopRequested, By: bySystemctl})
			}
			changed = true
		case isStopped && !wasAsked(state) && state.Phase != "ended" && s.isUp(ctx, name):
			delete(draft.Stopped, name)
			journal.Starting.Say(s.log, "someone has started the container, which was stopped", zap.String("container", name), zap.String("by", "systemctl start"))
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return draft
}

// stoppedAgain reports whether a container was stopped later than noted. So someone has
// started it meanwhile, and no agent has seen that. A stop by dockhostctl is noted before
// the supervisor is asked for it.
func stoppedAgain(noted stopped, state rundir.State) bool {
	return noted.By == bySystemctl && state.StopRequested.After(noted.At)
}

// ofAnother reports whether a supervisor was stopped before systemd was asked to run what is
// in force: the stop lasts for the declaration that it stopped. The agent may have put
// another one in force, and have been interrupted before the start.
func (s *stops) ofAnother(inForce *spec.Container, state rundir.State) bool {
	hash := inForce.Hash()
	if state.ConfigHash == hash {
		return false
	}
	declared, err := s.dir.Container(inForce.Name)
	if err != nil || declared.Hash() != hash {
		return true
	}
	at, err := s.dir.Declared(inForce.Name)
	return err == nil && notBefore(state).Before(at)
}

// wasAsked reports whether systemd has asked a supervisor to stop. One of an older version
// says only that it stops.
func wasAsked(state rundir.State) bool {
	return !state.StopRequested.IsZero() || state.Phase == "stopping"
}

// stopTime returns when a unit was stopped, as far as its supervisor knows.
func stopTime(state rundir.State) time.Time {
	switch {
	case !state.StopRequested.IsZero():
		return state.StopRequested
	case state.Phase == "stopping":
		return state.Since
	}
	return time.Now()
}

// notBefore returns a time at which, or after which, a unit was stopped.
func notBefore(state rundir.State) time.Time {
	if state.StopRequested.IsZero() {
		return state.Since
	}
	return state.StopRequested
}

// isDelayed reports whether a container has failed, so that systemd starts it again later,
// unless someone has stopped its unit meanwhile. While systemd waits, the unit is watched.
func (s *stops) isDelayed(ctx context.Context, name string, state rundir.State) bool {
	if state.Phase != "ended" || state.EndedForGood() || state.Restart == "no" {
		return false
	}
	if !s.watched[name].Equal(state.Since) {
		s.watched[name] = state.Since
		go s.watch(ctx, name)
	}
	return true
}

// watch calls look if someone stops a unit while systemd delays its next start.
func (s *stops) watch(ctx context.Context, name string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := s.systemd.Watch(ctx, spec.UnitName(name))
	for err == nil {
		var unit systemd.Unit
		unit, err = s.systemd.Unit(ctx, spec.UnitName(name))
		if err != nil || !strings.HasPrefix(unit.SubState, "auto-restart") {
			if !unit.Active() && ctx.Err() == nil {
				s.look()
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case _, open := <-changes:
			if !open {
				return // the next reconcile notices the stop
			}
		}
	}
}

// byPerson reports whether someone has stopped the unit of a container, and not another
// unit, the system, or systemd by itself. In doubt nobody has.
func (s *stops) byPerson(ctx context.Context, name string, state rundir.State) bool {
	if s.explained[name].Equal(state.StopRequested) && !state.StopRequested.IsZero() {
		return false
	}
	stop, err := s.systemd.AskStop(ctx, spec.UnitName(name), agentUnit)
	if err != nil {
		s.log.Warn("not known who has stopped the container", zap.String("container", name), zap.Error(err))
		return false
	}
	at := notBefore(state)
	doubt := stop.Doubt(at)
	if doubt != "" && wasAsked(state) {
		s.explained[name] = at
	}
	if doubt != "" {
		s.log.Debug("the stop of the container does not last", zap.String("container", name), zap.String("why", doubt))
	}
	return doubt == ""
}

func (s *stops) isUp(ctx context.Context, name string) bool {
	unit, err := s.systemd.Unit(ctx, spec.UnitName(name))
	return err == nil && unit.Active()
}
