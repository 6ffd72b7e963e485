package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/fleetlock"
	"github.com/dockhost/dockhost/agent/gate"
	"github.com/dockhost/dockhost/agent/update"
)

// updates has the machine of each container in force. Only the goroutine that reconciles
// starts and stops them.
type updates struct {
	files update.Files
	// parts are what the machines of all containers share.
	parts updateParts
	log   *zap.Logger

	mu sync.Mutex
	// machines has the machines by the name of the container.
	machines map[string]*runner
	// begun says that it is known which containers are in force.
	begun bool
	// swept says that the records of containers that are not assigned were swept.
	swept bool
}

// runner runs the machine of a container.
type runner struct {
	machine *update.Machine
	host    *updateHost
	// cancel and done are nil while it does not run.
	cancel context.CancelFunc
	done   chan struct{}
}

func newUpdates(root string, parts updateParts, log *zap.Logger) *updates {
	return &updates{files: update.Files{Root: root}, parts: parts, log: log, machines: map[string]*runner{}}
}

// begin runs the machines of a plan, and forgets those of all other containers.
func (u *updates) begin(ctx context.Context, p plan) {
	declared := map[string]hashed{}
	for _, next := range p.successors {
		declared[next.Name] = next
	}
	assigned := map[string]bool{}
	for _, c := range p.accepted.Assignment.Containers {
		assigned[c.Name] = true
	}
	u.sweep(ctx, assigned) // first: a machine that runs may be writing its record
	for _, c := range p.accepted.Assignment.Containers {
		if next, hasNext := declared[c.Name]; hasNext {
			u.start(ctx, c.Name, &next)
		} else {
			u.start(ctx, c.Name, nil)
		}
	}
}

// sweep forgets what ran of containers that are not assigned any more, and after a while
// their history, too. The caller makes sure that no machine runs.
func (u *updates) sweep(ctx context.Context, assigned map[string]bool) {
	u.mu.Lock()
	names := slices.Collect(maps.Keys(u.machines))
	swept := u.swept
	u.swept = true
	u.mu.Unlock()
	if !swept {
		recorded, err := u.files.Names()
		if err != nil {
			u.log.Warn("records of updates not swept", zap.Error(err))
		}
		names = append(names, recorded...)
	}
	for _, name := range names {
		if !assigned[name] {
			u.forget(ctx, name)
		}
	}
	expired, err := u.files.Expire(assigned, time.Now())
	if err != nil {
		u.log.Warn("old records of updates not removed", zap.Error(err))
	}
	if len(expired) > 0 {
		u.log.Info("history of containers that are not assigned any more removed", zap.Strings("containers", expired))
	}
}

// start runs the machine of a container, which may have a successor. It ends with ctx.
func (u *updates) start(ctx context.Context, name string, declared *hashed) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.machines[name]
	if r == nil {
		host := newUpdateHost(name, u.parts)
		r = &runner{host: host, machine: update.New(name, host, u.files, u.log)}
		u.machines[name] = r
	}
	r.host.declare(declared)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	r.cancel, r.done = cancel, done
	go func() {
		defer close(done)
		defer cancel()
		if declared != nil {
			r.host.deployer.await(ctx, declared.Container)
		}
		r.machine.Run(ctx)
	}()
}

// stop stops the machines of the given names, or all, and returns when they have
// stopped. Each continues where it was when it is started again.
func (u *updates) stop(names ...string) {
	u.mu.Lock()
	if len(names) == 0 {
		names = slices.Collect(maps.Keys(u.machines))
	}
	var stopping []chan struct{}
	for _, name := range names {
		if r := u.machines[name]; r != nil && r.cancel != nil {
			r.cancel()
			stopping = append(stopping, r.done)
			r.cancel, r.done = nil, nil
		}
	}
	u.mu.Unlock()
	for _, done := range stopping {
		<-done
	}
}

// forget drops the machine of a container that is not assigned any more.
func (u *updates) forget(ctx context.Context, name string) {
	u.stop(name)
	u.mu.Lock()
	r := u.machines[name]
	delete(u.machines, name)
	u.mu.Unlock()
	if r != nil {
		go r.host.EndBeside(ctx) // nothing waits for its stop
	}
	if err := u.files.Unassigned(name); err != nil {
		u.log.Warn("state of the update not forgotten", zap.String("container", name), zap.Error(err))
	}
}

// look has the machines look at their containers again.
func (u *updates) look() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range u.machines {
		r.host.look()
	}
}

// wake has the machines look at everything again: a container was started, for example.
func (u *updates) wake() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range u.machines {
		r.machine.Wake()
	}
}

// setBegun says that it is known which containers are in force.
func (u *updates) setBegun() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.begun = true
}

// errStarting means that the agent does not know yet what is in force.
var errStarting = errors.New("the agent is starting: try again")

// machine returns the machine of a container. The error is [errNoContainer] if none of
// that name is in force, [errStarting] if that is not known yet.
func (u *updates) machine(name string) (*update.Machine, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.begun {
		return nil, errStarting
	}
	if r := u.machines[name]; r != nil {
		return r.machine, nil
	}
	return nil, fmt.Errorf("%w: %q (see: dockhostctl status)", errNoContainer, name)
}

// views returns what the machines do, by the name of the container.
func (u *updates) views() map[string]update.View {
	u.mu.Lock()
	machines := maps.Clone(u.machines)
	u.mu.Unlock()
	views := make(map[string]update.View, len(machines))
	for name, r := range machines {
		views[name] = r.machine.View()
	}
	return views
}

// history returns the updates of a container, or of all, that have ended, the newest
// first.
func (u *updates) history(name string) ([]api.HistoryEntry, error) {
	names := []string{name}
	if name == "" {
		var err error
		if names, err = u.files.Names(); err != nil {
			return nil, err
		}
	}
	entries := []api.HistoryEntry{}
	var errs []error
	for _, name := range names {
		record, err := u.files.Load(name)
		errs = append(errs, err)
		entries = append(entries, record.History...)
	}
	slices.SortStableFunc(entries, func(a, b api.HistoryEntry) int { return b.Ended.Compare(a.Ended) })
	return entries, errors.Join(errs...)
}

// slotUsers returns the containers whose updates need a slot of a fleet.
func (u *updates) slotUsers() []fleetlock.User {
	u.mu.Lock()
	defer u.mu.Unlock()
	var users []fleetlock.User
	for name, r := range u.machines {
		current, _ := r.host.InForce()
		if current == nil {
			continue
		}
		if lock, shared := gate.LockOf(r.host.Settings(current)); shared {
			users = append(users, fleetlock.User{Name: name, Lock: lock, Updating: r.machine.Replaced()})
		}
	}
	return users
}
