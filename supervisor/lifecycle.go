package supervisor

import (
	"fmt"
	"slices"
)

// phase is a state of a container's life under its supervisor. The diagram is
// in docs/architecture.md.
type phase string

const (
	// phaseWaiting: Docker Engine does not answer yet.
	phaseWaiting phase = "waiting"
	// phasePulling: the image is looked up, and pulled where the policy asks for
	// it.
	phasePulling phase = "pulling"
	// phaseCreating: the Engine creates the container; it has no process yet.
	phaseCreating phase = "creating"
	// phaseStarting: the placement is written and the process is being started.
	phaseStarting phase = "starting"
	// phaseUnready: the container runs in its unit and is not ready yet.
	phaseUnready phase = "unready"
	// phaseRunning: the container is ready, and systemd knows it.
	phaseRunning phase = "running"
	// phaseStopping: the container was asked to stop.
	phaseStopping phase = "stopping"
	// phaseEnded: there is no container any more.
	phaseEnded phase = "ended"
)

// event is something that happens in a container's life.
type event string

const (
	// eventEngineAnswered: Docker Engine takes requests.
	eventEngineAnswered event = "engineAnswered"
	// eventPulled: the host has the image.
	eventPulled event = "pulled"
	// eventCreated: the container exists and its placement is written.
	eventCreated event = "created"
	// eventStarted: the container runs, in its unit.
	eventStarted event = "started"
	// eventReady: the container is ready, by the rule of its notify mode.
	eventReady event = "ready"
	// eventRestarted: an operator restarted the container through Docker. It has
	// to become ready again.
	eventRestarted event = "restarted"
	// eventStopRequested: systemd or an operator asks for a stop.
	eventStopRequested event = "stopRequested"
	// eventExited: there is no container any more, or none could be created.
	eventExited event = "exited"
)

// unchanged stands for the phase where an event changes nothing.
const unchanged = ""

// rule says that an event may happen in some phases, and which phase follows.
type rule struct {
	event event
	in    []phase
	to    phase
}

// rules returns the state machine. An event in a phase without a rule is out of
// order. test/docs compares the rules that change the phase with the table in
// docs/architecture.md.
func rules() []rule {
	return []rule{
		{eventEngineAnswered, []phase{phaseWaiting}, phasePulling},
		{eventPulled, []phase{phasePulling}, phaseCreating},
		{eventCreated, []phase{phaseCreating}, phaseStarting},
		{eventStarted, []phase{phaseStarting}, phaseUnready},
		{eventReady, []phase{phaseUnready}, phaseRunning},
		{eventReady, []phase{phaseRunning, phaseStopping, phaseEnded}, unchanged},
		{eventRestarted, []phase{phaseRunning}, phaseUnready},
		{eventRestarted, []phase{phaseUnready}, unchanged},
		{eventStopRequested, []phase{phaseWaiting, phasePulling, phaseCreating, phaseStarting, phaseUnready, phaseRunning}, phaseStopping},
		{eventStopRequested, []phase{phaseStopping, phaseEnded}, unchanged},
		{eventExited, []phase{phaseWaiting, phasePulling, phaseCreating, phaseStarting, phaseUnready, phaseRunning, phaseStopping}, phaseEnded},
		{eventExited, []phase{phaseEnded}, unchanged},
	}
}

// lifecycle keeps the phase of one container. Only the goroutine of
// [Supervisor.Run] uses it.
type lifecycle struct {
	phase phase
	// changed is called after each change of the phase.
	changed func(from, to phase)
	// fault is the first event that was out of order: a mistake in this package.
	// The supervisor then stops the container and fails.
	fault error
}

// send applies the rule for an event. An event out of order changes nothing and
// is kept as the fault.
func (l *lifecycle) send(e event) {
	for _, rule := range rules() {
		if rule.event != e || !slices.Contains(rule.in, l.phase) {
			continue
		}
		if rule.to != unchanged {
			from := l.phase
			l.phase = rule.to
			l.changed(from, rule.to)
		}
		return
	}
	if l.fault == nil {
		l.fault = fmt.Errorf("internal error in the supervisor: event %q in phase %q", e, l.phase)
	}
}
