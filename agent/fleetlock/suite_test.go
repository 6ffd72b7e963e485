package fleetlock_test

import (
	"context"
	"errors"
	"flag"
	"net/http/httptest"
	"testing"

	"github.com/dockhost/dockhost/agent/fleetlock"
	"github.com/dockhost/dockhost/agent/fleetlock/fakelock"
)

// manager is a running airlock, with a group "one" with one slot and a group "two" with
// two, none of them held.
var manager = flag.String("airlock", "", "`address` of an airlock that the suite runs against, too")

// TestLockManagers checks that the client understands a lock manager, and that the
// stand-in answers as the real one does.
func TestLockManagers(t *testing.T) {
	t.Run("stand-in", func(t *testing.T) {
		server := httptest.NewServer(&fakelock.Server{Slots: map[string]int{"one": 1, "two": 2}})
		defer server.Close()
		runSuite(t, server.URL)
	})
	t.Run("airlock", func(t *testing.T) {
		if *manager == "" {
			t.Skip("no -airlock")
		}
		runSuite(t, *manager)
	})
}

func runSuite(t *testing.T, base string) {
	t.Helper()
	const full = `: failed_lock: all 1 semaphore slots currently locked`
	host := func(group, id string) *fleetlock.Client { return fleetlock.New(base+"/", group, id) }
	acquire, release := (*fleetlock.Client).Acquire, (*fleetlock.Client).Release
	steps := []struct {
		name   string
		client *fleetlock.Client
		do     func(*fleetlock.Client, context.Context) error
		want   string
		busy   bool
	}{
		{"a release without a slot", host("one", "a"), release, "", false},
		{"the only slot", host("one", "a"), acquire, "", false},
		{"the same again", host("one", "a"), acquire, "", false},
		{"no slot for another", host("one", "b"), acquire, `no free slot of group "one" at ` + base + full, true},
		{"another releases nothing", host("one", "b"), release, "", false},
		{"it still has none", host("one", "b"), acquire, `no free slot of group "one" at ` + base + full, true},
		{"a slot of another group", host("two", "b"), acquire, "", false},
		{"its other slot", host("two", "c"), acquire, "", false},
		{"the slot comes back", host("one", "a"), release, "", false},
		{"the next host", host("one", "b"), acquire, "", false},
		{"it is released once", host("one", "b"), release, "", false},
		{"and twice", host("one", "b"), release, "", false},
		{"b", host("two", "b"), release, "", false},
		{"c", host("two", "c"), release, "", false},
		{
			"an unknown group", host("nobody", "a"), acquire,
			`ask ` + base + ` for a slot of group "nobody": unknown_group: unknown group "nobody" (correct fleet_lock.group, or add the group to the lock manager)`, false,
		},
		{
			"no group", host("", "a"), release,
			`give a slot of group "" back to ` + base + `: invalid_client_identity: failed to validate client identity: empty client group (correct fleet_lock.group: the lock manager accepts neither this host's id nor the group)`, false,
		},
		{
			"another path", fleetlock.New(base+"/elsewhere", "one", "a"), acquire,
			`ask ` + base + ` for a slot of group "one": it answers 404 Not Found (correct fleet_lock.base_url: no lock manager that speaks FleetLock answers there)`, false,
		},
	}
	for _, step := range steps {
		err := step.do(step.client, t.Context())
		if text := textOf(err); text != step.want || errors.Is(err, fleetlock.ErrBusy) != step.busy {
			t.Fatalf("%s: error = %s, want %s", step.name, text, step.want)
		}
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
