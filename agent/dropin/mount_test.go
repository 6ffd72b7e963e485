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
	if diff := cmp.Diff(want, Mount(disk)); diff != "" {
		t.Errorf("Mount() (-want +got):\n%s", diff)
	}
	want = map[string]string{"mnt-ro.mount": MountMark + "[Unit]\nDescription=/dev/sdb1 for containers\n\n[Mount]\nWhat=/dev/sdb1\nWhere=/mnt/ro\nOptions=noatime,ro\n"}
	if diff := cmp.Diff(want, Mount(spec.Mount{What: "/dev/sdb1", Where: "/mnt/ro", Options: "noatime,ro"})); diff != "" {
		t.Errorf("Mount() of a read-only mount (-want +got):\n%s", diff)
	}
}
