// Package supervisor runs one container under one systemd unit: it pulls the
// image, creates the container inside the unit's own cgroup, tells systemd when
// it is ready, relays its output, stops it, and exits as it exited. It never
// talks to the agent: it reads the container's declaration in the run directory,
// and writes the container's state there.
//
// [Supervisor] wires the parts, one for each concern. While the container runs,
// the follower's event loop alone changes the phase, the state and the status;
// other goroutines reach it by the inbox.
package supervisor

import (
	"context"
	"io"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/request"
	"github.com/dockhost/dockhost/systemd"
)

// ExitNotRun is the exit status when the container could not be run at all, the
// same as that of `docker run`.
const ExitNotRun = 125

// Options are what a supervisor works with.
type Options struct {
	// Container is what to run.
	Container *spec.Container
	Dir       rundir.Dir
	Engine    dockerEngine
	Cgroups   systemd.Cgroups
	Notify    notifier
	Units     unitReader
	// Watchdog is the unit's WatchdogSec=; 0 where it has none.
	Watchdog time.Duration
	// Signals are those of [Signals].
	Signals <-chan os.Signal
	// Program is the path of the program dockhost, which handles GPUs.
	Program string
	// Stdout and Stderr get the container's output.
	Stdout, Stderr io.Writer
	// Credentials is the directory with the credentials that systemd has decrypted for
	// the unit; "" if it has none.
	Credentials string
	Log         *zap.Logger
}

// Supervisor runs one container once.
type Supervisor struct {
	container *spec.Container
	engine    dockerEngine
	report    *reporter
	unit      *unit
	gpus      *gpuAttacher
	images    *images
	maker     *maker
	follower  *follower
}

// New returns a supervisor that has done nothing yet.
func New(o Options) *Supervisor {
	u := &unit{cgroups: o.Cgroups, manager: o.Units, log: o.Log}
	report := newReporter(o)
	return &Supervisor{
		container: o.Container,
		engine:    o.Engine,
		report:    report,
		unit:      u,
		gpus:      &gpuAttacher{container: o.Container, unit: u, program: gpuProgram(o.Program), report: report, log: o.Log},
		images:    &images{engine: o.Engine, container: o.Container, dir: o.Dir, report: report, log: o.Log},
		maker:     &maker{credentials: o.Credentials, engine: o.Engine, container: o.Container, unit: u, dir: o.Dir, report: report, log: o.Log},
		follower:  newFollower(o, u, report),
	}
}

// newFollower wires the parts that work while the container runs. The readiness
// is added before the container is created.
func newFollower(o Options, u *unit, report *reporter) *follower {
	in := &inbox{calls: make(chan func()), signals: o.Signals}
	return &follower{
		engine:    o.Engine,
		container: o.Container,
		unit:      u,
		report:    report,
		inbox:     in,
		launcher:  &launcher{engine: o.Engine, container: o.Container, unit: u},
		relay:     &relay{engine: o.Engine, container: o.Container, stdout: o.Stdout, stderr: o.Stderr, log: o.Log},
		stopper:   &stopper{engine: o.Engine, container: o.Container, unit: u, log: o.Log},
		judge:     &judge{engine: o.Engine, container: o.Container, unit: u, log: o.Log, codeTimeout: codeTimeout},
		attendants: attendants{
			watchdog: &watchdog{interval: o.Watchdog, report: report, inbox: in, log: o.Log},
			gpus: &gpuWatch{
				gpu: o.Container.GPU, unit: u, program: gpuProgram(o.Program), report: report, inbox: in, log: o.Log, timeout: gpuCheckTimeout,
			},
			reloads: &reloader{engine: o.Engine, container: o.Container, unit: u, report: report, inbox: in, log: o.Log},
		},
	}
}

// Run runs the container until it ends and returns the exit status for the
// process: the container's own, or 0 after a stop that was asked for. The end of
// ctx asks for a stop. The error says why the container could not be run, or how
// it failed.
func (s *Supervisor) Run(ctx context.Context) (int, error) {
	s.report.begin()
	defer context.AfterFunc(ctx, s.follower.stopper.request)()
	end := s.run(ctx)
	switch {
	case end.err != nil:
		s.report.failed(end.err)
	case !end.handedOver:
		s.report.notify.Status("ended")
	}
	s.report.life.send(eventExited)
	return end.code, end.err
}

// run finds the unit, and prepares and runs the container in it.
func (s *Supervisor) run(ctx context.Context) ending {
	if err := s.unit.enter(s.container); err != nil {
		return notRun(err)
	}
	if err := s.unit.checkType(ctx, s.container); err != nil {
		return notRun(err)
	}
	// First: a missing GPU is reported at once, with or without Docker.
	if err := s.gpus.attach(ctx); err != nil {
		return s.unlessStopped(ctx, err)
	}
	if err := awaitEngine(ctx, s.engine, s.report); err != nil {
		return s.unlessStopped(ctx, err)
	}
	s.report.life.send(eventEngineAnswered)
	s.maker.sweep(context.WithoutCancel(ctx))
	s.images.claimImage(ctx)
	defer s.images.release()
	image, err := s.images.ensure(ctx)
	if err != nil {
		return s.unlessStopped(ctx, err)
	}
	if err := s.gpus.attach(ctx); err != nil {
		return s.unlessStopped(ctx, err)
	}
	s.report.life.send(eventPulled)
	ready, err := s.prepareReadiness()
	if err != nil {
		return notRun(err)
	}
	defer ready.close()
	// From here on a stop stops the container: a request to the Engine is finished
	// first, so that nothing is left half done.
	c, err := s.maker.create(context.WithoutCancel(ctx), creation{
		image: image, gpus: s.gpus.attached,
		host: request.Host{NotifySocket: ready.socket(), Watchdog: s.follower.attendants.watchdog.interval},
	})
	s.images.release() // the container now protects the image
	if err != nil {
		return notRun(err)
	}
	s.report.life.send(eventCreated)
	return s.follow(ctx, c)
}

// prepareReadiness creates the readiness and hands it to the parts that use it.
func (s *Supervisor) prepareReadiness() (readiness, error) {
	f := s.follower
	ready, err := newReadiness(surroundings{
		container: s.container, engine: s.engine, report: s.report, inbox: f.inbox, watchdog: f.attendants.watchdog, log: s.report.log,
	}, s.report.dir)
	if err != nil {
		return nil, err
	}
	s.report.readiness, f.attendants.readiness, f.attendants.reloads.readiness = ready, ready, ready
	return ready, nil
}

// follow starts the container, follows it to its end, and removes it.
func (s *Supervisor) follow(ctx context.Context, c created) (end ending) {
	defer func() {
		if !end.handedOver {
			s.maker.discard(context.WithoutCancel(ctx), c.id, end.dockerLost)
		}
	}()
	if fault := s.report.life.fault; fault != nil {
		return notRun(fault)
	}
	s.follower.inbox.stop = ctx.Done()
	s.follower.attendants.reloads.env = c.env
	s.follower.restore = s.maker.restore
	return s.follower.run(ctx, c.id, s.gpus.attached)
}

// unlessStopped turns an error that a stop caused into a clean end.
func (s *Supervisor) unlessStopped(ctx context.Context, err error) ending {
	if ctx.Err() == nil {
		return notRun(err)
	}
	s.report.life.send(eventStopRequested)
	return ending{}
}
