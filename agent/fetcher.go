package agent

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec/gce"
)

// reloadPatience bounds how long a reload waits for a metadata service. An answer
// that arrives later is used then.
const reloadPatience = 10 * time.Second

// Finder finds the user data of this host, as [datasource.Find] does.
type Finder func(context.Context, datasource.Options) (datasource.Source, *cloudinit.UserData, error)

// fetched is the outcome of fetching the user data once. The zero value means that
// there was no answer yet.
type fetched struct {
	at     time.Time
	source datasource.Source
	data   *cloudinit.UserData
	// err is why there is no data.
	err error
	// result is what the data assigns, before the policy is applied; wrong is what
	// is wrong with the data.
	result *assignment.Result
	wrong  error
	// requested is true when a caller asked for this fetch.
	requested bool
}

// same reports whether two fetches have the same outcome.
func (f fetched) same(g fetched) bool {
	if f.err != nil || g.err != nil {
		return f.err != nil && g.err != nil && f.err.Error() == g.err.Error()
	}
	return f.data != nil && g.data != nil && f.data.Datasource == g.data.Datasource && f.data.InstanceID == g.data.InstanceID &&
		bytes.Equal(f.data.Raw, g.data.Raw) && bytes.Equal(f.data.Declaration, g.data.Declaration) && f.assignsSame(g)
}

// assignsSame compares what two fetches assign. Includes may differ although the
// user data is the same.
func (f fetched) assignsSame(g fetched) bool {
	if f.wrong != nil || g.wrong != nil {
		return f.wrong != nil && g.wrong != nil && f.wrong.Error() == g.wrong.Error()
	}
	return equal(*f.result.Assignment, *g.result.Assignment)
}

// fetcher fetches the user data, and fetches it again when it may have changed.
type fetcher struct {
	root   string
	dir    rundir.Dir
	config *configuration
	find   Finder
	// intake bounds parser, which parses user data.
	intake *intake
	parser func(context.Context, *cloudinit.UserData, assignment.Options) (*assignment.Result, error)
	// report is called when what the fetcher waits for changes.
	report func()
	log    *zap.Logger

	// results delivers each outcome that is new or was requested.
	results chan fetched
	// requests has the user data fetched now.
	requests chan struct{}
	// asking receives when a metadata service is about to be asked.
	asking chan struct{}

	mu     sync.Mutex
	latest fetched
	// waitsFor describes the data that the fetcher waits for, "" when it waits for
	// none, and waitsSince when it began to wait.
	waitsFor   string
	waitsSince time.Time
}

func newFetcher(o Options, dir rundir.Dir, config *configuration, report func()) *fetcher {
	return &fetcher{
		root: o.Root, dir: dir, config: config, find: o.Find, report: report, log: o.Log,
		intake: newIntake(), parser: assignment.Parse,
		results: make(chan fetched), requests: make(chan struct{}), asking: make(chan struct{}, 1),
	}
}

// run fetches the user data, and again when one of its files changes, when its
// source reports a change, when the poll interval is over, and on request. It
// ends with ctx.
func (f *fetcher) run(ctx context.Context) {
	files := watchDirs(ctx, f.log, nil, datasource.Dirs(f.root)...)
	requested := true
	for {
		result, interrupted := f.fetchOnce(ctx, files)
		if ctx.Err() != nil {
			return
		}
		if interrupted {
			requested = true
			continue
		}
		result.requested = requested
		if f.note(result) || result.requested {
			select {
			case <-ctx.Done():
				return
			case f.results <- result:
			}
		}
		requested = f.awaitChange(ctx, result, files)
	}
}

// fetchOnce fetches the user data. A request, or a change of a file, interrupts it
// before there is an answer.
func (f *fetcher) fetchOnce(ctx context.Context, files <-chan struct{}) (result fetched, interrupted bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answer := make(chan fetched, 1)
	go func() { answer <- f.fetch(ctx) }()
	select {
	case result = <-answer:
		return result, false
	case <-f.requests:
	case <-files: // data on the host takes precedence over a silent metadata service
	}
	cancel()
	<-answer
	return fetched{}, true
}

// fetch fetches the user data, until there is an answer or ctx ends.
func (f *fetcher) fetch(ctx context.Context) fetched {
	c, err := f.config.get()
	if c == nil {
		return fetched{at: time.Now(), err: err}
	}
	options := datasource.Options{
		Root: f.root, Names: c.Datasources, IMDSv1: c.IMDSv1,
		Fetched: !f.dir.Fetched(), Asking: f.noteAsking, Waiting: f.setWaitsFor,
	}
	source, data, err := f.find(ctx, options)
	result := fetched{source: source, data: data, err: err}
	if err == nil {
		result.result, result.wrong = f.parse(ctx, data, c.Include, options)
	}
	result.at = time.Now()
	f.setWaitsFor("")
	if err == nil {
		if err := f.dir.SetFetched(); err != nil {
			f.log.Warn("what cloud-init fetched may be used again", zap.Error(err))
		}
	}
	return result
}

// parse parses user data, and what it includes where includes are on.
func (f *fetcher) parse(ctx context.Context, data *cloudinit.UserData, includes bool, o datasource.Options) (*assignment.Result, error) {
	return f.intake.read(ctx, func(ctx context.Context, watch *stopwatch) (*assignment.Result, error) {
		options := assignment.Options{Declaration: gce.Read}
		if includes {
			options.Include = func(ctx context.Context, address string) ([]byte, error) {
				defer watch.pause()()
				return datasource.Include(ctx, o, address)
			}
		}
		return f.parser(ctx, data, options)
	})
}

// noteAsking wakes [fetcher.first], since the answer may take long.
func (f *fetcher) noteAsking() {
	select {
	case f.asking <- struct{}{}:
	default:
	}
}

func (f *fetcher) setWaitsFor(what string) {
	f.mu.Lock()
	changed := f.waitsFor != what
	if f.waitsFor == "" {
		f.waitsSince = time.Now()
	}
	f.waitsFor = what
	f.mu.Unlock()
	if !changed {
		return
	}
	if what != "" {
		f.log.Info(what)
	}
	f.report()
}

// waiting describes the data that the fetcher waits for, "" when it waits for
// none.
func (f *fetcher) waiting() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waitsFor
}

// failed reports whether a service could not be asked yet, and since when.
func (f *fetcher) failed() (since time.Time, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.waitsFor != "":
		return f.waitsSince, true
	case f.latest.err != nil && !errors.Is(f.latest.err, datasource.ErrNotFound):
		return f.latest.at, true
	}
	return time.Time{}, false
}

// retry has the user data fetched again, without waiting for it.
func (f *fetcher) retry(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	select {
	case f.requests <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// note keeps an outcome, and says whether it differs from the one before.
func (f *fetcher) note(result fetched) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	isNew := !result.same(f.latest)
	f.latest = result
	return isNew
}

// last returns the latest outcome.
func (f *fetcher) last() fetched {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest
}

// awaitChange returns when the user data may have changed, and says whether a
// fetch was requested.
func (f *fetcher) awaitChange(ctx context.Context, result fetched, files <-chan struct{}) (requested bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var changed chan struct{}
	var poll <-chan time.Time
	if watcher, ok := result.source.(datasource.Watcher); ok {
		changed = make(chan struct{})
		go f.watchSource(ctx, watcher, changed)
	} else if interval := f.pollInterval(result); interval > 0 {
		timer := time.NewTimer(jittered(interval))
		defer timer.Stop()
		poll = timer.C
	}
	select {
	case <-ctx.Done():
	case <-f.requests:
		return true
	case <-files:
	case <-changed:
	case <-poll:
	}
	return false
}

// watchSource closes changed when the source reports a change.
func (f *fetcher) watchSource(ctx context.Context, watcher datasource.Watcher, changed chan<- struct{}) {
	tries := backoff.Backoff{Next: time.Second, Cap: 5 * time.Minute}
	for {
		err := watcher.Changed(ctx)
		if err == nil {
			close(changed)
			return
		}
		f.log.Debug("the datasource reports no changes, trying again", zap.Error(err))
		if tries.Wait(ctx) != nil {
			return
		}
	}
}

// pollInterval is the time until the next fetch, 0 for never: a watched directory
// reports its changes, and a host without a datasource runs what is declared on
// it.
func (f *fetcher) pollInterval(result fetched) time.Duration {
	c, _ := f.config.get()
	if c == nil || errors.Is(result.err, datasource.ErrNotFound) || result.data != nil && datasource.Watched(result.data.Path) {
		return 0
	}
	return c.Poll
}

// jittered varies an interval by a tenth either way, so that the hosts of a fleet
// do not ask at the same time.
func jittered(interval time.Duration) time.Duration {
	return interval - interval/10 + rand.N(interval/5) //nolint:gosec // G404: a guess gains nothing
}

// first waits for the user data as long as the data is on this host. If a metadata
// service is asked, it returns at once: until the service answers, the assignment
// that was accepted last is in force.
func (f *fetcher) first(ctx context.Context) {
	select {
	case <-ctx.Done():
	case result := <-f.results:
		f.logResult(result)
	case <-f.asking:
	}
}

// refetch has the user data fetched again, and returns when it is there or took
// too long.
func (f *fetcher) refetch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reloadPatience)
	defer cancel()
	request := f.requests
	for {
		select {
		case <-ctx.Done():
			return
		case request <- struct{}{}:
			request = nil
		case result := <-f.results: // it may have been on its way before the request
			f.logResult(result)
			if request == nil && result.requested {
				return
			}
		}
	}
}

func (f *fetcher) logResult(result fetched) {
	switch {
	case errors.Is(result.err, datasource.ErrNotFound):
		f.log.Info(result.err.Error())
	case result.err == nil && result.data != nil:
		data := result.data
		f.log.Debug("user data read", zap.String("datasource", data.Datasource), zap.String("found_by", data.How), zap.String("path", data.Path),
			zap.String("instance_id", data.InstanceID), zap.Int("bytes", len(data.Raw)))
	}
}
