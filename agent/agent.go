// Package agent is the node agent: it takes over what the instance's user data
// assigns to this host and what dockhostctl run declares, keeps it as last
// known good, and makes systemd run it, one dockhost@NAME.service for each
// container. It never touches a container itself: what runs goes on when the
// agent is restarted.
package agent

import (
	"context"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/config"
	"github.com/dockhost/dockhost/agent/housekeeping"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// notifier tells systemd how the service fares.
type notifier interface {
	Ready(status string)
	Status(status string)
	Reloading(status string)
	Stopping(status string)
}

// imageSource is what the agent asks of Docker before a change.
type imageSource interface {
	Image(ctx context.Context, ref string) (engine.Image, error)
	Pull(ctx context.Context, req engine.PullRequest, progress func(engine.Progress)) error
	Runtimes(ctx context.Context) (map[string]string, error)
	Ping(ctx context.Context) error
	Host() string
}

// unitManager is what the agent asks of systemd.
type unitManager interface {
	Start(ctx context.Context, name string) error
	Restart(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	Reload(ctx context.Context) error
	Unit(ctx context.Context, name string) (systemd.Unit, error)
	Units(ctx context.Context, pattern string) ([]string, error)
	Loaded(ctx context.Context, pattern string) ([]string, error)
	Version(ctx context.Context) (int, error)
	Watch(ctx context.Context, name string) (<-chan struct{}, error)
}

// Options are what an agent works with.
type Options struct {
	// Root is a prefix of the host's paths, "" on a real one.
	Root string
	Dir  rundir.Dir
	// Version is the program's.
	Version string
	// RuntimeName is the name under which dockhost-runtime is registered.
	RuntimeName string
	Engine      imageSource
	// Store is the same Engine, as housekeeping uses it; nil is none.
	Store *engine.Client
	// PullSize returns how many bytes a pull of an image would download. With nil
	// no registry is asked.
	PullSize func(ctx context.Context, ref, platform string) (int64, error)
	Units    unitManager
	// GPUs says why a container cannot have the GPUs that it asks for; nil where
	// it can.
	GPUs   func(ctx context.Context, c *spec.Container) error
	Status status.Gatherer
	Notify notifier
	// Find finds the user data.
	Find Finder
	// Reload asks for the configuration, the files and the user data to be read
	// again.
	Reload <-chan struct{}
	// Listener is the local API's socket.
	Listener net.Listener
	Log      *zap.Logger
}

// Agent is the node agent.
type Agent struct {
	Options

	store   store
	dropIns dropIns

	mu sync.Mutex
	// read says that the user data was read, and what is kept.
	read bool
	// source, kept and pending are what the local API tells.
	source  api.Source
	kept    *accepted
	pending map[string]*api.Pending
	// waiting is what the agent waits for, "" when for nothing; awaited the same
	// of user data.
	waiting, awaited string
	// config is what is configured, nil where that was never read; configErr is
	// what is wrong with it now.
	config    *config.Config
	configErr error
	// fetched is what asking for the user data brought last.
	fetched fetch

	// moved is closed, and another one made, when pending or kept change.
	moved chan struct{}

	// changes are what dockhostctl asks for, one after the other, and rereads
	// its wish that the user data be read anew; each is closed when it was.
	changes chan change
	rereads chan chan struct{}

	// fetches has what asking for the user data brings, when it is new or was
	// asked for, which refetch does. patient gets a word when a metadata service
	// is asked.
	fetches chan fetch
	refetch chan struct{}
	patient chan struct{}

	// refused is what was wrong when it was logged last, by the message.
	refused map[string]string

	// keeper keeps the disk from filling; nil where that is not wanted.
	keeper *housekeeping.Keeper

	// force serializes what changes the host.
	force sync.Mutex
}

// New returns an agent that has done nothing yet.
func New(o Options) *Agent {
	a := &Agent{
		Options: o,
		store:   store{root: o.Root},
		dropIns: dropIns{root: o.Root},
		pending: map[string]*api.Pending{},
		moved:   make(chan struct{}),
		changes: make(chan change),
		rereads: make(chan chan struct{}),
		fetches: make(chan fetch),
		refetch: make(chan struct{}),
		patient: make(chan struct{}, 1),
		refused: map[string]string{},
	}
	a.keeper = a.newKeeper()
	return a
}

// Run serves until ctx ends. What is assigned is started before systemd is
// told that the agent is ready; containers are not waited for.
func (a *Agent) Run(ctx context.Context) error {
	stopping := context.AfterFunc(ctx, func() { a.Notify.Stopping("stopping; containers go on") })
	defer stopping()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.serve(ctx) })
	group.Go(func() error { a.watchDocker(ctx); return nil })
	a.readConfig()
	group.Go(func() error { a.keepFetching(ctx); return nil })
	group.Go(func() error { a.reconcileOnRequest(ctx); return nil })
	group.Go(func() error { a.keepHouse(ctx); return nil })
	return group.Wait()
}

// reconcileOnRequest reconciles once, and then whenever what is asked for may
// have changed, which abandons what is still being prepared. In between it
// carries out what dockhostctl asks for, one thing at a time.
func (a *Agent) reconcileOnRequest(ctx context.Context) {
	files := a.watch(ctx, filepath.Join(a.Root, filepath.Dir(config.Path)), filepath.Join(a.Root, filesDir))
	a.firstFetch(ctx)
	underWay := a.reconcile(ctx)
	a.Notify.Ready(a.statusLine())
	again := func() {
		underWay.stop()
		underWay = a.reconcile(ctx)
		a.Notify.Status(a.statusLine())
	}
	for {
		select {
		case <-ctx.Done():
			underWay.stop()
			return
		case <-a.Reload:
			a.Log.Info("reading user data again")
			a.Notify.Reloading("reading user data again")
			a.reread(ctx)
			again()
			a.Notify.Ready(a.statusLine())
		case done := <-a.rereads:
			a.reread(ctx)
			again()
			close(done)
		case f := <-a.fetches:
			a.logFetch(f)
			again()
		case <-files:
			if a.readConfig() {
				a.fetchAgain(ctx)
			}
			again()
		case c := <-a.changes:
			c.done <- a.change(ctx, c, underWay)
			a.Notify.Status(a.statusLine())
		}
	}
}

// reread reads the configuration and the user data anew.
func (a *Agent) reread(ctx context.Context) {
	a.readConfig()
	a.fetchAgain(ctx)
}

// watchDocker keeps the status line true while Docker does not answer, and
// ends once it does: from then on each container's supervisor knows better.
func (a *Agent) watchDocker(ctx context.Context) {
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 10 * time.Second}
	for {
		err := a.Engine.Ping(ctx)
		a.setDocker(err)
		if err == nil || tries.Wait(ctx) != nil {
			return
		}
	}
}

func (a *Agent) setDocker(err error) {
	a.mu.Lock()
	was := a.waiting
	a.waiting = ""
	if err != nil {
		a.waiting = fmt.Sprintf("waiting for Docker at %s: %v", a.Engine.Host(), err)
	}
	changed := was != a.waiting
	a.mu.Unlock()
	if !changed {
		return
	}
	if err != nil {
		a.Log.Warn("waiting for Docker", zap.String("host", a.Engine.Host()), zap.Error(err))
	}
	a.Notify.Status(a.statusLine())
}

// statusLine is what `systemctl status dockhost` shows.
func (a *Agent) statusLine() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting != "" {
		return a.waiting
	}
	counts := a.kept.counts()
	line := fmt.Sprintf("%d containers assigned", counts[api.OriginUserData])
	if counts[api.OriginUserData] == 1 {
		line = "1 container assigned"
	}
	if a.awaited != "" {
		line = a.awaited + "; " + line
	}
	switch {
	case a.source.LastKnownGood:
		line += ", last known good: " + a.source.Problems[0]
	case len(a.source.Problems) > 0:
		line += ": " + a.source.Problems[0]
	case a.source.Datasource != "":
		line += " by " + a.source.Datasource + ", instance " + a.source.InstanceID
	case a.awaited == "":
		line += ", no user data"
	}
	if files := counts[api.OriginFile]; files > 0 {
		line += fmt.Sprintf("; %d declared in %s", files, filesDir)
	}
	if local := counts[api.OriginLocal]; local > 0 {
		line += fmt.Sprintf("; %d declared by dockhostctl run", local)
	}
	for _, problem := range a.kept.clashes() {
		line += "; " + problem
	}
	if a.keeper != nil {
		if problem := a.keeper.Status().Problem; problem != "" {
			line += "; " + problem
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.pending)) {
		if p := a.pending[name]; p.Error != "" {
			line += "; " + name + " not updated: " + p.Error
		}
	}
	return line
}
