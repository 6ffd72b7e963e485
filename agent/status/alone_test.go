package status

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/rundir"
)

// Without the agent, the status has what the agent has left on the disk.
func TestWithoutAgent(t *testing.T) {
	g := Gatherer{Dir: rundir.Dir(t.TempDir()), Units: fakeUnits{
		"dockhost@db.service": "inactive", "dockhost@idle.service": "inactive", "dockhost@stray.service": "active",
	}, Engine: fakeEngine{}}
	left := []api.Container{
		{Name: "db", Image: "redis:7", Origin: api.OriginUserData, Stopped: &api.Stopped{By: "dockhostctl stop", User: "anna"}},
		{Name: "idle", Image: "nginx:1", Origin: api.OriginLocal},
	}
	s := WithoutAgent(t.Context(), g, left, nil)
	var got []string
	for _, c := range s.Containers {
		got = append(got, fmt.Sprintf("%s %s %s: %s (%s)", c.Name, c.Origin, c.State, c.Reason, c.Cure))
	}
	want := []string{
		"db user-data stopped: by dockhostctl stop (anna) (dockhostctl start db)",
		"idle local stopped: its unit is not active, and the agent, which starts it, does not answer (systemctl start dockhost)",
		"stray  starting:  ()",
	}
	if diff := cmp.Diff(want, got); diff != "" || s.Source.Note != "" {
		t.Errorf("WithoutAgent() has the note %q (-want +got):\n%s", s.Source.Note, diff)
	}
	s = WithoutAgent(t.Context(), g, nil, &fs.PathError{Err: fs.ErrPermission})
	if !strings.Contains(s.Source.Note, "sudo") || len(s.Source.Problems) > 0 {
		t.Errorf("WithoutAgent() for a user = %+v, want a note and no problem", s.Source)
	}
}
