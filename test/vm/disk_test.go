//go:build vm

package vm

import (
	"os/exec"
	"strings"
	"testing"
)

// declaration is a konlet declaration with a persistent disk. It mounts busybox,
// because the image has no shell.
const declaration = `spec:
  containers:
  - name: app
    image: ` + preloaded + `
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: busybox, mountPath: /busybox, readOnly: true}
  volumes:
  - name: data
    gcePersistentDisk: {pdName: data, fsType: ext4}
  - name: busybox
    hostPath: {path: /usr/bin/busybox}
  restartPolicy: Always
`

// TestDisksAreMadeAndMounted formats a blank disk for a konlet declaration. It then
// uses the disk in user data with mounts, next to a second blank disk. The
// container's files are on both after each boot.
func TestDisksAreMadeAndMounted(t *testing.T) {
	disk, data, more := newDisk(t), newBlank(t), newBlank(t)
	m := boot(t, disk, settings{
		disc:   newDisc(t, "i-disks", convert(t, declaration)),
		kernel: alone,
		disks:  map[string]string{"google-data": data},
	})
	// The status is not well: konlet always pulls, and no registry answers.
	m.eventually(func() string { return m.serves("1") })
	m.checkMount("/mnt/disks/gce-containers-mounts/gce-persistent-disks/data", "google-data")
	m.run("docker exec app /busybox sh -c 'echo one >/data/file'")
	id := m.run("blkid -p -o value -s UUID /dev/disk/by-id/google-data")
	m.shutDown()

	mounts := app(preloaded, `volumes: ["/mnt/data:/data", "/mnt/more:/more", "/usr/bin/busybox:/busybox:ro"]`,
		"x-dockhost: {mounts: ["+
			"{what: /dev/disk/by-id/google-data, where: /mnt/data, type: ext4, makefs: true}, "+
			"{what: /dev/disk/by-id/virtio-more, where: /mnt/more, type: ext4, makefs: true}]}")
	m = boot(t, disk, settings{
		disc:   newDisc(t, "i-disks", mounts),
		kernel: alone,
		disks:  map[string]string{"google-data": data, "more": more},
	})
	m.well("1")
	m.checkMount("/mnt/data", "google-data")
	m.checkMount("/mnt/more", "virtio-more")
	if now := m.run("blkid -p -o value -s UUID /dev/disk/by-id/google-data"); now != id {
		t.Errorf("UUID of google-data = %s, want %s: it was formatted again", now, id)
	}
	m.run("docker exec app /busybox sh -c 'echo two >/more/file'")
	m.reboot()
	m.well("1")
	if got := m.run("docker exec app /busybox cat /data/file /more/file"); got != "one\ntwo" {
		t.Errorf("files of the container = %q, want one and two", got)
	}
	if state := m.property("systemd-fsck@dev-disk-by\\\\x2did-virtio\\\\x2dmore.service", "Result"); state != "success" {
		t.Errorf("Result of systemd-fsck = %s, want success", state)
	}
	m.checkClean()
}

// convert converts a declaration by dockhostctl convert.
func convert(t *testing.T, declaration string) string {
	t.Helper()
	file := t.TempDir() + "/declaration.yaml"
	write(t, file, declaration)
	out, err := exec.Command(tree+"/usr/bin/dockhostctl", "convert", file).Output()
	if err != nil {
		t.Fatalf("dockhostctl convert: %v", err)
	}
	return string(out)
}

// checkMount checks that an ext4 file system on a disk is mounted at a path.
func (m *machine) checkMount(path, disk string) {
	m.Helper()
	device := m.run("readlink -f /dev/disk/by-id/" + disk)
	if got := strings.Fields(m.run("findmnt -n -o SOURCE,FSTYPE " + path)); len(got) != 2 || got[0] != device || got[1] != "ext4" {
		m.Errorf("mount at %s = %q, want %s with ext4", path, got, device)
	}
}
