package agent

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// agentUnit is the agent's own unit.
const agentUnit = "dockhost.service"

// bySystemctl is how the status names a stop that systemd was asked for.
const bySystemctl = "systemctl stop"

// stops notices that somebody has stopped the unit of a container, or has started one
// that was stopped. Its methods are called while no other containers are put in force.
type stops struct {
	dir     rundir.Dir
	store   *store
	systemd unitManager
	// begun are the containers that the agent is stopping for somebody.
	begun map[string]bool
	log   *zap.Logger
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
		name := current.Assignment.Containers[i].Name
		state, err := s.dir.State(name)
		if err != nil || s.begun[name] {
			continue // its supervisor has not run since boot
		}
		switch isStopped := current.isStopped(name); {
		case !isStopped && wasAsked(state) && s.byPerson(ctx, name, state):
			at := stopTime(state)
			draft.setStop(name, api.Stopped{At: at, By: bySystemctl})
			s.log.Info("somebody has stopped the container; it stays so until it is started", zap.String("container", name))
			changed = true
		case isStopped && !wasAsked(state) && state.Phase != "ended" && s.isUp(ctx, name):
			delete(draft.Stopped, name)
			s.log.Info("somebody has started the container, which was stopped", zap.String("container", name))
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return draft
}

// wasAsked reports whether systemd has asked a supervisor to stop. One of an older version
// says only that it stops.
func wasAsked(state rundir.State) bool {
	return !state.StopRequested.IsZero() || state.Phase == "stopping"
}

// stopTime returns when a supervisor was asked to stop.
func stopTime(state rundir.State) time.Time {
	if state.StopRequested.IsZero() {
		return state.Since
	}
	return state.StopRequested
}

// byPerson reports whether somebody has stopped the unit of a container, and not another
// unit, the system, or systemd by itself. In doubt nobody has.
func (s *stops) byPerson(ctx context.Context, name string, state rundir.State) bool {
	stop, err := s.systemd.AskStop(ctx, spec.UnitName(name), agentUnit)
	if err != nil {
		s.log.Warn("not known who has stopped the container", zap.String("container", name), zap.Error(err))
		return false
	}
	doubt := stop.Doubt(stopTime(state))
	if doubt != "" {
		s.log.Debug("the stop of the container does not last", zap.String("container", name), zap.String("why", doubt))
	}
	return doubt == ""
}

func (s *stops) isUp(ctx context.Context, name string) bool {
	unit, err := s.systemd.Unit(ctx, spec.UnitName(name))
	return err == nil && unit.Active()
}
