package update

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/spec"
)

// lookAgain is how often the container is observed while it soaks, even without a
// change: systemd may have ended its supervisor before that could write its state.
const lookAgain = 30 * time.Second

// Machine makes the updates of one container. Its state is on the disk, so that it
// continues after any interruption: a container in force that is not the confirmed one
// soaks, and one that is being rolled back is rolled back.
type Machine struct {
	name  string
	host  Host
	files Files
	log   *zap.Logger
	// woken receives when the record has changed.
	woken chan struct{}

	mu     sync.Mutex
	record Record
	// shown is closed and replaced whenever what the machine does has changed.
	shown chan struct{}
	// attempt is the update that is being prepared, or waits; nil without one.
	attempt *Change
	step    Step
	// refusal is why the attempt failed last; "" during its first try.
	refusal string
	answer  Answer
	// blocked is why what is declared is not tried; nil if it is.
	blocked *Quarantined
	checks  checks

	// Only the goroutine of Run uses the following.

	// soak observes the container in force.
	soak *soak
	// retry is when the attempt is made again.
	retry retry
	// idle says that systemd may not have been asked to run the container in force.
	idle bool
	// rested says that the update has waited for someone to start the container.
	rested bool
	// replaced is the hash of the container that this process has put in force.
	replaced string
	// same is a digest of the image that runs, which Docker does not list.
	same string
	// inForce and confirmed remember the hashes of the last turn.
	inForce, confirmed hashed
	// now is when this turn began. What was due by then had its turn.
	now time.Time
	// requested is when the request was made that was seen last.
	requested time.Time
}

// retry is when something that failed, or has to wait, is tried again.
type retry struct {
	// of identifies what is tried.
	of    string
	tries backoff.Backoff
	at    time.Time
	cured <-chan struct{}
	done  func()
}

// New returns the machine of a container. It has done nothing yet.
func New(name string, host Host, files Files, log *zap.Logger) *Machine {
	m := &Machine{name: name, host: host, files: files, log: log.With(zap.String("container", name)), woken: make(chan struct{}, 1), shown: make(chan struct{})}
	record, err := files.Load(name)
	if err != nil {
		m.log.Warn("history and quarantine of the container are lost", zap.Error(err))
	}
	m.record = record
	return m
}

// Run makes updates until ctx ends. It may be called again afterwards.
func (m *Machine) Run(ctx context.Context) {
	defer func() { m.retry.stop() }()
	// The agent leaves the start of a container that has a successor to its machine.
	_, declared := m.host.InForce()
	m.idle = declared != nil
	if m.phase() == "" {
		m.host.EndBeside(ctx) // its stop may have been interrupted
	}
	for ctx.Err() == nil {
		m.turn(ctx)
	}
}

// turn makes one step: it ends when there may be something else to do.
func (m *Machine) turn(ctx context.Context) {
	m.now = time.Now()
	current, declared := m.host.InForce()
	if current == nil {
		m.await(ctx, time.Time{})
		return
	}
	m.settle(ctx, current)
	stopped := m.host.Stopped()
	switch phase := m.phase(); {
	case phase == PhaseRollingBack && !stopped:
		m.rollBack(ctx, current)
	case m.try(ctx, current, declared):
	case m.idle && !m.waits("start"):
		m.start(ctx)
	case phase != "" && stopped:
		m.rest(ctx)
	case phase == PhaseSoaking:
		m.observe(ctx, current)
	default:
		m.await(ctx, time.Time{})
	}
}

// settle compares the change on the disk with what is in force: the machine may have
// been interrupted between the two.
func (m *Machine) settle(ctx context.Context, inForce *spec.Container) {
	hash := m.inForce.of(inForce)
	r := m.read()
	isConfirmed := r.Confirmed != nil && m.confirmed.of(r.Confirmed.Container) == hash
	now := time.Now()
	switch c := r.Change; {
	case c != nil && c.Phase == PhaseRollingBack:
	case c != nil && c.To.Container.Hash() == hash:
		if c.Phase != PhaseSoaking {
			m.change(func(r *Record) { r.Change.enter(PhaseSoaking, "", now) })
		}
	case c != nil && isConfirmed: // it was not replaced
		m.host.EndBeside(ctx)
		m.change(func(r *Record) { r.Change = nil })
		m.host.Passed(m.host.Settings(inForce), false)
	case isConfirmed:
	default:
		m.change(func(r *Record) {
			if r.Change != nil {
				r.end(m.name, OutcomeSuperseded, "", now)
			}
			r.Change = firstStart(inForce, now)
		})
	}
}

// start has systemd run the container in force, while its successor waits.
func (m *Machine) start(ctx context.Context) {
	err := m.host.Ensure(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		m.log.Error("container in force not started", zap.Error(err))
		m.retry.set("start", err, m.host)
	default:
		m.idle = false
	}
}

func (m *Machine) phase() Phase {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.record.Change == nil {
		return ""
	}
	return m.record.Change.Phase
}

// await waits until the record or the assignment changes, the registry is to be asked,
// the attempt is to be made again, or a time has come; zero never comes.
func (m *Machine) await(ctx context.Context, until time.Time) {
	for _, at := range []time.Time{m.retry.at, m.nextCheck()} {
		if at.After(m.now) && (until.IsZero() || at.Before(until)) {
			until = at
		}
	}
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	var changes <-chan struct{}
	if m.phase() != "" {
		changes = m.host.Changes()
	}
	select {
	case <-ctx.Done():
	case <-m.woken:
		m.retry.at = time.Time{} // a hold may have ended
	case <-m.retry.cured:
		m.retry.at = time.Time{}
	case <-changes:
	case <-due:
	}
}

// Wake has the machine look at the assignment and its record again.
func (m *Machine) Wake() {
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

// read returns the record. Its parts are not modified afterwards.
func (m *Machine) read() Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.record
}

// change changes the record, saves it and shows it. What cannot be saved is in force all
// the same, until the agent ends.
func (m *Machine) change(f func(*Record)) {
	if err := m.tryChange(f); err != nil {
		m.log.Error("state of the update not saved", zap.Error(err))
	}
}

// tryChange is change, and returns why the record could not be saved.
func (m *Machine) tryChange(f func(*Record)) error {
	m.mu.Lock()
	next := m.record.clone()
	f(&next)
	m.record = next
	err := m.files.Save(m.name, next)
	m.mu.Unlock()
	m.show()
	return err
}

// set waits at least a while before the same thing is tried again. A time or a cure may
// end the wait earlier.
func (r *retry) set(of string, err error, host Host) {
	r.setAt(of, time.Now().Add(r.next(of)))
	if err != nil {
		r.cured, r.done = host.Cured(err)
	}
}

// setAt has the same thing tried again at a time.
func (r *retry) setAt(of string, at time.Time) {
	r.use(of)
	r.stopWatching()
	r.at = at
}

// next returns how long the next try of something waits, longer each time.
func (r *retry) next(of string) time.Duration {
	r.use(of)
	return r.tries.Step()
}

// use begins with the shortest wait if something was not tried last.
func (r *retry) use(of string) {
	if r.of != of {
		r.stop()
		r.of, r.tries = of, backoff.Backoff{Next: time.Second, Cap: 5 * time.Minute}
	}
}

func (r *retry) stopWatching() {
	if r.done != nil {
		r.done()
	}
	r.cured, r.done = nil, nil
}

func (r *retry) stop() {
	r.stopWatching()
	*r = retry{}
}

// waits reports whether the next try of something was still to come when the turn began.
func (m *Machine) waits(of string) bool { return m.retry.of == of && m.retry.at.After(m.now) }
