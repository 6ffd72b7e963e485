package supervisor

import "fmt"

// phase is a state of a container's life under its supervisor. The diagram is
// in docs/architecture.md.
type phase string

const (
	// phaseWaiting: the Engine does not answer yet.
	phaseWaiting phase = "waiting"
	// phasePulling: the image is looked for, and fetched where it must be.
	phasePulling phase = "pulling"
	// phaseCreating: the Engine makes the container; it has no process yet.
	phaseCreating phase = "creating"
	// phaseStarting: the container is placed and its process is started.
	phaseStarting phase = "starting"
	// phaseUnready: the container runs in its place and is not ready yet.
	phaseUnready phase = "unready"
	// phaseRunning: the container is ready, and systemd was told so.
	phaseRunning phase = "running"
	// phaseStopping: the container was asked to end.
	phaseStopping phase = "stopping"
	// phaseEnded: there is no container any more.
	phaseEnded phase = "ended"
)

// lifecycle is the state machine of one container's life: one method for each
// event, each a switch over all phases. It does nothing but keep the phase;
// changed is told of each transition.
type lifecycle struct {
	phase   phase
	changed func(from, to phase)
}

func newLifecycle(changed func(from, to phase)) *lifecycle {
	return &lifecycle{phase: phaseWaiting, changed: changed}
}

// engineAnswered: Docker Engine takes requests.
func (l *lifecycle) engineAnswered() {
	switch l.phase {
	case phaseWaiting:
		l.transition(phasePulling)
	case phasePulling, phaseCreating, phaseStarting, phaseUnready, phaseRunning, phaseStopping, phaseEnded:
		l.unexpected("engineAnswered")
	}
}

// pulled: the image is there.
func (l *lifecycle) pulled() {
	switch l.phase {
	case phasePulling:
		l.transition(phaseCreating)
	case phaseWaiting, phaseCreating, phaseStarting, phaseUnready, phaseRunning, phaseStopping, phaseEnded:
		l.unexpected("pulled")
	}
}

// created: the container exists and its place is known to dockhost-runtime.
func (l *lifecycle) created() {
	switch l.phase {
	case phaseCreating:
		l.transition(phaseStarting)
	case phaseWaiting, phasePulling, phaseStarting, phaseUnready, phaseRunning, phaseStopping, phaseEnded:
		l.unexpected("created")
	}
}

// started: the container runs, in its place.
func (l *lifecycle) started() {
	switch l.phase {
	case phaseStarting:
		l.transition(phaseUnready)
	case phaseWaiting, phasePulling, phaseCreating, phaseUnready, phaseRunning, phaseStopping, phaseEnded:
		l.unexpected("started")
	}
}

// ready: the container is ready as its notify mode has it. Readiness that
// comes again, or too late, changes nothing.
func (l *lifecycle) ready() {
	switch l.phase {
	case phaseUnready:
		l.transition(phaseRunning)
	case phaseRunning, phaseStopping, phaseEnded:
	case phaseWaiting, phasePulling, phaseCreating, phaseStarting:
		l.unexpected("ready")
	}
}

// restarted: Docker has ended the container and started it again, as an
// operator asked it to. It has to become ready anew.
func (l *lifecycle) restarted() {
	switch l.phase {
	case phaseRunning:
		l.transition(phaseUnready)
	case phaseUnready:
	case phaseWaiting, phasePulling, phaseCreating, phaseStarting, phaseStopping, phaseEnded:
		l.unexpected("restarted")
	}
}

// stopRequested: systemd asks the supervisor to end.
func (l *lifecycle) stopRequested() {
	switch l.phase {
	case phaseWaiting, phasePulling, phaseCreating, phaseStarting, phaseUnready, phaseRunning:
		l.transition(phaseStopping)
	case phaseStopping, phaseEnded:
	}
}

// exited: there is no container any more, for whatever reason, also because
// one could not be made.
func (l *lifecycle) exited() {
	switch l.phase {
	case phaseWaiting, phasePulling, phaseCreating, phaseStarting, phaseUnready, phaseRunning, phaseStopping:
		l.transition(phaseEnded)
	case phaseEnded:
	}
}

func (l *lifecycle) transition(to phase) {
	from := l.phase
	l.phase = to
	l.changed(from, to)
}

// unexpected ends a program whose steps are out of order: that is a mistake
// in this package.
func (l *lifecycle) unexpected(event string) {
	panic(fmt.Sprintf("supervisor: event %s in phase %s", event, l.phase))
}
