//go:build e2e

package e2e

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needrestartFile keeps needrestart from restarting the units of containers.
const needrestartFile = "/etc/needrestart/conf.d/dockhost.conf"

// built returns the path of the one file of a version that matches a pattern.
func built(t *testing.T, version, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(packages, version, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files match %s/%s/%s, want 1 (run: make test-packages)", len(files), packages, version, pattern)
	}
	return files[0]
}

// artifact copies the one file of a version that matches a pattern to the host.
func (h *host) artifact(version, pattern, path string) {
	h.Helper()
	file := built(h.T, version, pattern)
	if out, err := dockerOutside("cp", file, hostName()+":"+path); err != nil {
		h.Fatalf("copy %s: %v: %s", file, err, out)
	}
}

// active waits until the container's unit is active, and returns the container's
// PID.
func (h *host) active(name string) string {
	h.Helper()
	h.reaches("dockhost@"+name, "active")
	return h.pid(name)
}

// TestTarballInstallsOnReadOnlyUsr installs, upgrades and removes the tarball on a
// host whose /usr is read-only.
func TestTarballInstallsOnReadOnlyUsr(t *testing.T) {
	h := newPackageHost(t)
	before := h.tree()
	h.artifact("current", "*.tar.gz", onHost+"/dockhost.tar.gz")
	t.Cleanup(func() { h.try("umount -l /usr; rm -rf /opt/bin /opt/libexec /opt/share /etc/systemd/system/dockhost*") })
	h.run("mount --bind /usr /usr && mount -o remount,bind,ro /usr && ! touch /usr/x 2>/dev/null")
	h.userData("#cloud-config\n" + app())
	const install = "cd " + onHost + " && tar -xzf dockhost.tar.gz && dockhost-*/install.sh "
	h.run(install)
	pid := h.active("app")
	h.run("/opt/bin/dockhostctl status && /opt/bin/dockhost setup --check && test -s " + needrestartFile)
	agent := h.property("dockhost", "MainPID")
	h.run(install)
	if got := h.active("app"); got != pid {
		t.Errorf("pid of the container after the upgrade = %s, want %s", got, pid)
	}
	if got := h.property("dockhost", "MainPID"); got == agent {
		t.Error("the upgrade did not restart the agent")
	}
	h.run("cd " + onHost + " && dockhost-*/install.sh --remove")
	h.run("umount -l /usr")
	kept := []string{
		"/etc/sysusers.d", "/opt/bin", "/opt/libexec", "/opt/share", "/var/lib/dockhost", "/var/lib/dockhost/assignment.json",
		"/var/lib/dockhost/events.jsonl", "/var/lib/dockhost/images.json", "/var/lib/dockhost/updates", "/var/lib/dockhost/updates/app.json",
	}
	if config := "/etc/docker/daemon.json"; slices.Contains(before, config) {
		kept = append(kept, config+".dockhost-backup") // the file as it was before dockhost changed it
	}
	for _, path := range h.tree() {
		if !slices.Contains(before, path) && !slices.Contains(kept, path) {
			t.Errorf("the removal left %s", path)
		}
	}
}

// TestSystemExtensionRunsContainers merges the system extension into /usr. The
// extension is unpacked, because a test host has no loop devices.
func TestSystemExtensionRunsContainers(t *testing.T) {
	h := newPackageHost(t)
	extension := built(t, "current", "*.raw")
	unpacked := filepath.Join(t.TempDir(), "dockhost")
	unpack := exec.CommandContext(t.Context(), "unsquashfs", "-q", "-n", "-d", unpacked, extension)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("unpack %s: %v: %s", extension, err, out)
	}
	h.run("mkdir -p /var/lib/extensions")
	t.Cleanup(func() {
		h.try("systemctl stop dockhost.socket dockhost.service dockhost-assigned.target 'dockhost@*'; dockhost setup --remove")
		h.try("systemd-sysext unmerge; rm -rf /var/lib/extensions " + needrestartFile + "; systemctl daemon-reload")
		// Until then, multi-user.target upholds them.
		h.try("systemctl stop dockhost.socket dockhost.service dockhost-catalog.service")
	})
	if out, err := dockerOutside("cp", unpacked, hostName()+":/var/lib/extensions/dockhost"); err != nil {
		t.Fatalf("copy the extension: %v: %s", err, out)
	}
	h.userData("#cloud-config\n" + app())
	h.run("systemd-sysext merge && systemctl daemon-reload && systemctl start dockhost.socket dockhost.service")
	h.agentIs(currentVersion)
	h.ready("app")
	h.run("test -s " + needrestartFile)
	if upheld := h.property("multi-user.target", "Upholds"); !strings.Contains(upheld, "dockhost.service") {
		t.Errorf("Upholds= of multi-user.target = %q, want dockhost.service in it", upheld)
	}
}
