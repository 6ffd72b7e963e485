package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/compose"
	"github.com/dockhost/dockhost/systemd"
)

func TestPlan(t *testing.T) {
	assign := func(containers ...*spec.Container) *accepted {
		a := &accepted{}
		for _, c := range containers {
			a.Assignment.Containers = put(a.Assignment.Containers, *c)
		}
		return a
	}
	names := func(containers []hashed) (names []string) {
		for _, c := range containers {
			if c.hash != c.Hash() {
				t.Errorf("the hash of %s is %s, want %s", c.Name, c.hash, c.Hash())
			}
			names = append(names, c.Name)
		}
		return names
	}
	old := assign(local("changed", "nginx:1"), local("gone", "nginx:1"), local("same", "nginx:1"))
	tests := []struct {
		name                string
		old, next           *accepted
		current, successors []string
		images              map[string]string
	}{
		{name: "nothing declared"},
		{name: "a first boot", next: assign(local("new", "nginx:1")), current: []string{"new"}, images: map[string]string{"new": "nginx:1"}},
		{
			name: "another declaration", old: old, next: assign(local("changed", "nginx:2"), local("new", "nginx:2"), local("same", "nginx:1")),
			current: []string{"new", "same"}, successors: []string{"changed"},
			images: map[string]string{"changed": "nginx:1", "new": "nginx:2", "same": "nginx:1"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPlan(target{old: test.old, next: test.next})
			if diff := cmp.Diff([][]string{test.current, test.successors}, [][]string{names(p.current), names(p.successors)}); diff != "" {
				t.Errorf("current and successors (-want +got):\n%s", diff)
			}
			var images map[string]string
			if p.accepted != nil {
				images = map[string]string{}
				for _, c := range p.accepted.Assignment.Containers {
					images[c.Name] = c.Image
				}
			}
			if diff := cmp.Diff(test.images, images); diff != "" {
				t.Errorf("in force (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEndedForGood(t *testing.T) {
	limit := []spec.UnitSetting{{Section: "Unit", Key: "StartLimitBurst", Value: "3"}}
	failure := &rundir.Failure{Message: "exit status 3"}
	ended := func(restart, id string, failure *rundir.Failure) rundir.State {
		return rundir.State{Phase: "ended", Restart: restart, ContainerID: id, LastError: failure}
	}
	tests := []struct {
		name    string
		restart string
		unit    []spec.UnitSetting
		state   rundir.State
		active  string
		want    bool
	}{
		{"done", "no", nil, ended("no", "0123", nil), "inactive", true},
		{"failed, and is never restarted", "no", nil, ended("no", "0123", failure), "failed", true},
		{"was never created", "no", nil, ended("no", "", failure), "failed", false},
		{"has another policy now", "always", nil, ended("no", "0123", nil), "inactive", false},
		{"failed at last", "on-failure", limit, ended("on-failure", "0123", failure), "failed", true},
		{"failed, without a limit", "on-failure", nil, ended("on-failure", "0123", failure), "failed", false},
		{"was killed", "on-failure", limit, rundir.State{Phase: "running", Restart: "on-failure", ContainerID: "0123"}, "failed", false},
		{"is always restarted", "always", nil, ended("always", "0123", nil), "inactive", false},
	}
	for _, test := range tests {
		c := hashed{Container: &spec.Container{Restart: test.restart, Unit: test.unit}}
		if got := c.endedForGood(test.state, systemd.Unit{ActiveState: test.active}); got != test.want {
			t.Errorf("endedForGood() of a container that %s = %t, want %t", test.name, got, test.want)
		}
	}
}

// A container whose neighbours are gone stays on the network of its project, without a
// restart, until something else in it changes. One that gets neighbours moves there.
func TestPlanKeepsContainerOnNetwork(t *testing.T) {
	section := func(web string, others ...string) *accepted {
		text := "dockhost:\n  containers:\n    web: {image: x" + web + "}\n"
		for _, other := range others {
			text += "    " + other + ": {image: x}\n"
		}
		assigned, err := parseSection(t, text)
		if err != nil {
			t.Fatal(err)
		}
		return &accepted{Assignment: *assigned}
	}
	tests := []struct {
		name      string
		old, next *accepted
		replaced  bool
	}{
		{"its neighbour is gone", section("", "db"), section(""), false},
		{"its neighbour is gone, and its unit changes", section("", "db"), section(", x-dockhost: {unit: {Service: {MemoryMax: 1G}}}"), false},
		{"its neighbour is gone, and it changes", section("", "db"), section(", hostname: other"), true},
		{"it leaves the network", section("", "db"), section(", network_mode: bridge"), true},
		{"it gets a neighbour", section(""), section("", "db"), true},
		{"it gets another neighbour", section("", "db"), section("", "db", "cache"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPlan(target{old: test.old, next: test.next})
			if replaced := len(p.successors) > 0; replaced != test.replaced {
				t.Fatalf("web is replaced: %v, want %v", replaced, test.replaced)
			}
			web := p.accepted.container("web")
			if same := web.Hash() == test.old.container("web").Hash(); !same {
				t.Error("another web is in force before it is replaced")
			}
			if want := test.next.container("web").Unit; !test.replaced && !cmp.Equal(web.Unit, want) {
				t.Errorf("settings of the unit = %v, want %v", web.Unit, want)
			}
			again := newPlan(target{old: p.accepted, next: test.next})
			if len(again.successors) != len(p.successors) {
				t.Errorf("a second plan has %d successors, want %d", len(again.successors), len(p.successors))
			}
		})
	}
}

// parseSection parses a section of user data.
func parseSection(t *testing.T, text string) (*spec.Assignment, error) {
	t.Helper()
	top, err := document.Parse("user-data", []byte(text))
	if err != nil {
		return nil, err
	}
	_, section := document.LookUp(top, "dockhost")
	return compose.Parse(document.File("user-data"), section)
}
