package dropin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

func TestMount(t *testing.T) {
	disk := spec.Mount{What: "/dev/disk/by-id/google-data", Where: "/mnt/data", Type: "ext4", Options: "noatime", Makefs: true}
	want := map[string]string{
		"mnt-data.mount": MountMark + `[Unit]
Description=/dev/disk/by-id/google-data for containers
Requires=dockhost-makefs@dev-disk-by\x2did-google\x2ddata.service
After=dockhost-makefs@dev-disk-by\x2did-google\x2ddata.service
Requires=systemd-fsck@dev-disk-by\x2did-google\x2ddata.service
After=systemd-fsck@dev-disk-by\x2did-google\x2ddata.service

[Mount]
What=/dev/disk/by-id/google-data
Where=/mnt/data
Type=ext4
Options=noatime
`,
		`dockhost-makefs@dev-disk-by\x2did-google\x2ddata.service`: MountMark + makefs(disk),
	}
	if diff := cmp.Diff(want, mounted(t, disk)); diff != "" {
		t.Errorf("Mount() (-want +got):\n%s", diff)
	}
	want = map[string]string{"mnt-ro.mount": MountMark + "[Unit]\nDescription=/dev/sdb1 for containers\n\n[Mount]\nWhat=/dev/sdb1\nWhere=/mnt/ro\nOptions=noatime,ro\n"}
	if diff := cmp.Diff(want, mounted(t, spec.Mount{What: "/dev/sdb1", Where: "/mnt/ro", Options: "noatime,ro"})); diff != "" {
		t.Errorf("Mount() of a read-only mount (-want +got):\n%s", diff)
	}
}

func mounted(t *testing.T, m spec.Mount) map[string]string {
	t.Helper()
	files, err := Mount(m)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A mount never becomes a file outside of systemd's directory, or another setting.
func TestMountRefusesOtherUnits(t *testing.T) {
	for _, m := range []spec.Mount{
		{What: "/dev/sdb", Where: ".."},
		{What: "/dev/sdb", Where: "/"},
		{What: "/dev/sdb", Where: "/srv/../etc"},
		{What: "../sdb", Where: "/srv"},
		{What: "/dev/sdb\nOptions=suid", Where: "/srv"},
		{What: "/dev/sdb", Where: "/srv", Type: "ext4\nLazyUnmount=yes"},
		{What: "/dev/sdb", Where: "/srv", Type: "ext4 --help", Makefs: true},
		{What: "/dev/sdb", Where: "/srv", Options: "ro\n[Install]"},
	} {
		if files, err := Mount(m); err == nil {
			t.Errorf("Mount(%+v) = %q, want an error", m, files)
		}
	}
}
