// Package agent is the node agent. It accepts what the instance's user data
// assigns to this host, what the Compose files in /etc/dockhost/containers
// declare and what dockhostctl run declares, keeps it as last known good, and has
// systemd run it: one dockhost@NAME.service for each container. It never touches
// a container itself, so that containers keep running while it is restarted.
package agent

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/dockhost/dockhost/agent/config"
	"github.com/dockhost/dockhost/agent/events"
	"github.com/dockhost/dockhost/agent/fleetlock"
	"github.com/dockhost/dockhost/agent/gate"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/agent/webhook"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// notifier reports the state of the agent to systemd.
type notifier interface {
	Ready(status string)
	Status(status string)
	Reloading(status string)
	Stopping(status string)
}

// dockerEngine is what the agent needs from Docker, besides housekeeping.
type dockerEngine interface {
	imageSource
	volumeStore
	containerStore
}

// imageSource is what the agent needs from Docker to replace a container.
type imageSource interface {
	Image(ctx context.Context, ref string) (engine.Image, error)
	ImageOf(ctx context.Context, name, ref string) (engine.Image, error)
	Tag(ctx context.Context, id, name string) error
	Pull(ctx context.Context, req engine.PullRequest, progress func(engine.Progress)) error
	Runtimes(ctx context.Context) (map[string]string, error)
	Ping(ctx context.Context) error
	Host() string
	Volume(ctx context.Context, name string) (engine.Volume, error)
	Exec(ctx context.Context, id string, command []string, out io.Writer) (int, error)
	networkStore
}

// unitManager is what the agent needs from systemd.
type unitManager interface {
	Start(ctx context.Context, name string) error
	Restart(ctx context.Context, name string) error
	Retry(ctx context.Context, unit systemd.Unit) error
	BeginStop(ctx context.Context, name string) error
	Kill(ctx context.Context, name string, sig syscall.Signal) error
	AskStop(ctx context.Context, name, owner string) (systemd.Stop, error)
	ReloadUnit(ctx context.Context, name string) error
	ResetFailed(ctx context.Context, name string) error
	Signal(ctx context.Context, name string, sig syscall.Signal) error
	Reload(ctx context.Context) error
	Unit(ctx context.Context, name string) (systemd.Unit, error)
	Units(ctx context.Context, pattern string) ([]string, error)
	Loaded(ctx context.Context, pattern string) ([]string, error)
	Version(ctx context.Context) (int, error)
	Watch(ctx context.Context, name string) (<-chan struct{}, error)
	Credentials(ctx context.Context, name string) ([]string, error)
	Refused(ctx context.Context, name string) (bool, error)
}

// Options are what an agent works with.
type Options struct {
	// Root is a prefix of the host's paths, "" on a real host.
	Root string
	// Version is the version of the program.
	Version string
	// Engine is Docker.
	Engine dockerEngine
	// Store is the same Engine, for housekeeping; with nil there is no
	// housekeeping.
	Store *engine.Client
	// PullSize returns how many bytes a pull of an image would download. With nil
	// no registry is asked.
	PullSize func(ctx context.Context, ref, platform string) (int64, error)
	// Latest returns the digest that the registry has for an image.
	Latest func(ctx context.Context, ref string) (string, error)
	// Changes returns Docker's changes since a time; nil observes none.
	Changes func(ctx context.Context, since time.Time) <-chan engine.Change
	// GPUs returns why a container cannot have the GPUs that it requests, nil when
	// it can.
	GPUs   func(ctx context.Context, c *spec.Container) error
	Units  unitManager
	Status status.Gatherer
	Notify notifier
	// SystemdStart returns when systemd started, as the time since the boot; nil if
	// nobody knows.
	SystemdStart func() time.Duration
	// Find finds the user data.
	Find Finder
	// Reload requests that the configuration, the files and the user data be read
	// again.
	Reload <-chan struct{}
	Log    *zap.Logger
}

// slotsPath is where the host's slots of its fleets are kept.
const slotsPath = "/var/lib/dockhost/fleet.json"

// Agent is the node agent. It wires its parts, and decides when to reconcile.
type Agent struct {
	Options

	config   *configuration
	fetcher  *fetcher
	targets  *targetReader
	store    *store
	units    *containerUnits
	deployer *deployer
	updates  *updates
	puller   *puller
	slots    *fleetlock.Slots
	webhook  *webhook.Sender
	sweeper  *sweeper
	verifier *verifier
	saver    *saver
	house    *house
	cures    *cures
	volumes  volumes
	// beside are the directories of the files that Compose files name.
	beside watched
	// beginSlots tells once which updates need a slot of the fleet.
	beginSlots sync.Once
	server     *server
	outlets    *outlets
	reporter   *reporter
	events     *events.Store
	keeper     *eventKeeper
	boot       *boot
	teller     *assignmentTeller
	// finished receives what remains of a change once its unit has stopped.
	finished chan func()
}

// New returns an agent that has done nothing yet.
func New(o Options) *Agent {
	dir := rundir.Dir(filepath.Join(o.Root, rundir.Path))
	o.Units = patientUnits{o.Units}
	kept := events.New(filepath.Join(o.Root, events.Path), o.Log)
	o.Log = withJournal(o.Log, dir, kept)
	a := &Agent{Options: o, events: kept, keeper: newEventKeeper(dir, kept), boot: newBoot(dir, o.SystemdStart, o.Log), teller: &assignmentTeller{log: o.Log}, finished: make(chan func()), config: &configuration{root: o.Root}, beside: newWatched()}
	a.reporter = &reporter{notify: o.Notify, engine: o.Engine, boot: a.boot, log: o.Log}
	report := a.reporter.update
	a.store = newStore(storeFile{root: o.Root})
	a.fetcher = newFetcher(o, dir, a.config, func() { report(); a.cures.look() })
	a.targets = &targetReader{
		intake: newIntake(),
		root:   o.Root, config: a.config, fetcher: a.fetcher, store: a.store, problems: newProblemLog(o.Log), log: o.Log,
	}
	a.units = &containerUnits{
		dir: dir, systemd: o.Units, dropIns: dropIns{root: o.Root}, mounts: mountUnits{root: o.Root}, log: o.Log,
		besides: &besides{names: map[string]bool{}}, stopped: a.store.stop, retirer: newRetirer(o.Units, o.Log),
	}
	a.deployer = &deployer{store: a.store, units: a.units, report: report, boot: a.boot, log: o.Log}
	a.deployer.stops = &stops{dir: dir, store: a.store, systemd: o.Units, begun: map[string]bool{}, watched: map[string]time.Time{}, explained: map[string]time.Time{}, retires: a.units.retirer.has, log: o.Log}
	a.house = newHouse(o, dir, a)
	a.cures = newCures(o, dir, a)
	a.volumes = volumes{docker: o.Engine, log: o.Log}
	a.sweeper, a.verifier = newSweeper(o, dir, a), newVerifier(a)
	a.saver = &saver{store: a.store, deployer: a.deployer, report: report, wake: make(chan struct{}, 1), log: o.Log}
	a.deployer.stops.look = a.verifier.wakeUp
	a.deployer.changed, a.deployer.unsaved = a.sweeper.wakeUp, a.saver.wakeUp
	a.reporter.connect(a.store, a.fetcher, a.house.keeper)
	a.puller = &puller{engine: o.Engine, pullSize: o.PullSize, keeper: a.house.keeper, dir: dir, log: o.Log}
	preparer := &preparer{engine: o.Engine, gpus: o.GPUs, root: o.Root, units: o.Units, puller: a.puller, deployer: a.deployer, store: a.store}
	a.slots = fleetlock.NewSlots(filepath.Join(o.Root, slotsPath), a.fleetID, o.Log)
	a.webhook = webhook.New(webhook.Options{Target: a.config.webhook, Host: a.identity, Log: o.Log})
	a.updates = newUpdates(o.Root, updateParts{
		preparer: preparer, deployer: a.deployer, besides: a.units.besides, store: a.store, cures: a.cures, config: a.config, latest: o.Latest,
		gates: gate.Gates{Docker: o.Engine, Slots: a.slots}, webhook: a.webhook, events: kept, report: report, log: o.Log,
	}, o.Log)
	a.deployer.stopsChanged = a.updates.wake
	a.server = newServer(o, dir, a)
	a.outlets = newOutlets(a, o.Log)
	a.server.outlets, a.reporter.also = a.outlets, a.outlets.textfile.wake
	a.keeper.pulled = func(bytes int64, took time.Duration) { a.outlets.counter.Pulled(bytes, took, false) }
	a.puller.counter, a.updates.parts.counter = a.outlets.counter, a.outlets.counter
	return a
}

// Run serves the local API on the socket, and reconciles, until ctx ends. It
// starts what is assigned before it tells systemd that the agent is ready, and
// does not wait until containers are ready.
func (a *Agent) Run(ctx context.Context, socket *Socket) error {
	stopping := context.AfterFunc(ctx, func() { a.Notify.Stopping("stopping; containers keep running") })
	defer stopping()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.server.serve(ctx, socket) })
	group.Go(func() error { socket.watch(ctx, a.Units, a.Log); return nil })
	group.Go(func() error { a.reporter.watchDocker(ctx); return nil })
	a.config.read()
	a.outlets.apply()
	group.Go(func() error { return a.outlets.run(ctx) })
	group.Go(func() error { a.fetcher.run(ctx); return nil })
	group.Go(func() error { a.reconcileOnRequest(ctx); return nil })
	group.Go(func() error { a.house.run(ctx); return nil })
	group.Go(func() error { a.sweeper.run(ctx); return nil })
	group.Go(func() error { a.cures.run(ctx); return nil })
	group.Go(func() error { a.verifier.run(ctx); return nil })
	group.Go(func() error { a.saver.run(ctx); return nil })
	group.Go(func() error { a.watchStates(ctx); return nil })
	group.Go(func() error { a.slots.Run(ctx); return nil })
	group.Go(func() error { a.webhook.Run(ctx); return nil })
	group.Go(func() error { a.events.Run(ctx); return nil })
	group.Go(func() error { a.keeper.run(ctx); return nil })
	return group.Wait()
}

// reconcileOnRequest reconciles once, and again whenever user data, files or
// configuration may have changed. In between it carries out the changes that
// dockhostctl requests, one at a time.
func (a *Agent) reconcileOnRequest(ctx context.Context) {
	defer a.updates.stop()
	files := watchDirs(ctx, a.Log, a.beside, filepath.Join(a.Root, filepath.Dir(config.Path)), filepath.Join(a.Root, filesDir))
	damage := watchDirs(ctx, a.Log, nil, a.units.watched()...)
	a.fetcher.first(ctx)
	a.reconcile(ctx)
	a.Notify.Ready(a.reporter.line())
	a.boot.end(phaseAssignment, "")
	a.store.file.reserve()
	a.restore(ctx) // what was damaged while no agent ran is not reported by the watch
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.Reload:
			a.reload(ctx)
		case done := <-a.server.refetches:
			a.refetch(ctx)
			go func() { a.units.retirer.settle(ctx, settlePatience); close(done) }()
		case result := <-a.fetcher.results:
			a.fetcher.logResult(result)
			a.reconcile(ctx)
			a.reporter.update()
		case <-files:
			if a.config.read() {
				a.fetcher.refetch(ctx)
			}
			a.reconcile(ctx)
			a.reporter.update()
		case <-damage:
			a.restore(ctx)
		case c := <-a.server.changes:
			a.change(ctx, c)
			a.reporter.update()
		case finish := <-a.finished:
			finish()
			a.reporter.update()
		}
	}
}

// restore writes files for this boot again that someone has removed or changed.
func (a *Agent) restore(ctx context.Context) {
	if err := a.deployer.restore(ctx); err != nil && ctx.Err() == nil {
		a.Log.Warn("files for this boot not restored (run: systemctl reload dockhost)", zap.Error(err))
	}
}

// watchStates looks for leftovers, for images that are in use now, and for containers
// that do not run what is assigned, whenever a supervisor has written its state.
func (a *Agent) watchStates(ctx context.Context) {
	states := watchDirs(ctx, a.Log, nil, a.house.dir.StateDir())
	for {
		select {
		case <-ctx.Done():
			return
		case <-states:
			a.house.look()
			a.sweeper.wakeUp()
			a.verifier.wakeUp()
			a.cures.look()
			a.updates.look()
			a.keeper.look()
			a.outlets.textfile.wake()
		}
	}
}

// reload is what SIGHUP requests; ExecReload= asks for a refetch instead. It ends once the units that it stops have stopped, if
// that does not take long; the agent does not wait for that.
func (a *Agent) reload(ctx context.Context) {
	a.Notify.Reloading("reading user data again")
	a.refetch(ctx)
	go func() {
		a.units.retirer.settle(ctx, settlePatience)
		if ctx.Err() == nil {
			a.Notify.Ready(a.reporter.line())
		}
	}()
}

// refetch reads the configuration and the user data again, and reconciles.
func (a *Agent) refetch(ctx context.Context) {
	a.Log.Info("reading user data again")
	a.config.read()
	a.fetcher.refetch(ctx)
	a.reconcile(ctx)
	a.reporter.update()
}

// reconcile reads what the host should run, and has systemd run it. A container
// that is new or unchanged is in force at once. A container that replaces another
// one is updated in the background; the updates of the last reconcile stop first, and
// continue where they were.
func (a *Agent) reconcile(ctx context.Context) {
	defer a.cures.look()
	defer a.updates.setBegun()
	a.outlets.apply()
	a.updates.stop()
	if data := a.fetcher.last().data; data != nil {
		a.boot.end(phaseUserData, data.Datasource)
	}
	t := a.targets.read(ctx)
	a.beside.set(t.beside)
	p := newPlan(t)
	a.store.begin(t.source, p)
	a.teller.tell(t)
	if p.accepted == nil {
		return
	}
	a.targets.problems.log("declaration not in force", p.accepted.clashes())
	if err := a.deployer.deploy(ctx, p); err != nil {
		journal.Problem.Error(a.Log, "assignment not in force", zap.Error(err))
		a.store.addProblem(err)
	}
	a.updates.begin(ctx, p)
	a.beginSlots.Do(func() { a.slots.Begin(a.updates.slotUsers()) })
}

// fleetID identifies the host to a lock manager.
func (a *Agent) fleetID() string {
	return fleetlock.ID(a.store.file.machineID(), a.store.instanceID())
}

// identity identifies the host to a webhook.
func (a *Agent) identity() webhook.Host {
	hostname, _ := os.Hostname()
	return webhook.Host{InstanceID: a.store.instanceID(), Hostname: hostname}
}
