package agent

import (
	"context"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/systemd"
)

// verifier notices which units someone has stopped or started, and restarts those that run
// another declaration than the one in force. A
// supervisor may read its declaration just before the agent replaces it. What it has
// read is in the state that it writes.
type verifier struct {
	store    *store
	deployer *deployer
	wake     chan struct{}
	// corrected has, by container, the hash for which its unit was restarted and has
	// not run it since: a second restart would not help.
	corrected map[string]string
	log       *zap.Logger
}

func newVerifier(a *Agent) *verifier {
	return &verifier{store: a.store, deployer: a.deployer, wake: make(chan struct{}, 1), corrected: map[string]string{}, log: a.Log}
}

// wakeUp requests a verification.
func (v *verifier) wakeUp() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// run verifies on request until ctx ends.
func (v *verifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.wake:
		}
		v.deployer.lookAtStops(ctx)
		if err := v.verify(ctx); err != nil && ctx.Err() == nil {
			v.log.Warn("not known whether the containers run what is assigned", zap.Error(err))
		}
	}
}

// verify compares what runs with what is in force.
func (v *verifier) verify(ctx context.Context) error {
	return v.deployer.undisturbed(func() error {
		accepted := v.store.snapshot().accepted
		if accepted == nil {
			return nil
		}
		for i := range accepted.Assignment.Containers {
			c := withHash(&accepted.Assignment.Containers[i])
			state, err := v.deployer.units.dir.State(c.Name)
			if err != nil {
				continue // its supervisor is starting
			}
			if state.ConfigHash == c.hash {
				delete(v.corrected, c.Name)
				continue
			}
			if err := v.correct(ctx, c, state); err != nil {
				return err
			}
		}
		return nil
	})
}

// correct restarts a unit whose supervisor has read another declaration.
func (v *verifier) correct(ctx context.Context, c hashed, state rundir.State) error {
	unit, err := v.deployer.units.unit(ctx, c)
	if err != nil || !runs(unit, state) || v.corrected[c.Name] == c.hash {
		return err
	}
	v.log.Warn("container does not run what is assigned", zap.String("container", c.Name), zap.String("image", state.Image))
	v.corrected[c.Name] = c.hash
	return v.deployer.units.apply(ctx, c)
}

// runs reports whether the supervisor that wrote the state runs, and systemd was not
// asked to stop or restart it. While a unit starts, it has a job in any case.
func runs(unit systemd.Unit, state rundir.State) bool {
	switch unit.ActiveState {
	case "active", "reloading":
		return !unit.Job
	case "activating":
		return !strings.HasPrefix(unit.SubState, "auto-restart") && !precedes(state, unit)
	}
	return false
}

// precedes reports whether a state was written before the unit began to start, by the
// supervisor before.
func precedes(state rundir.State, unit systemd.Unit) bool {
	return unit.ActiveState == "activating" && state.Since.Before(unit.Since)
}
