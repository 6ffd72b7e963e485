package agent

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/internal/dirwatch"
	"github.com/dockhost/dockhost/internal/netwatch"
)

const (
	// missing is what a file looks like that does not exist.
	missing = "missing"
	// used and free are what a port looks like.
	used, free = "used", "free"
	// moreRoom is how many bytes must become free before a pull is worth another try.
	moreRoom = 16 << 20
)

// isCure reports whether something has changed for the better.
func isCure(kind cure.Kind, before, now string) bool {
	switch kind {
	case cure.File:
		return now != before && now != missing
	case cure.Port:
		return now != before && now == free
	case cure.Disk:
		had, _ := strconv.ParseInt(before, 10, 64)
		has, _ := strconv.ParseInt(now, 10, 64)
		return before != "" && has-had >= moreRoom
	case cure.Docker:
		failed, _ := strconv.ParseInt(before, 10, 64)
		changed, _ := strconv.ParseInt(now, 10, 64)
		return changed > failed
	case cure.Network:
	}
	return now != before
}

// senses observe what may cure failures.
type senses struct {
	root string
	// docker returns Docker's changes since a time; nil observes none.
	docker func(ctx context.Context, since time.Time) <-chan engine.Change
	engine imageSource
	house  *house
	// changed receives when something may have changed.
	changed chan struct{}

	// attended is what is watched, and stop ends that.
	attended string
	stop     context.CancelFunc

	mu sync.Mutex
	// latest are the times of Docker's latest changes, by kind.
	latest map[string]time.Time
	// freed counts the processes that held a port and have ended: another one may hold
	// it now.
	freed atomic.Int64
}

func newSenses(o Options, house *house) *senses {
	return &senses{
		root: o.Root, docker: o.Changes, engine: o.Engine, house: house,
		changed: make(chan struct{}, 1), stop: func() {}, latest: map[string]time.Time{},
	}
}

func (s *senses) tell() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// rest ends all watches.
func (s *senses) rest() { s.stop() }

// attend watches for these cures of failures since a time, and for nothing else.
func (s *senses) attend(ctx context.Context, cures []cure.Cure, since time.Time) {
	dirs, ports, kinds := map[string]bool{}, map[string]bool{}, map[cure.Kind]bool{}
	for _, one := range cures {
		kinds[one.Kind] = true
		switch one.Kind {
		case cure.File:
			s.addDirs(dirs, one.Name)
		case cure.Network:
			for _, path := range netwatch.ResolverFiles() {
				s.addDirs(dirs, path)
			}
		case cure.Port:
			ports[one.Name] = true
		case cure.Disk, cure.Docker:
		}
	}
	watched, held := slices.Sorted(maps.Keys(dirs)), slices.Sorted(maps.Keys(ports))
	asksDocker := kinds[cure.Port] || kinds[cure.Disk] || kinds[cure.Docker]
	wanted := fmt.Sprint(watched, held, kinds[cure.Network], asksDocker, s.freed.Load())
	if wanted == s.attended {
		return
	}
	s.stop()
	ctx, s.stop = context.WithCancel(ctx)
	s.attended = wanted
	if len(watched) > 0 {
		changes, _ := dirwatch.Watch(ctx, nil, watched...) // without a watch the usual wait applies
		go s.relay(ctx, changes)
	}
	if kinds[cure.Network] {
		changes, _ := netwatch.Watch(ctx) // as above
		go s.relay(ctx, changes)
	}
	if asksDocker && s.docker != nil {
		go s.followDocker(ctx, since)
	}
	for _, port := range held {
		watchHolders(ctx, s.root, port, func() {
			s.freed.Add(1)
			s.tell()
		})
	}
}

// addDirs adds the directories in which a change of a file is noticed: its own, and that
// of the file that it is a link to.
func (s *senses) addDirs(dirs map[string]bool, path string) {
	path = filepath.Join(s.root, path)
	dirs[filepath.Dir(path)] = true
	if target, err := filepath.EvalSymlinks(path); err == nil {
		dirs[filepath.Dir(target)] = true
	}
}

func (s *senses) relay(ctx context.Context, changes <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-changes:
			if !open {
				return
			}
			s.tell()
		}
	}
}

// followDocker notes what Docker reports since a time. After a connection was lost Docker
// may have another configuration, which is a change of the daemon.
func (s *senses) followDocker(ctx context.Context, since time.Time) {
	const first = time.Second
	tries := backoff.Backoff{Next: first, Cap: 30 * time.Second}
	lost := false
	for {
		if s.house.mayAskDocker(ctx) && s.engine.Ping(ctx) == nil {
			if lost {
				s.note(engine.Change{Kind: "daemon", At: time.Now()})
			}
			for change := range s.docker(ctx, since) {
				s.note(change)
				tries.Next = first
			}
			lost = true
		}
		if tries.Wait(ctx) != nil {
			return
		}
	}
}

func (s *senses) note(change engine.Change) {
	s.mu.Lock()
	if change.At.After(s.latest[change.Kind]) {
		s.latest[change.Kind] = change.At
	}
	s.mu.Unlock()
	s.tell()
}

// now returns what these cures look like.
func (s *senses) now(ctx context.Context, cures []cure.Cure) map[cure.Cure]string {
	seen := map[cure.Cure]string{}
	for _, one := range cures {
		seen[one] = s.sense(ctx, one)
	}
	return seen
}

// atFailure returns what the cures of a failure looked like when it happened, a moment
// ago. A file and something of Docker that have changed since, and a port that is free
// by now, are cures. So is a network that differs from what it was before the try that
// failed: it may have changed during the try, or since.
func (s *senses) atFailure(ctx context.Context, f *failure) map[cure.Cure]string {
	seen := s.now(ctx, f.cures)
	for _, one := range f.cures {
		switch one.Kind {
		case cure.File:
			if changed, err := changeTime(filepath.Join(s.root, one.Name)); err == nil && changed.After(f.at) {
				seen[one] = missing
			}
		case cure.Port:
			seen[one] = used
		case cure.Docker:
			seen[one] = strconv.FormatInt(f.at.UnixNano(), 10)
		case cure.Network:
			if before, known := f.before[one]; known {
				seen[one] = before
			}
			for _, path := range netwatch.ResolverFiles() {
				if changed, err := changeTime(filepath.Join(s.root, path)); err == nil && changed.After(f.at) {
					seen[one] = missing
				}
			}
		case cure.Disk:
		}
	}
	return seen
}

// sense returns what a cure looks like now.
func (s *senses) sense(ctx context.Context, one cure.Cure) string {
	switch one.Kind {
	case cure.File:
		return fileLook(filepath.Join(s.root, one.Name))
	case cure.Network:
		return netwatch.State(s.root)
	case cure.Port:
		if port, err := engine.ParsePort(one.Name); err != nil || port.InUse(ctx) {
			return used
		}
		return free
	case cure.Disk:
		if s.house.keeper == nil || !s.house.mayAskDocker(ctx) {
			return ""
		}
		if room := s.house.keeper.Free(ctx); room < math.MaxInt64 {
			return strconv.FormatInt(room, 10)
		}
	case cure.Docker:
		s.mu.Lock()
		defer s.mu.Unlock()
		if at := s.latest[one.Name]; !at.IsZero() {
			return strconv.FormatInt(at.UnixNano(), 10)
		}
	}
	return ""
}

// fileLook describes a file, so that it differs after a change. It reads none: a file
// may be a pipe, or on a server that does not answer.
func fileLook(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return missing
	}
	changed, _ := changeTime(path)
	return strings.Join([]string{info.Mode().String(), strconv.FormatInt(info.Size(), 10), changed.Format(time.RFC3339Nano)}, " ")
}

// changeTime returns when a file was created, written, or given another mode or owner.
func changeTime(path string) (time.Time, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return time.Time{}, err
	}
	return time.Unix(stat.Ctim.Unix()), nil
}
