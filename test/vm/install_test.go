//go:build vm

package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packages is the directory in which make vm-package builds.
const packages = "../../build/vm-package"

// released returns the path of the one built file that matches a pattern.
func released(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(packages, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files match %s/%s, want 1 (run: make vm-package)", len(files), packages, pattern)
	}
	return files[0]
}

// newTools makes a disc with files for a machine. It returns the disc, and a script
// that mounts it at /run/tools.
func newTools(t *testing.T, files map[string]string) (disks map[string]string, mount string) {
	t.Helper()
	dir := t.TempDir()
	for name, file := range files {
		at, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(at, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]string{"tools": newISO(t, "tools", dir)},
		"mkdir -p /run/tools && mount -o ro /dev/disk/by-id/virtio-tools /run/tools\n"
}

// TestSystemExtensionRunsContainers merges the released system extension by hand,
// refreshes it under a running container, and merges it at a boot.
func TestSystemExtensionRunsContainers(t *testing.T) {
	disks, mount := newTools(t, map[string]string{"dockhost.raw": released(t, "*.raw")})
	disk, disc := newDisk(t), newDisc(t, "i-extension", app(preloaded))
	m := boot(t, disk, settings{disc: disc, disks: disks, kernel: alone})
	m.well("1")
	m.run("systemctl stop dockhost.service 'dockhost@*.service' && dpkg --purge dockhost && ! test -e /usr/bin/dockhost")
	m.run(mount + "mkdir -p /var/lib/extensions && cp /run/tools/dockhost.raw /var/lib/extensions/ && umount /run/tools")
	m.run("systemd-sysext merge && systemctl daemon-reload && systemctl start dockhost.service")
	m.well("1")
	m.checkExtension()

	pid := m.run("docker inspect --format '{{.State.Pid}}' app")
	m.run("systemd-sysext refresh && systemctl daemon-reload && systemctl restart dockhost.service")
	m.well("1")
	m.checkExtension()
	if now := m.run("docker inspect --format '{{.State.Pid}}' app"); now != pid {
		t.Errorf("pid after the refresh = %s, want %s", now, pid)
	}

	if strings.HasPrefix(m.run("systemctl --version"), "systemd 252 ") {
		t.Log("skipping the boot: systemd before 255 does not reload units after it has merged extensions")
		return
	}
	m.run("systemctl enable systemd-sysext.service")
	m.reboot()
	m.well("1")
	m.checkExtension()
}

// checkExtension checks that dockhost's program comes from the extension.
func (m *machine) checkExtension() {
	m.Helper()
	if fs := m.run("findmnt -n -o FSTYPE -T /usr/bin/dockhost"); fs != "overlay" {
		m.Errorf("file system of /usr/bin/dockhost = %s, want the extension's overlay", fs)
	}
	if loops := m.run("losetup -n -O BACK-FILE"); !strings.Contains(loops, "/var/lib/extensions/dockhost.raw") {
		m.Errorf("files of the loop devices = %q, want the extension in them", loops)
	}
}

// TestBakeThisMachineBoots bakes a machine that is in use, and preloads an image
// from a registry with TLS and a login. The result boots as another machine, and
// needs no registry.
func TestBakeThisMachineBoots(t *testing.T) {
	r := newTLSRegistry(t)
	secrets := t.TempDir()
	write(t, secrets+"/config.json", r.login())
	write(t, secrets+"/ca.crt", r.authority())
	disks, mount := newTools(t, map[string]string{
		"bake": bakeScript, "dockhost.deb": released(t, "*.deb"), "ca.crt": secrets + "/ca.crt", "config.json": secrets + "/config.json",
	})
	disk := newDisk(t)
	m := boot(t, disk, settings{disc: newDisc(t, "i-used", app(preloaded)), disks: disks, kernel: alone})
	m.well("1")
	old := m.run("cat /etc/machine-id")
	m.run("docker volume create secret && docker run -d --name other -v secret:/data " + preloaded)
	m.run(mount + `
		echo 10.0.2.2 ` + r.name + ` >>/etc/hosts
		install -D -m 644 /run/tools/ca.crt /etc/docker/certs.d/` + r.host() + `/ca.crt
		sed -i '/insecure-registries/d' /etc/docker/daemon.json # otherwise Docker ignores the certificate
		rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* # all packages are installed`)
	m.Log(m.run("bash /run/tools/bake --this-machine --package /run/tools/dockhost.deb --docker-config /run/tools --preload " + r.image() + " /"))
	m.shutDown()
	r.server.Close()
	checkDisk(t, disk, r.auth())

	m = boot(t, disk, settings{disc: newDisc(t, "i-new", app(r.image()))})
	m.well("2")
	if now := m.run("cat /etc/machine-id"); now == old {
		t.Errorf("machine-id = %s, want another", now)
	}
	if names := m.run("docker ps -a --format '{{.Names}}'; docker volume ls -q; docker image ls -q"); len(strings.Fields(names)) != 2 {
		t.Errorf("containers, volumes and images = %q, want only app and its image", names)
	}
	if record := m.run("cat /var/lib/dockhost/preloaded.json"); !strings.Contains(record, `"digests":["`+r.host()+"/app@sha256:") {
		t.Errorf("preloaded.json = %s, want the digest of the pulled image", record)
	}
	m.checkStore("i-new")
	m.checkClean()
}

// checkDisk checks that a baked disk has no files of the old machine, and nowhere
// the secret.
func checkDisk(t *testing.T, disk, secret string) {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "disk.raw")
	run(t, "qemu-img", "convert", "-O", "raw", disk, raw)
	debugfs := func(request string) string {
		out, err := exec.Command("/usr/sbin/debugfs", "-R", request, raw).CombinedOutput()
		if err != nil {
			t.Fatalf("debugfs: %v: %s", err, out)
		}
		_, answer, _ := strings.Cut(string(out), "\n") // the first line is the version
		return answer
	}
	for _, name := range append(belongings, "/root/.docker/config.json", "/run/dockhost-bake", "/var/lib/cloud/instance",
		"/var/lib/docker/volumes/secret", "/var/lib/docker/network") {
		if out := debugfs("stat " + name); !strings.Contains(out, "not found") {
			t.Errorf("the disk has %s: %s", name, out)
		}
	}
	if out := debugfs("stat /etc/machine-id"); !strings.Contains(out, " Size: 0\n") {
		t.Errorf("stat of machine-id = %s, want an empty file", out)
	}
	if out := debugfs("ls -p /var/log/journal"); strings.Count(out, "\n") > 3 { // ., .. and an empty line
		t.Errorf("the disk has a journal: %s", out)
	}
	if err := exec.Command("grep", "-qaF", secret, raw).Run(); err == nil {
		t.Error("the disk has the login")
	}
}
