//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// artifact copies one file of the current version to the host, as path.
func (h *host) artifact(pattern, path string) {
	h.Helper()
	found, err := filepath.Glob(filepath.Join(packages, "current", pattern))
	if err != nil || len(found) != 1 {
		h.Fatalf("%d files %s in %s/current (run: make test-packages)", len(found), pattern, packages)
	}
	if out, err := dockerOutside("cp", found[0], hostName()+":"+path); err != nil {
		h.Fatalf("copy %s: %v: %s", found[0], err, out)
	}
}

// active waits until the container's unit is active, and returns the pid of
// the container.
func (h *host) active(name string) string {
	h.Helper()
	h.eventually(name+" is active", func() error {
		if state := h.property("dockhost@"+name, "ActiveState"); state != "active" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	return h.pid(name)
}

// TestTarballInstallsOnReadOnlyUsr installs on a host whose /usr is read-only, upgrades and removes.
func TestTarballInstallsOnReadOnlyUsr(t *testing.T) {
	h := newPackageHost(t)
	before := h.tree()
	h.artifact("*.tar.gz", onHost+"/dockhost.tar.gz")
	t.Cleanup(func() { h.try("umount -l /usr; rm -rf /opt/bin /opt/libexec /opt/share /etc/systemd/system/dockhost*") })
	h.run("mount --bind /usr /usr && mount -o remount,bind,ro /usr && ! touch /usr/x 2>/dev/null")
	h.userData("#cloud-config\n" + app())
	const install = "cd " + onHost + " && tar -xzf dockhost.tar.gz && dockhost-*/install.sh "
	h.run(install)
	pid := h.active("app")
	h.run("/opt/bin/dockhostctl status && /opt/bin/dockhost setup --check")
	agent := h.property("dockhost", "MainPID")
	h.run(install)
	if got := h.active("app"); got != pid {
		t.Errorf("the container's pid is %s after an upgrade, was %s", got, pid)
	}
	if got := h.property("dockhost", "MainPID"); got == agent {
		t.Error("the agent is not restarted by an upgrade")
	}
	h.run("cd " + onHost + " && dockhost-*/install.sh --remove")
	h.run("umount -l /usr")
	kept := []string{
		"/etc/sysusers.d", "/opt/bin", "/opt/libexec", "/opt/share", "/var/lib/dockhost", "/var/lib/dockhost/assignment.json",
		"/var/lib/dockhost/images.json",
	}
	for _, path := range h.tree() {
		if !slices.Contains(before, path) && !slices.Contains(kept, path) {
			t.Errorf("the removal left %s", path)
		}
	}
}

// TestSystemExtensionRunsContainers merges the extension into /usr. It is unpacked, since a
// test host has no loop devices.
func TestSystemExtensionRunsContainers(t *testing.T) {
	h := newPackageHost(t)
	found, err := filepath.Glob(filepath.Join(packages, "current", "*.raw"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d extensions in %s/current (run: make test-packages)", len(found), packages)
	}
	unpacked := filepath.Join(t.TempDir(), "dockhost")
	unpack := exec.CommandContext(t.Context(), "unsquashfs", "-q", "-n", "-d", unpacked, found[0])
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("unpack %s: %v: %s", found[0], err, out)
	}
	h.run("mkdir -p /var/lib/extensions")
	t.Cleanup(func() {
		h.try("systemctl stop dockhost.socket dockhost.service 'dockhost@*'; dockhost setup --remove")
		h.try("systemd-sysext unmerge; rm -rf /var/lib/extensions; systemctl daemon-reload")
	})
	if out, err := dockerOutside("cp", unpacked, hostName()+":/var/lib/extensions/dockhost"); err != nil {
		t.Fatalf("copy the extension: %v: %s", err, out)
	}
	h.userData("#cloud-config\n" + app())
	h.run("systemd-sysext merge && systemctl daemon-reload && systemctl start dockhost.socket dockhost.service")
	h.agentIs(currentVersion)
	h.ready("app")
	if upheld := h.property("multi-user.target", "Upholds"); !strings.Contains(upheld, "dockhost.service") {
		t.Errorf("multi-user.target upholds %q, not dockhost.service", upheld)
	}
}
