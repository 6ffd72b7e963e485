package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/docker/go-units"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/events"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
)

// eventKeeper keeps the events of containers, which their supervisors write to the journal
// alone. It learns them from the states that supervisors write. What happened while no
// agent ran is kept by the next one, as far as the last state tells it.
type eventKeeper struct {
	dir    rundir.Dir
	events *events.Store
	wake   chan struct{}
	// pulled is called for each pull of a supervisor.
	pulled func(bytes int64, took time.Duration)
	// latest has the last event of each kind, by container.
	latest map[string]map[journal.Name]api.Event
}

func newEventKeeper(dir rundir.Dir, kept *events.Store) *eventKeeper {
	return &eventKeeper{dir: dir, events: kept, wake: make(chan struct{}, 1), pulled: func(int64, time.Duration) {}, latest: map[string]map[journal.Name]api.Event{}}
}

// look has the states read again at the states.
func (k *eventKeeper) look() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run keeps events until ctx ends.
func (k *eventKeeper) run(ctx context.Context) {
	for _, e := range k.events.Since(time.Time{}) {
		k.note(e)
	}
	for {
		k.read()
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		}
	}
}

// observe keeps what is new in the states.
func (k *eventKeeper) read() {
	names, err := k.dir.Containers()
	if err != nil {
		return // the next change of a state tries it again
	}
	maps.DeleteFunc(k.latest, func(name string, _ map[journal.Name]api.Event) bool { return !slices.Contains(names, name) })
	for _, name := range names {
		state, err := k.dir.State(name)
		if err != nil {
			continue // its supervisor has not begun
		}
		for _, e := range append(stateEvents(name, state), k.healthEvents(name, state)...) {
			if last, known := k.latest[name][journal.Name(e.Event)]; !known || e.At.After(last.At) {
				k.note(e)
				k.events.Add(e)
				if e.Event == string(journal.PullDone) {
					k.pulled(state.Pull.Bytes, state.Pull.Ended-state.Pull.Began)
				}
			}
		}
	}
}

func (k *eventKeeper) note(e api.Event) {
	if k.latest[e.Container] == nil {
		k.latest[e.Container] = map[journal.Name]api.Event{}
	}
	k.latest[e.Container][journal.Name(e.Event)] = e
}

// stateEvents returns the events that a state tells of.
func stateEvents(name string, s rundir.State) []api.Event {
	var found []api.Event
	add := func(at time.Time, kind journal.Name, text string) {
		found = append(found, api.Event{At: at, Event: string(kind), Container: name, Text: text})
	}
	if s.Pull != nil && s.Pull.Ended != 0 {
		add(s.Pull.At, journal.PullDone, fmt.Sprintf("%s, %s in %.1f s", s.Image, units.HumanSize(float64(s.Pull.Bytes)), (s.Pull.Ended-s.Pull.Began).Seconds()))
	}
	switch {
	case s.Phase == "running" && s.Ready:
		add(s.Since, journal.Ready, s.Image)
	case s.Phase == "ended" && s.LastError != nil:
		add(s.Since, journal.Failed, s.LastError.Message)
	case s.Phase == "ended" && s.Stopped():
		add(s.Since, journal.Stopped, "")
	case s.Phase == "ended":
		add(s.Since, journal.Exited, "")
	case s.LastError != nil:
		add(s.LastError.At, journal.Problem, s.LastError.Message)
	}
	return found
}

// healthEvents returns the change of a container's health. A state does not tell when it
// changed.
func (k *eventKeeper) healthEvents(name string, s rundir.State) []api.Event {
	ill, wasIll := k.latest[name][journal.Unhealthy]
	well := k.latest[name][journal.Healthy]
	isIll := wasIll && ill.At.After(well.At)
	switch {
	case s.Health == "unhealthy" && !isIll:
		return []api.Event{{At: time.Now(), Event: string(journal.Unhealthy), Container: name}}
	case s.Health == "healthy" && isIll:
		return []api.Event{{At: time.Now(), Event: string(journal.Healthy), Container: name}}
	}
	return nil
}
