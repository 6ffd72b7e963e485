package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

func TestLeft(t *testing.T) {
	root := t.TempDir()
	if left, err := Left(root); left != nil || err != nil {
		t.Errorf("Left() of a new host = %+v, %v, want nothing", left, err)
	}
	writeMachineID := func(id string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, "etc/machine-id"), []byte(id+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeMachineID("first")
	file := storeFile{root: root}
	saved := newAccepted(file, api.Source{})
	saved.UserData.Containers = []spec.Container{{Name: "db", Image: "redis:7"}, {Name: "web", Image: "nginx:1"}}
	saved.Assignment = saved.UserData
	by := api.Stopped{At: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC), By: byStopCommand, User: "anna"}
	saved.setStop("db", by)
	if err := file.save(saved); err != nil {
		t.Fatal(err)
	}
	got, err := Left(root)
	want := []api.Container{
		{Name: "db", Image: "redis:7", Unit: "dockhost@db.service", Origin: api.OriginUserData, Stopped: &by},
		{Name: "web", Image: "nginx:1", Unit: "dockhost@web.service", Origin: api.OriginUserData},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Left() error = %v (-want +got):\n%s", err, diff)
	}
	writeMachineID("clone")
	if left, err := Left(root); left != nil || err != nil {
		t.Errorf("Left() of a clone = %+v, %v, want nothing", left, err)
	}
	if err := os.WriteFile(file.path(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if left, err := Left(root); err == nil {
		t.Errorf("Left() of a damaged file = %+v, want an error", left)
	}
}
