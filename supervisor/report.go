package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// unhealthy is Docker's word for a container whose health check fails.
const unhealthy = container.Unhealthy

// timeoutLag is how much earlier systemd's start timeout may end than readyBy:
// systemd began to count earlier.
const timeoutLag = time.Second

// notifier sends systemd the state of the service (sd_notify(3)). Its methods
// may be called by several goroutines at a time.
type notifier interface {
	Ready(status string)
	// HandOver says READY=1 and names another main process.
	HandOver(pid int, status string)
	Status(status string)
	Stopping(status string)
	Reloading(status string)
	ExtendTimeout(d time.Duration)
	Watchdog()
	// Pass sends assignments of the container as they are.
	Pass(assignments ...string)
}

// reporter tells systemd and the state file in the run directory about the
// container. All but notify belongs to the goroutine of [Supervisor.Run].
type reporter struct {
	container *spec.Container
	dir       rundir.Dir
	notify    notifier
	log       *zap.Logger
	// subject is what the entries of log say about the container.
	subject   *journal.Subject
	life      *lifecycle
	state     rundir.State
	condition condition
	// readiness is set before the container is created.
	readiness readiness
	// becameReady is closed when the container has become ready.
	becameReady chan struct{}
	// pid is the container's first process, once it runs.
	pid int
	// readyBy is when systemd's start timeout ends; zero where it has no limit.
	readyBy time.Time
	// stop is closed when systemd asks for a stop, at stopAt; nil before the supervisor runs.
	stop   <-chan struct{}
	stopAt func() time.Time
}

// condition is what is wrong with a container that runs.
type condition struct {
	// ill is why the watchdog is not fed; nil while the container is well or the
	// unit has no watchdog.
	ill error
	// watchdog is how long systemd waits before it ends an ill container.
	watchdog time.Duration
	// reloadFailed says that the last reload failed.
	reloadFailed bool
	// check is how the last health check failed; nil if it passed, or nothing failed yet.
	check *checkup
}

// newReporter returns a reporter with the lifecycle that it reports about.
func newReporter(o Options) *reporter {
	r := &reporter{
		container: o.Container, dir: o.Dir, notify: o.Notify, log: o.Log, subject: cmp.Or(o.Subject, &journal.Subject{}),
		condition: condition{watchdog: o.Watchdog}, becameReady: make(chan struct{}),
	}
	if o.Container.Notify == spec.NotifyOff {
		r.notify = silence{}
	}
	r.life = &lifecycle{phase: phaseWaiting, changed: r.phaseChanged}
	return r
}

// begin writes the first state. The error of the last run stays in it until the
// container is ready.
func (r *reporter) begin() {
	r.state = rundir.State{
		ConfigHash: r.container.Hash(), Image: r.container.Image, Restart: r.container.Restart,
	}
	r.state.Enter(string(r.life.phase), time.Now())
	r.subject.Set(func(a *journal.About) { a.Phase = r.state.Phase })
	if before, err := r.dir.State(r.container.Name); err == nil {
		r.state.LastError, r.state.OOMKillsBefore = before.LastError, before.OOMKillsBefore+before.OOMKills
	}
	r.save()
}

// phaseChanged writes each change of the phase to the journal and the state
// file, and sends it to systemd.
func (r *reporter) phaseChanged(from, to phase) {
	r.log.Debug("phase changed", zap.String("from", string(from)), zap.String("to", string(to)))
	r.state.Enter(string(to), time.Now())
	r.subject.Set(func(a *journal.About) { a.Phase, a.ID = string(to), r.state.ContainerID })
	r.state.Ready = to == phaseRunning
	r.noteStop()
	if to == phaseUnready && r.container.Notify.AtOnce() {
		return // it is ready within microseconds
	}
	solved := r.state.LastError
	if to == phaseRunning && !r.state.Cached {
		r.state.LastError = nil
	}
	r.save() // first: a program that reacts to systemd reads the rest in the file
	switch to {
	case phaseRunning:
		r.ready()
		if solved != nil && r.state.LastError == nil {
			journal.Solved.Log(r.log, zap.String("problem", firstLine(solved.Message)))
		}
	case phaseStopping:
		r.notify.Stopping("stopping " + r.container.Image)
	case phaseUnready:
		r.notify.Status(r.status())
	case phaseCreating, phaseStarting:
		r.notify.Status(string(to) + " " + r.container.Image)
	case phaseWaiting, phasePulling, phaseEnded:
	}
}

// noteStop records when systemd asked for a stop, which may be long before the phase
// changes: the agent tells by it a unit that someone has stopped from a container that has
// ended, or that was stopped together with the agent.
func (r *reporter) noteStop() {
	select {
	case <-r.stop:
		if r.state.StopRequested.IsZero() {
			r.state.StopRequested = r.stopAt()
		}
	default:
	}
}

// ready tells systemd that the container is ready. A container that detaches
// becomes systemd's own main process.
func (r *reporter) ready() {
	select {
	case <-r.becameReady: // and was restarted since
	default:
		close(r.becameReady)
	}
	if detaches(r.container) {
		r.notify.HandOver(r.pid, r.status())
		r.log.Warn("leaving the container to systemd, which will not learn its exit status", zap.Int("pid", r.pid))
	} else {
		r.notify.Ready(r.status())
	}
	fields := []zap.Field{zap.String("image", r.container.Image)}
	if r.state.Digest != "" {
		fields = append(fields, zap.String("digest", r.state.Digest))
	}
	journal.Ready.Log(r.log, append(fields, zap.Duration("took", r.state.Took().Round(time.Millisecond)))...)
}

// allowReadiness extends the start timeout by the unit's whole start timeout,
// however long the pull before took.
func (r *reporter) allowReadiness(ctx context.Context, u *unit) {
	if properties, err := u.read(ctx); err == nil && properties.TimeoutStart > 0 {
		r.notify.ExtendTimeout(properties.TimeoutStart)
		r.readyBy = time.Now().Add(properties.TimeoutStart)
	}
}

// noteStartTimeout records what the container waited for, if systemd stops it
// because it did not become ready in time.
func (r *reporter) noteStartTimeout() {
	if r.life.phase == phaseUnready && !r.readyBy.IsZero() && time.Until(r.readyBy) < timeoutLag {
		r.trouble("container was not ready in time",
			fmt.Errorf("not ready within the unit's start timeout, waiting for %s", r.readiness.waitsFor()))
	}
}

// status is the sentence that `systemctl status` shows of a running container.
func (r *reporter) status() string {
	if r.life.phase == phaseUnready {
		return "running, waiting for " + r.readiness.waitsFor()
	}
	status := "running " + r.container.Image
	if r.state.Cached {
		status += " (cached: the registry could not be asked)"
	}
	switch {
	case r.condition.ill != nil:
		status += fmt.Sprintf(", but %v: systemd ends it after %s without a sign of life", r.condition.ill, r.condition.watchdog)
	case r.condition.reloadFailed && r.state.LastError != nil:
		status += ", but could not " + firstLine(r.state.LastError.Message)
	}
	if r.state.OOMKills > 0 {
		status += fmt.Sprintf(", but out of memory (the kernel has killed %d of its processes)", r.state.OOMKills)
	}
	if r.state.GPU != "" {
		status += ", but it lost a GPU: " + r.state.GPU
	}
	if text := r.readiness.says(); text != "" {
		status += ": " + text
	}
	if r.state.Health == unhealthy && r.condition.check != nil {
		status += ", unhealthy: " + r.condition.check.String()
	}
	return status
}

// showUnready shows what an unready container waits for.
func (r *reporter) showUnready() {
	if r.life.phase == phaseUnready {
		r.notify.Status(r.status())
	}
}

// showRunning shows the status of a container that is ready.
func (r *reporter) showRunning() {
	if r.life.phase == phaseRunning {
		r.notify.Status(r.status())
	}
}

// showSaid shows what a container says about itself, also while it stops.
func (r *reporter) showSaid() {
	switch r.life.phase {
	case phaseUnready, phaseRunning:
		r.notify.Status(r.status())
	case phaseStopping:
		r.notify.Status("stopping " + r.container.Image + ": " + r.readiness.says())
	case phaseWaiting, phasePulling, phaseCreating, phaseStarting, phaseEnded:
	}
}

// trouble reports an error after which the supervisor continues. It logs the
// error once, however often it comes in a row.
func (r *reporter) trouble(message string, err error) {
	if last := r.state.LastError; last == nil || last.Message != err.Error() {
		journal.Problem.Say(r.log, message, zap.Error(err))
	}
	r.recordFailure(err)
}

// failed reports the error that ends the supervisor.
func (r *reporter) failed(err error) {
	if errors.Is(err, errOutOfMemory) {
		r.state.OOMKills = max(r.state.OOMKills, 1)
	}
	r.recordFailure(err)
	r.notify.Status(firstLine(err.Error()))
}

// recordFailure writes an error to the state file, with the declaration that failed
// unless that is not to blame.
func (r *reporter) recordFailure(err error) {
	configHash := r.state.ConfigHash
	if isFromOutside(err) {
		configHash = ""
	}
	r.state.LastError = &rundir.Failure{At: time.Now(), Message: err.Error(), ConfigHash: configHash, Cures: cure.Of(err)}
	r.save()
}

// health records what Docker says of the container's health check.
func (r *reporter) health(status string) {
	if status == container.Healthy {
		r.checkPassed()
	}
	if r.state.Health != status {
		r.state.Health = status
		r.save()
	}
}

// oomKills records how many processes of the container the kernel has killed.
func (r *reporter) oomKills(killed int64) {
	if killed <= r.state.OOMKills {
		return
	}
	r.state.OOMKills = killed
	r.log.Warn("out of memory: the kernel has killed a process in the container", zap.Int64("killed", killed))
	r.save()
	r.showRunning()
}

// newCgroup notes that the container was started in a new cgroup, in which the kernel has
// killed nothing yet.
func (r *reporter) newCgroup() {
	r.state.OOMKillsBefore, r.state.OOMKills = r.state.OOMKillsBefore+r.state.OOMKills, 0
}

// nextTry records when the supervisor tries again what has failed; the zero time while
// it tries.
func (r *reporter) nextTry(at time.Time) {
	r.state.NextTry = at
	r.save()
}

// gpuLost records which GPU the container lost; "" means that all are well. It
// returns false when that was known.
func (r *reporter) gpuLost(lost string) bool {
	if r.state.GPU == lost {
		return false
	}
	r.state.GPU = lost
	r.save()
	return true
}

// save writes the state file of an assigned container. `dockhost run` has none:
// its state is the unit's.
func (r *reporter) save() {
	if r.container.Run != nil {
		return
	}
	if err := r.dir.WriteState(r.container.Name, r.state); err != nil {
		r.log.Warn("state not written", zap.Error(err))
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// logHealth tells when Docker's health check begins to fail, and when it passes again.
func (r *reporter) logHealth(health string) {
	switch {
	case health == container.Unhealthy:
		journal.Unhealthy.Say(r.log, "container is unhealthy: its health check fails")
	case health == container.Healthy && r.state.Health == container.Unhealthy:
		journal.Healthy.Log(r.log)
	default:
		r.log.Debug("health changed", zap.String("health", health))
	}
}
