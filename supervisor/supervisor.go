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

	"github.com/dockhost/dockhost/internal/journal"
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
	// Units is the system's manager, OwnUnits the one of the supervisor's unit: the
	// same or a user's.
	Units, OwnUnits unitReader
	// Watchdog is the unit's WatchdogSec=; 0 where it has none.
	Watchdog time.Duration
	// Signals are those of [Signals].
	Signals <-chan os.Signal
	// Program is the path of the program dockhost, which handles GPUs.
	Program string
	// Stdin is relayed to a container that opens its standard input; nil for none.
	// Terminal is the same, if it is a terminal.
	Stdin    io.Reader
	Terminal *os.File
	// Stdout and Stderr get the container's output.
	Stdout, Stderr io.Writer
	// InJournal says that one of them is the journal.
	InJournal bool
	// Sockets are those that systemd passed for the unit's socket units.
	Sockets systemd.Sockets
	// Credentials is the directory with the credentials that systemd has decrypted for
	// the unit; "" if it has none.
	Credentials string
	Log         *zap.Logger
	// Subject is what the entries of Log say about the container; nil for nothing.
	Subject *journal.Subject
}

// Supervisor runs one container once.
type Supervisor struct {
	container *spec.Container
	engine    dockerEngine
	report    *reporter
	unit      *unit
	sockets   systemd.Sockets
	gpus      *gpuAttacher
	images    *images
	maker     *maker
	follower  *follower
	sorter    *sorter
}

// New returns a supervisor that has done nothing yet.
func New(o Options) *Supervisor {
	u := &unit{cgroups: o.Cgroups, manager: o.Units, own: o.OwnUnits, log: o.Log}
	report := newReporter(o)
	others := make(chan os.Signal, cap(o.Signals))
	return &Supervisor{
		container: o.Container,
		engine:    o.Engine,
		report:    report,
		unit:      u,
		sockets:   o.Sockets,
		gpus:      &gpuAttacher{container: o.Container, unit: u, program: gpuProgram(o.Program), report: report, log: o.Log},
		images:    &images{engine: o.Engine, container: o.Container, dir: o.Dir, report: report, log: o.Log},
		maker:     &maker{credentials: o.Credentials, inJournal: o.InJournal, engine: o.Engine, container: o.Container, unit: u, dir: o.Dir, report: report, log: o.Log},
		follower:  newFollower(o, u, report, others),
		sorter:    &sorter{unit: u, signals: o.Signals, others: others, log: o.Log},
	}
}

// newFollower wires the parts that work while the container runs. The readiness
// is added before the container is created.
func newFollower(o Options, u *unit, report *reporter, signals <-chan os.Signal) *follower {
	in := &inbox{calls: make(chan func()), signals: signals}
	stdin, tty := inputOf(o)
	return &follower{
		engine:    o.Engine,
		container: o.Container,
		unit:      u,
		report:    report,
		inbox:     in,
		launcher:  &launcher{engine: o.Engine, container: o.Container, unit: u},
		terminal:  tty,
		relay:     &relay{engine: o.Engine, container: o.Container, stdin: stdin, stdout: o.Stdout, stderr: o.Stderr, log: o.Log},
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

// inputOf returns what a container reads: nothing unless it opens its standard input. Like
// that of docker run -d -i, the one of a command in the background stays open.
func inputOf(o Options) (io.Reader, *terminal) {
	config, run := o.Container.Config, o.Container.Run
	if o.Stdin == nil || !config.OpenStdin || run != nil && run.Background {
		return nil, nil
	}
	if o.Terminal == nil || !config.Tty {
		return o.Stdin, nil
	}
	return o.Stdin, &terminal{engine: o.Engine, file: o.Terminal, log: o.Log}
}

// Run runs the container until it ends and returns the exit status for the
// process: the container's own, or 0 after a stop that was asked for. The end of
// ctx asks for a stop. The error says why the container could not be run, or how
// it failed.
func (s *Supervisor) Run(ctx context.Context) (int, error) {
	// First: the state belongs to the supervisor in the unit.
	if err := s.unit.checkOwn(s.container); err != nil {
		return ExitNotRun, err
	}
	s.report.begin()
	ctx, s.sorter.stop = context.WithCancel(ctx)
	defer s.sorter.stop()
	s.report.stop, s.report.stopAt = ctx.Done(), s.follower.stopper.requestedAt
	outliving, cancel := s.follower.stopper.outlive(ctx)
	defer cancel()
	end := s.run(ctx, outliving)
	if end.code == ExitNotRun && outliving.Err() != nil {
		s.giveUp(end.err)
		end = ending{}
	}
	switch {
	case end.err != nil:
		s.report.failed(end.err)
	case !end.handedOver:
		s.report.notify.Status("ended")
		if s.report.life.phase == phaseStopping {
			journal.Stopped.Log(s.report.log, zap.String("image", s.container.Image))
		}
	}
	s.report.life.send(eventExited)
	return end.code, end.err
}

// giveUp reports that Docker did not complete what it was asked for before the stop.
func (s *Supervisor) giveUp(cause error) {
	s.report.log.Warn("docker does not answer, so the supervisor ends without it; the next start removes what is left", zap.Error(cause))
	s.report.life.send(eventStopRequested)
}

// run finds the unit, and prepares and runs the container in it. A request to the
// Engine that has an effect is finished before a stop, in outliving, so that nothing is
// left half done.
func (s *Supervisor) run(ctx, outliving context.Context) ending {
	if err := s.unit.enter(s.container); err != nil {
		return notRun(err)
	}
	go s.sorter.run(outliving)
	if err := s.checkUnit(ctx); err != nil {
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
	s.maker.sweep(outliving)
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
	sockets, err := keepSockets(outliving, s.sockets, s.report.dir.RuntimeDir())
	if err != nil {
		return notRun(err)
	}
	defer sockets.close()
	// From here on a stop stops the container.
	c, err := s.maker.create(outliving, creation{
		image: image, gpus: s.gpus.attached, sockets: sockets.place(),
		host: request.Host{Stdin: s.follower.relay.stdin != nil, NotifySocket: ready.socket(), Watchdog: s.follower.attendants.watchdog.interval},
	})
	s.images.release() // the container now protects the image
	if err != nil {
		return notRun(err)
	}
	s.report.life.send(eventCreated)
	return s.follow(ctx, outliving, c)
}

// checkUnit refuses a container that cannot work in the unit.
func (s *Supervisor) checkUnit(ctx context.Context) error {
	if err := checkSockets(s.sockets, s.container, s.unit); err != nil {
		return err
	}
	if !s.unit.exists() {
		return nil
	}
	if err := makeRuntimeDir(s.report.dir.RuntimeDir()); err != nil {
		return err
	}
	return s.unit.checkType(ctx, s.container)
}

// prepareReadiness creates the readiness and hands it to the parts that use it.
func (s *Supervisor) prepareReadiness() (readiness, error) {
	f := s.follower
	ready, err := newReadiness(surroundings{
		container: s.container, engine: s.engine, report: s.report, inbox: f.inbox, watchdog: f.attendants.watchdog, log: s.report.log,
		grace: f.stopper.grace, root: s.unit.cgroups.Root,
	}, s.report.dir)
	if err != nil {
		return nil, err
	}
	s.report.readiness, f.attendants.readiness, f.attendants.reloads.readiness = ready, ready, ready
	return ready, nil
}

// follow starts the container, follows it to its end, and removes it.
func (s *Supervisor) follow(ctx, outliving context.Context, c created) (end ending) {
	defer func() {
		if !end.handedOver {
			s.maker.discard(outliving, c.id, end.dockerLost)
			s.maker.freeEndpoint(outliving, c.id, end.err)
		}
	}()
	if fault := s.report.life.fault; fault != nil {
		return notRun(fault)
	}
	s.follower.inbox.stop = ctx.Done()
	s.follower.attendants.reloads.env = c.env
	s.follower.restore = s.maker.restore
	return s.follower.run(outliving, c.id, s.gpus.attached)
}

// unlessStopped turns an error that a stop caused into a clean end.
func (s *Supervisor) unlessStopped(ctx context.Context, err error) ending {
	if ctx.Err() == nil {
		return notRun(err)
	}
	s.report.life.send(eventStopRequested)
	return ending{}
}
