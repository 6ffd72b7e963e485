package agent

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/config"
	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/internal/dirwatch"
	"github.com/dockhost/dockhost/spec/gce"
)

// reloadPatience bounds how long a reload waits for a metadata service; what
// it says later is taken over then.
const reloadPatience = 10 * time.Second

// Finder finds the user data of this host, as [datasource.Find] does.
type Finder func(context.Context, datasource.Options) (datasource.Source, *cloudinit.UserData, error)

// fetch is what asking for the user data brought. The zero value is no answer
// yet.
type fetch struct {
	at     time.Time
	source datasource.Source
	data   *cloudinit.UserData
	err    error
	// result is what the data comes to, and wrong what is wrong with it.
	result *assignment.Result
	wrong  error
	// asked says that it was begun after somebody asked for it.
	asked bool
}

// same says whether two fetches brought the same.
func (f fetch) same(g fetch) bool {
	if f.err != nil || g.err != nil {
		return f.err != nil && g.err != nil && f.err.Error() == g.err.Error()
	}
	return f.data != nil && g.data != nil && f.data.Datasource == g.data.Datasource && f.data.InstanceID == g.data.InstanceID &&
		bytes.Equal(f.data.Raw, g.data.Raw) && bytes.Equal(f.data.Declaration, g.data.Declaration) && f.comesToSame(g)
}

// comesToSame says whether two fetches come to the same, which includes need
// not, though the user data is the same.
func (f fetch) comesToSame(g fetch) bool {
	if f.wrong != nil || g.wrong != nil {
		return f.wrong != nil && g.wrong != nil && f.wrong.Error() == g.wrong.Error()
	}
	return equal(*f.result.Assignment, *g.result.Assignment)
}

// readConfig reads the agent's configuration. One that is wrong changes nothing
// in what was in force; at the start of the agent it keeps user data from being
// asked for, for it may say where not to.
func (a *Agent) readConfig() (changed bool) {
	c, err := config.Read(a.Root, datasource.Names())
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.configErr = err
		return false
	}
	changed = a.config == nil || !a.config.Equal(c)
	a.config, a.configErr = &c, nil
	return changed
}

// find asks for the user data, until there is an answer or ctx ends.
func (a *Agent) find(ctx context.Context) fetch {
	a.mu.Lock()
	c, err := a.config, a.configErr
	a.mu.Unlock()
	if c == nil {
		return fetch{at: time.Now(), err: err}
	}
	options := datasource.Options{
		Root: a.Root, Names: c.Datasources, IMDSv1: c.IMDSv1,
		Fetched: !a.Dir.Fetched(), Asking: a.beginWithout, Waiting: a.setAwaited,
	}
	source, data, err := a.Find(ctx, options)
	f := fetch{source: source, data: data, err: err}
	if err == nil {
		f.result, f.wrong = a.take(ctx, data, c.Include, options)
	}
	f.at = time.Now()
	a.setAwaited("")
	if err == nil {
		if err := a.Dir.SetFetched(); err != nil {
			a.Log.Warn("what cloud-init fetched may be used again", zap.Error(err))
		}
	}
	return f
}

// take reads user data, and what it includes, where that is allowed.
func (a *Agent) take(ctx context.Context, data *cloudinit.UserData, includes bool, o datasource.Options) (*assignment.Result, error) {
	options := assignment.Options{Declaration: gce.Read}
	if includes {
		options.Include = func(ctx context.Context, address string) ([]byte, error) { return datasource.Include(ctx, o, address) }
	}
	return assignment.Parse(ctx, data, options)
}

// setAwaited notes what user data is being waited for, "" when for nothing.
func (a *Agent) setAwaited(what string) {
	a.mu.Lock()
	changed := a.awaited != what
	a.awaited = what
	a.mu.Unlock()
	if !changed {
		return
	}
	if what != "" {
		a.Log.Info(what)
	}
	a.Notify.Status(a.statusLine())
}

// beginWithout has the agent begin before the user data is there.
func (a *Agent) beginWithout() {
	select {
	case a.patient <- struct{}{}:
	default:
	}
}

// keepFetching asks for the user data, and asks again when it may have changed:
// when a file of it does, when its source tells so, from time to time, and when
// somebody wants it. It ends with ctx.
func (a *Agent) keepFetching(ctx context.Context) {
	files := a.watch(ctx, datasource.Dirs(a.Root)...)
	asked := true
	for {
		f, wanted := a.fetchOnce(ctx, files)
		if ctx.Err() != nil {
			return
		}
		if wanted {
			asked = true
			continue
		}
		f.asked = asked
		if a.noteFetch(f) || f.asked {
			select {
			case <-ctx.Done():
				return
			case a.fetches <- f:
			}
		}
		asked = a.untilChange(ctx, f, files)
	}
}

// fetchOnce asks for the user data once. wanted says that somebody wants it
// asked for anew, before there was an answer.
func (a *Agent) fetchOnce(ctx context.Context, files <-chan struct{}) (f fetch, wanted bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answer := make(chan fetch, 1)
	go func() { answer <- a.find(ctx) }()
	select {
	case f = <-answer:
		return f, false
	case <-a.refetch:
	case <-files: // data on the host goes before a metadata service that is silent
	}
	cancel()
	<-answer
	return fetch{}, true
}

// untilChange returns when the user data may be another one, and whether
// somebody asked for it.
func (a *Agent) untilChange(ctx context.Context, f fetch, files <-chan struct{}) (asked bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var told chan struct{}
	var poll <-chan time.Time
	if watcher, does := f.source.(datasource.Watcher); does {
		told = make(chan struct{})
		go a.awaitChange(ctx, watcher, told)
	} else if every := a.pollInterval(f); every > 0 {
		timer := time.NewTimer(jittered(every))
		defer timer.Stop()
		poll = timer.C
	}
	select {
	case <-ctx.Done():
	case <-a.refetch:
		return true
	case <-files:
	case <-told:
	case <-poll:
	}
	return false
}

// awaitChange closes told when the source tells of a change.
func (a *Agent) awaitChange(ctx context.Context, watcher datasource.Watcher, told chan<- struct{}) {
	tries := backoff.Backoff{Next: time.Second, Cap: 5 * time.Minute}
	for {
		err := watcher.Changed(ctx)
		if err == nil {
			close(told)
			return
		}
		a.Log.Debug("the datasource does not tell of changes", zap.Error(err))
		if tries.Wait(ctx) != nil {
			return
		}
	}
}

// pollInterval is how often to ask again, 0 for never: what is in a directory
// that is watched tells of its changes, and a host that no datasource has data
// for runs what is declared on it.
func (a *Agent) pollInterval(f fetch) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.config == nil || errors.Is(f.err, datasource.ErrNotFound) || f.data != nil && datasource.Watched(f.data.Path) {
		return 0
	}
	return a.config.Poll
}

// jittered spreads what a fleet does at one interval over a fifth of it.
func jittered(every time.Duration) time.Duration {
	return every - every/10 + rand.N(every/5) //nolint:gosec // G404: nobody gains from guessing it
}

// noteFetch notes what was fetched, and says whether it is something new.
func (a *Agent) noteFetch(f fetch) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	isNew := !f.same(a.fetched)
	a.fetched = f
	return isNew
}

func (a *Agent) lastFetch() fetch {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fetched
}

// firstFetch waits for the user data as long as that needs nothing but this
// host. Where a metadata service is asked, what was accepted last is put in
// force before it answers.
func (a *Agent) firstFetch(ctx context.Context) {
	select {
	case <-ctx.Done():
	case f := <-a.fetches:
		a.logFetch(f)
	case <-a.patient:
	}
}

// fetchAgain has the user data read anew, and returns once it is there or has
// taken too long.
func (a *Agent) fetchAgain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reloadPatience)
	defer cancel()
	ask := a.refetch
	for {
		select {
		case <-ctx.Done():
			return
		case ask <- struct{}{}:
			ask = nil
		case f := <-a.fetches: // also what was on its way before
			a.logFetch(f)
			if ask == nil && f.asked {
				return
			}
		}
	}
}

func (a *Agent) logFetch(f fetch) {
	switch {
	case errors.Is(f.err, datasource.ErrNotFound):
		a.Log.Info(f.err.Error())
	case f.err == nil && f.data != nil:
		a.Log.Info("user data read", zap.String("datasource", f.data.Datasource), zap.String("found_by", f.data.How), zap.String("path", f.data.Path),
			zap.String("instance_id", f.data.InstanceID), zap.Int("bytes", len(f.data.Raw)))
	}
}

// watch tells of changes in directories. Without, on a host that allows no more
// watches, a reload does.
func (a *Agent) watch(ctx context.Context, dirs ...string) <-chan struct{} {
	changes, err := dirwatch.Watch(ctx, dirs...)
	if err != nil {
		a.Log.Warn("changes of files are not seen by themselves (after one, run: systemctl reload dockhost)", zap.Error(err))
	}
	return changes
}
