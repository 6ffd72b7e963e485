package status

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/supervisor/placement"
)

func TestRunsContainer(t *testing.T) {
	for _, test := range []struct {
		command []string
		want    bool
	}{
		{nil, false},
		{[]string{"/usr/bin/dockhost", "run", "--name", "web", "nginx"}, true},
		{[]string{"/opt/bin/dockhost", "agent"}, false},
		{[]string{"/usr/bin/systemd-docker", "--cgroups", "run", "nginx"}, true},
		{[]string{"/usr/libexec/dockhost/dockhost-supervise", "/etc/web.json"}, true},
		{[]string{"/usr/bin/docker", "run", "nginx"}, false},
	} {
		if got := runsContainer(test.command); got != test.want {
			t.Errorf("runsContainer(%q) = %t, want %t", test.command, got, test.want)
		}
	}
}

// Units that call dockhost run follow the assigned containers.
func TestUnitsAreListed(t *testing.T) {
	dir := rundir.Dir(t.TempDir())
	if err := dir.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	for id, p := range map[string]placement.Placement{
		"0123": {Unit: "backup.service", CgroupPath: "/system.slice/backup.service/container"},
		"4567": {Unit: "dockhost@web.service", CgroupPath: "/system.slice/system-dockhost.slice/dockhost@web.service/container"},
		"89ab": {Unit: "gone.service", CgroupPath: "/system.slice/gone.service/container"},
		"cdef": {Unit: "backup.service", CgroupPath: "/user.slice/user-7.slice/user@7.service/app.slice/backup.service/container"},
	} {
		if err := placement.Write(dir.RuntimeDir(), id, p); err != nil {
			t.Fatal(err)
		}
	}
	g := Gatherer{Dir: dir, Engine: fakeEngine{health: "healthy"}, Units: fakeUnits{"backup.service": "active", "gone.service": "inactive"}}
	got := g.unitContainers(t.Context())
	const cgroup = "/user.slice/user-7.slice/user@7.service/app.slice/backup.service"
	want := []api.Container{{
		Name: "backup.service", Unit: "backup.service", Origin: api.OriginUnit, ID: "0123", ActiveState: "active", SubState: "sub", Ready: true, Health: "healthy",
	}, { // the unit of a user with the same name
		Name: "7/backup.service", Unit: "backup.service", Origin: api.OriginUnit, ID: "cdef", ActiveState: "active", SubState: "running", Ready: true, Health: "healthy", Cgroup: cgroup,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unitContainers() (-want +got):\n%s", diff)
	}
}
