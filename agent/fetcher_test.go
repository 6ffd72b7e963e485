package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/cloudinit/datasource"
)

// fakeService is a metadata service that can report changes.
type fakeService struct {
	mu   sync.Mutex
	text string
	// down stops the answers until it is closed; nil does not.
	down chan struct{}
	// changed receives for each change to report.
	changed chan struct{}
	reads   int
}

func (f *fakeService) Name() string { return "GCE" }

func (f *fakeService) Read(context.Context) (*cloudinit.UserData, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return &cloudinit.UserData{Datasource: "GCE", How: "DMI", InstanceID: "i-1", Path: "http://metadata/user-data", Raw: []byte(f.text)}, nil
}

// Changed implements [datasource.Watcher].
func (f *fakeService) Changed(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.changed:
		return nil
	}
}

func (f *fakeService) find(ctx context.Context, o datasource.Options) (datasource.Source, *cloudinit.UserData, error) {
	o.Asking()
	if f.down != nil {
		o.Waiting("waiting for the metadata service")
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-f.down:
		}
	}
	data, err := f.Read(ctx)
	return f, data, err
}

func (f *fakeService) set(section string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = "#cloud-config\n" + section
}

// serving runs an agent on the host until the test ends.
func (h *testHost) serving(find Finder, change func(*Options)) *Agent {
	h.Helper()
	a := h.agent(func(o *Options) {
		o.Find = find
		if change != nil {
			change(o)
		}
	})
	a.config.read()
	ctx, cancel := context.WithCancel(h.Context())
	var all sync.WaitGroup
	all.Go(func() { a.fetcher.run(ctx) })
	all.Go(func() { a.reconcileOnRequest(ctx) })
	h.Cleanup(func() {
		cancel()
		all.Wait()
	})
	return a
}

func (h *testHost) eventually(what string, check func() error) {
	h.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			h.Fatalf("%s: %v", what, err)
		}
		select {
		case <-h.Context().Done():
			h.Fatal("the test has ended")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// runs waits until exactly these containers run, each with its number of starts.
func (h *testHost) runs(want map[string]int) {
	h.Helper()
	h.eventually("containers run", func() error {
		if got := h.units.running(); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("running %v, want %v", got, want)
		}
		return nil
	})
}

func (h *testHost) says(want string) {
	h.Helper()
	h.eventually("the status line", func() error {
		if got := h.notify.last(); got != want {
			return fmt.Errorf("it is %q, want %q", got, want)
		}
		return nil
	})
}

// What was accepted before runs although the metadata service does not answer.
func TestLastKnownGoodWhileServiceIsDown(t *testing.T) {
	h := newTestHost(t)
	service := &fakeService{}
	service.set(containers("web nginx:1"))
	first := h.agent(func(o *Options) { o.Find = service.find })
	first.takeOver(t.Context()).wait()
	h.boot()

	service.down = make(chan struct{})
	a := h.serving(service.find, nil)
	h.runs(map[string]int{"web": 1})
	h.says("waiting for the metadata service; 1 container assigned")
	if s := a.server.userData().Source; s.Waiting == "" || s.LastKnownGood || s.Note == "" {
		t.Errorf("source = %+v, want it to wait", s)
	}
	service.set(containers("web nginx:1", "db postgres:1"))
	close(service.down)
	h.runs(map[string]int{"web": 1, "db": 1})
	h.says("2 containers assigned by GCE, instance i-1")
}

// Data on the host takes precedence over a metadata service that does not answer.
func TestSeedWhileWaiting(t *testing.T) {
	h := newTestHost(t)
	service := &fakeService{down: make(chan struct{})}
	h.serving(func(ctx context.Context, o datasource.Options) (datasource.Source, *cloudinit.UserData, error) {
		source, data, err := datasource.Find(ctx, o)
		if err == nil {
			return source, data, nil
		}
		return service.find(ctx, o)
	}, nil)
	h.says("waiting for the metadata service; 0 containers assigned")
	h.userData("i-1", containers("web nginx:1"))
	h.runs(map[string]int{"web": 1})
}

func TestServiceReportsChange(t *testing.T) {
	h := newTestHost(t)
	service := &fakeService{changed: make(chan struct{})}
	service.set(containers("web nginx:1"))
	h.serving(service.find, nil)
	h.runs(map[string]int{"web": 1})
	service.set(containers("db postgres:1"))
	service.changed <- struct{}{}
	h.runs(map[string]int{"db": 1})
	// A report without a change restarts nothing.
	service.changed <- struct{}{}
	service.changed <- struct{}{}
	h.runs(map[string]int{"db": 1})
}

// Changes of files are noticed without a reload.
func TestFileChangesAreNoticed(t *testing.T) {
	h := newTestHost(t)
	a := h.serving(datasource.Find, nil)
	h.says("0 containers assigned, no user data")
	h.userData("i-1", containers("web nginx:1"))
	h.runs(map[string]int{"web": 1})
	h.file("db.yaml", "db postgres:1")
	h.runs(map[string]int{"web": 1, "db": 1})
	h.userData("i-2", containers("other nginx:1"))
	h.runs(map[string]int{"other": 1, "db": 1})

	// A wrong configuration changes nothing, and is reported.
	h.write("/etc/dockhost/dockhost.yaml", "datasource: Ec3\n")
	h.eventually("the configuration is refused", func() error {
		if problems := strings.Join(a.server.userData().Source.Problems, "\n"); !strings.Contains(problems, "/etc/dockhost/dockhost.yaml:1:1 datasource: unknown datasource") {
			return fmt.Errorf("problems are %q", problems)
		}
		return nil
	})
	h.runs(map[string]int{"other": 1, "db": 1})
}

// With a configuration that is wrong at the start no datasource is asked, and what was
// accepted before is in force.
func TestWrongConfigAtStart(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	h.agent().takeOver(t.Context()).wait()
	h.boot()
	h.write("/etc/dockhost/dockhost.yaml", "datasource: [\n")
	a := h.serving(func(context.Context, datasource.Options) (datasource.Source, *cloudinit.UserData, error) {
		t.Error("a datasource is asked")
		return nil, nil, errors.New("asked")
	}, nil)
	h.runs(map[string]int{"web": 1})
	h.eventually("the problem is reported", func() error {
		if s := a.server.userData().Source; !s.LastKnownGood || len(s.Problems) != 1 {
			return fmt.Errorf("source is %+v", s)
		}
		return nil
	})
}

func TestReload(t *testing.T) {
	h := newTestHost(t)
	service := &fakeService{}
	service.set(containers("web nginx:1"))
	reload := make(chan struct{})
	h.serving(service.find, func(o *Options) { o.Reload = reload })
	h.runs(map[string]int{"web": 1})
	service.set(containers("db postgres:1"))
	reload <- struct{}{}
	h.runs(map[string]int{"db": 1})
	service.mu.Lock()
	defer service.mu.Unlock()
	if service.reads != 2 {
		t.Errorf("the service was asked %d times, want 2", service.reads)
	}
}

// A reload gets the current data even if an older answer is on its way.
func TestReloadSkipsOlderAnswer(t *testing.T) {
	h := newTestHost(t)
	service := &fakeService{}
	service.set(containers("web nginx:1"))
	a := h.agent(func(o *Options) { o.Find = service.find })
	a.config.read()
	ctx, cancel := context.WithCancel(t.Context())
	var fetching sync.WaitGroup
	fetching.Go(func() { a.fetcher.run(ctx) })
	<-a.fetcher.asking // the first answer is about to be delivered, and nobody receives it
	h.eventually("the first answer", func() error {
		if a.fetcher.last().data == nil {
			return errors.New("none yet")
		}
		return nil
	})
	service.set(containers("db postgres:1"))
	a.fetcher.refetch(ctx)
	if ctx.Err() != nil || !strings.Contains(string(a.fetcher.last().data.Raw), "postgres:1") {
		t.Errorf("a reload got %q", a.fetcher.last().data.Raw)
	}
	cancel()
	fetching.Wait()
}

// A clone does not run what was assigned to its original, even if both have the same
// machine-id.
func TestCloneWithTheSameMachineID(t *testing.T) {
	h := newTestHost(t)
	service := &fakeService{}
	service.set(containers("web nginx:1"))
	uuid := "/sys/class/dmi/id/product_uuid"
	h.write(uuid, "EC2A-1\n")
	a := h.agent(func(o *Options) { o.Find = service.find })
	a.takeOver(t.Context()).wait()
	h.boot()
	h.write(uuid, "ec2b-2\n")
	service.down = make(chan struct{})
	h.serving(service.find, nil)
	h.says("waiting for the metadata service; 0 containers assigned")
	h.runs(map[string]int{})
}

// Only sources that do not report changes are polled.
func TestPollInterval(t *testing.T) {
	h := newTestHost(t)
	a := h.agent()
	a.config.read()
	network := fetched{data: &cloudinit.UserData{Path: "http://169.254.169.254/latest/user-data"}}
	tests := []struct {
		name string
		f    fetched
		want bool
	}{
		{"a metadata service", network, true},
		{"a disc", fetched{data: &cloudinit.UserData{Path: "/dev/sr0:/user-data"}}, true},
		{"a seed directory", fetched{data: &cloudinit.UserData{Path: seedDir + "/user-data"}}, false},
		{"nothing", fetched{err: datasource.ErrNotFound}, false},
		{"a service that refuses", fetched{err: errors.New("400")}, true},
	}
	for _, test := range tests {
		if interval := a.fetcher.pollInterval(test.f); (interval > 0) != test.want {
			t.Errorf("%s is polled every %s, want it polled: %v", test.name, interval, test.want)
		}
	}
	h.write("/etc/dockhost/dockhost.yaml", "datasource: {poll: off}\n")
	a.config.read()
	if interval := a.fetcher.pollInterval(network); interval != 0 {
		t.Errorf("with poll: off it is polled every %s", interval)
	}
}
