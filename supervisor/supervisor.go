// Package supervisor is one container's life under one systemd unit: it pulls
// the image, makes the container, has it born in the unit's own cgroup, tells
// systemd when it is ready, relays its output, stops it, and ends as it ended.
// It never talks to the agent: it reads what the container is from the run
// directory, and leaves there how it fares.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/systemd"
)

// ExitNotRun is the exit status when the container could not be run at all,
// as `docker run` has it.
const ExitNotRun = 125

// supervisorLeaf and containerLeaf are the cgroups below the unit's.
const (
	supervisorLeaf = placement.SupervisorLeaf
	containerLeaf  = "container"
)

// notifier tells systemd how the service fares.
type notifier interface {
	Ready(status string)
	HandOver(pid int, status string)
	Status(status string)
	Stopping(status string)
	Reloading(status string)
	ExtendTimeout(d time.Duration)
	Watchdog()
	// Pass passes on what a container says to systemd.
	Pass(assignments ...string)
}

// unitReader describes a unit.
type unitReader interface {
	Unit(ctx context.Context, name string) (systemd.Unit, error)
}

// Options are what a supervisor works with.
type Options struct {
	// Container is what to run.
	Container *spec.Container
	Dir       rundir.Dir
	Engine    *engine.Client
	Cgroups   systemd.Cgroups
	Notify    notifier
	Units     unitReader
	// Watchdog is the time within which systemd wants to hear that all is well,
	// 0 where it does not.
	Watchdog time.Duration
	// Signals are those of [Signals].
	Signals <-chan os.Signal
	// Program is the path of the program dockhost, which knows about GPUs.
	Program string
	// Stdout and Stderr get the container's output.
	Stdout, Stderr io.Writer
	Log            *zap.Logger
}

// Supervisor runs one container once.
type Supervisor struct {
	Options

	unit   string
	cgroup string
	// controllers names the v1 trees in which the container lies in its unit;
	// none is all of them.
	controllers []string
	spec        *spec.Container
	life        *lifecycle
	state       rundir.State
	// claim keeps the image from being removed before its container is made; nil
	// where none could be had.
	claim *rundir.Claim
	// pid is the container's first process, once it runs.
	pid int
	// detached says that the container was left to systemd.
	detached bool
	// asked is when a stop was asked for; nil before.
	asked atomic.Pointer[time.Time]
	// lost says that Docker did not answer when the container ended.
	lost bool
	// codeTimeout is [codeTimeout], but in tests.
	codeTimeout time.Duration
	// gpuCheckTimeout is [gpuCheckTimeout], but in tests.
	gpuCheckTimeout time.Duration
	// readiness is how the container becomes ready, becameReady is closed when
	// it has, and calls is what others want to be done about it.
	readiness   readiness
	becameReady chan struct{}
	readyOnce   sync.Once
	calls       chan func()
	// readyBy is when the container is to be ready at the latest.
	readyBy time.Time
	// ill is why the container is not well; nil where it is, or has no watchdog.
	ill error
	// unpause ends the care for a container that someone has paused.
	unpause context.CancelFunc
	// reloading says that the container was told to reload, reloadAgain that it
	// is to be told once more, and reloadFailed how it went last.
	reloading, reloadAgain, reloadFailed bool
	// attached is what gives the container its GPUs, as it was at attachedAt.
	attached   attachment.Attachment
	attachedAt time.Time
	// gpuPid is the process whose GPUs are checked, and paused says that someone
	// has paused the container.
	gpuPid atomic.Int64
	paused atomic.Bool
	// mustEnd is why the container is to be ended for systemd to start it anew;
	// nil where it goes on.
	mustEnd error
	// env are the container's variables, as far as they were declared.
	env []string
}

// New returns a supervisor that has done nothing yet.
func New(o Options) *Supervisor {
	s := &Supervisor{
		Options: o, spec: o.Container, codeTimeout: codeTimeout, gpuCheckTimeout: gpuCheckTimeout, becameReady: make(chan struct{}), calls: make(chan func()),
	}
	if s.spec.Notify == spec.NotifyOff {
		s.Notify = silence{}
	}
	s.life = newLifecycle(s.phaseChanged)
	return s
}

// Run runs the container until it ends and returns the exit status for the
// process: the container's own, or 0 after a stop that was asked for. A ctx
// that ends asks for the container to be stopped. The error says why the
// container could not be run, or how it failed.
func (s *Supervisor) Run(ctx context.Context) (int, error) {
	s.begin()
	defer context.AfterFunc(ctx, func() {
		now := time.Now()
		s.asked.Store(&now)
	})()
	code, err := s.supervise(ctx)
	switch {
	case err != nil:
		s.fail(err)
	case !s.detached:
		s.Notify.Status("ended")
	}
	s.life.exited()
	return code, err
}

// begin says that the supervisor is there.
func (s *Supervisor) begin() {
	s.state = rundir.State{Phase: string(phaseWaiting), Since: time.Now(), ConfigHash: s.spec.Hash(), Image: s.spec.Image, Restart: s.spec.Restart}
	if before, err := s.Dir.State(s.spec.Name); err == nil {
		s.state.LastError = before.LastError
	}
	s.saveState()
}

// supervise finds the supervisor's own place and lives the container's life.
func (s *Supervisor) supervise(ctx context.Context) (int, error) {
	var err error
	s.unit, s.cgroup, err = s.Cgroups.OwnUnit()
	if errors.Is(err, systemd.ErrNoService) && s.spec.Run != nil {
		return s.live(ctx) // in the foreground of a terminal or a script
	}
	if err != nil {
		return ExitNotRun, err
	}
	if s.controllers, err = s.namedControllers(); err != nil {
		return ExitNotRun, err
	}
	// Where the unit has User= and no Delegate=, or ProtectControlGroups=,
	// dockhost-runtime does it.
	err = s.Cgroups.EnterLeaf(s.cgroup, supervisorLeaf)
	if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		return ExitNotRun, err
	}
	return s.live(ctx)
}

// live is the container's life from the Engine's first answer to its removal.
func (s *Supervisor) live(ctx context.Context) (int, error) {
	// First: who has no GPU is told at once, Docker or not.
	if err := s.attachGPUs(ctx); err != nil {
		return s.unlessStopped(ctx, err)
	}
	if err := s.awaitEngine(ctx); err != nil {
		return s.unlessStopped(ctx, err)
	}
	s.life.engineAnswered()
	s.sweep(context.WithoutCancel(ctx))
	s.claimImage(ctx)
	defer s.claim.Release()
	image, err := s.ensureImage(ctx)
	if err != nil {
		return s.unlessStopped(ctx, err)
	}
	if err := s.attachGPUs(ctx); err != nil {
		return s.unlessStopped(ctx, err)
	}
	s.life.pulled()
	if s.readiness, err = s.newReadiness(); err != nil {
		return ExitNotRun, err
	}
	defer s.readiness.close()
	// From here on a stop is a stop of the container: what was begun with the
	// Engine is finished first, so that nothing is left half made.
	id, err := s.create(context.WithoutCancel(ctx), image)
	s.claim.Release() // the container holds the image from here on
	if err != nil {
		return ExitNotRun, err
	}
	defer func() {
		if !s.detached {
			s.discard(context.WithoutCancel(ctx), id)
		}
	}()
	s.life.created()
	return s.watch(ctx, id)
}

// unlessStopped turns an error that a stop request caused into a clean end.
func (s *Supervisor) unlessStopped(ctx context.Context, err error) (int, error) {
	if ctx.Err() == nil {
		return ExitNotRun, err
	}
	s.life.stopRequested()
	return 0, nil
}

// discard removes the container, unless it is to be kept, and all that was
// made for it.
func (s *Supervisor) discard(ctx context.Context, id string) {
	if err := s.removeFiles(); err != nil {
		s.Log.Warn("file not removed", zap.Error(err))
	}
	if s.lost {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askTimeout)
		defer cancel()
	}
	if !s.keeps() {
		if err := s.Engine.Remove(ctx, id); err != nil {
			s.Log.Warn("container not removed, the next start will", zap.Error(err))
			return
		}
	}
	if err := placement.Remove(s.Dir.RuntimeDir(), id); err != nil {
		s.Log.Warn("placement not removed", zap.Error(err))
	}
	if s.cgroup != "" {
		// A runtime that was killed has not called dockhost-runtime's hook.
		s.Cgroups.Prune(s.cgroup)
	}
}

// phaseChanged makes each transition known: to the journal, to systemd and in
// the run directory.
func (s *Supervisor) phaseChanged(from, to phase) {
	s.Log.Debug("phase changed", zap.String("from", string(from)), zap.String("to", string(to)))
	s.state.Phase, s.state.Since = string(to), time.Now()
	s.state.Ready = to == phaseRunning
	if to == phaseUnready && s.spec.Notify.AtOnce() {
		return // for no time worth telling
	}
	if to == phaseRunning && !s.state.Cached {
		s.state.LastError = nil
	}
	s.saveState() // first: who hears of a change from systemd looks here for the rest
	switch to {
	case phaseRunning:
		s.readyOnce.Do(func() { close(s.becameReady) })
		if s.detaches() {
			s.handOver(s.pid)
		} else {
			s.Notify.Ready(s.runningStatus())
		}
		s.Log.Info("container is ready", zap.String("image", s.spec.Image), zap.String("container_id", s.state.ContainerID))
	case phaseStopping:
		s.Notify.Stopping("stopping")
	case phaseUnready:
		s.Notify.Status(s.runningStatus())
	case phaseCreating, phaseStarting:
		s.Notify.Status(string(to) + " " + s.spec.Image)
	case phaseWaiting, phasePulling, phaseEnded:
	}
}

func (s *Supervisor) runningStatus() string {
	if s.life.phase == phaseUnready {
		return "running, waiting for " + s.readiness.waitsFor()
	}
	status := "running " + s.spec.Image
	if s.state.Cached {
		status += " (cached: the registry could not be asked)"
	}
	switch {
	case s.ill != nil:
		status += fmt.Sprintf(", but %v: systemd ends it after %s without a sign of life", s.ill, s.Watchdog)
	case s.reloadFailed && s.state.LastError != nil:
		status += ", but could not " + firstLine(s.state.LastError.Message)
	}
	if s.state.GPU != "" {
		status += ", but it lost a GPU: " + s.state.GPU
	}
	if said := s.readiness.says(); said != "" {
		status += ": " + said
	}
	return status
}

// fail keeps what went wrong, for status and for the next run.
func (s *Supervisor) fail(err error) {
	s.state.LastError = &rundir.Failure{At: time.Now(), Message: err.Error(), ConfigHash: s.state.ConfigHash}
	s.saveState()
	s.Notify.Status(firstLine(err.Error()))
}

// saveState says how an assigned container fares. Who looks after a container
// of somebody's own unit asks systemd.
func (s *Supervisor) saveState() {
	if s.spec.Run != nil {
		return
	}
	if err := s.Dir.WriteState(s.spec.Name, s.state); err != nil {
		s.Log.Warn("state not written", zap.Error(err))
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
