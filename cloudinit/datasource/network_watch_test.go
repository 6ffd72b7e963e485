package datasource

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/cloudinit/datasource/fakecloud"
)

// only GCE's service can tell of a change.
func TestWatchers(t *testing.T) {
	for _, k := range networkKinds() {
		_, ok := k.open(Options{}, newHost(t.TempDir())).(Watcher)
		if ok != (k.name == "GCE") {
			t.Errorf("%s is a Watcher: %v", k.name, ok)
		}
	}
}

func watchedCloud(t *testing.T) (*cloud, Watcher) {
	t.Helper()
	c := newCloud(t, "GCE")
	c.net.poll = time.Minute
	source := c.source(Options{}).(Watcher)
	if _, err := source.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, source
}

// polls are the requests that wait for a change.
func (c *cloud) polls() []string {
	return slices.DeleteFunc(c.Requests(), func(r string) bool { return !strings.Contains(r, "wait_for_change=true") })
}

// waits returns when so many requests that wait have come.
func (c *cloud) waits(n int) {
	c.t.Helper()
	for len(c.polls()) < n {
		select {
		case <-c.t.Context().Done():
			c.t.Fatalf("%d requests wait, want %d", len(c.polls()), n)
		case <-time.After(time.Millisecond):
		}
	}
}

func changed(t *testing.T, source Watcher) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- source.Changed(t.Context()) }()
	return done
}

func TestChanged(t *testing.T) {
	tests := []struct {
		name   string
		change func(*fakecloud.Instance)
	}{
		{"user data", func(i *fakecloud.Instance) { i.UserData = []byte("#cloud-config\n") }},
		{"no user data", func(i *fakecloud.Instance) { i.UserData = nil }},
		{"encoding", func(i *fakecloud.Instance) { i.Encoding = "base64" }},
		{"declaration", func(i *fakecloud.Instance) { i.Declaration = "spec: {}" }},
	}
	for _, tt := range tests {
		t.Run("GCE/"+tt.name, func(t *testing.T) {
			c, source := watchedCloud(t)
			done := changed(t, source)
			c.waits(2) // one for the tag, which is answered at once, one with it
			c.edit(tt.change)
			if err := <-done; err != nil {
				t.Errorf("Changed() = %v, want nil", err)
			}
		})
	}
}

// What changed between Read and Changed is not missed.
func TestChangedBefore(t *testing.T) {
	t.Run("GCE", func(t *testing.T) {
		c, source := watchedCloud(t)
		c.edit(func(i *fakecloud.Instance) { i.UserData = []byte("#cloud-config\n") })
		if err := source.Changed(t.Context()); err != nil {
			t.Errorf("Changed() = %v, want nil", err)
		}
		if polls := c.polls(); len(polls) != 1 {
			t.Errorf("it asked %q, want once", polls)
		}
	})
}

// Another attribute, such as an SSH key, is no change of the user data.
func TestChangedOther(t *testing.T) {
	t.Run("GCE", func(t *testing.T) {
		c, source := watchedCloud(t)
		done := changed(t, source)
		c.waits(2)
		c.edit(func(i *fakecloud.Instance) { i.Attributes = map[string]string{"ssh-keys": "me:ssh-ed25519 AAAA"} })
		c.waits(3)
		select {
		case err := <-done:
			t.Fatalf("Changed() = %v after another attribute changed", err)
		default:
		}
		c.edit(func(i *fakecloud.Instance) { i.UserData = nil })
		if err := <-done; err != nil {
			t.Errorf("Changed() = %v, want nil", err)
		}
		if polls := c.polls(); !strings.Contains(polls[0], "last_etag=0") || strings.Contains(polls[1], "last_etag=0") {
			t.Errorf("it asked %q, want with the tag that it got", polls)
		}
	})
}

// What goes wrong meanwhile ends nothing.
func TestChangedFaults(t *testing.T) {
	for name, fault := range map[string]fakecloud.Fault{
		"503": {Status: 503}, "403": {Status: 403}, "reset": {Reset: true}, "huge": {Huge: true},
		"redirect": {Redirect: "http://203.0.113.7/"}, "slow": {Stall: true},
	} {
		t.Run("GCE/"+name, func(t *testing.T) {
			c, source := watchedCloud(t)
			if fault.Stall {
				w := source.(watched)
				w.request, w.poll = 50*time.Millisecond, 0
			}
			fault.First = 3
			c.Fail(&fault)
			done := changed(t, source)
			c.waits(4)
			c.edit(func(i *fakecloud.Instance) { i.UserData = nil })
			if err := <-done; err != nil {
				t.Errorf("Changed() = %v, want nil", err)
			}
		})
	}
}

// A service that answers without waiting is not asked without a pause.
func TestChangedNoBusyLoop(t *testing.T) {
	t.Run("GCE", func(t *testing.T) {
		c := newCloud(t, "GCE")
		c.net.first, c.net.longest = time.Hour, time.Hour // and a poll of 0 s
		source := c.source(Options{}).(Watcher)
		if _, err := source.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		over := errors.New("over")
		done := make(chan error, 1)
		go func() { done <- source.Changed(ctx) }()
		c.waits(1)
		cancel(over)
		if err := <-done; !errors.Is(err, over) {
			t.Errorf("Changed() = %v, want %v", err, over)
		}
		if polls := c.polls(); len(polls) != 1 {
			t.Errorf("it asked %d times, want once an hour", len(polls))
		}
	})
}
