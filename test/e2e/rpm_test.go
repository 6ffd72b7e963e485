//go:build e2e

package e2e

import (
	"os"
	"testing"
)

// TestRPMScriptsKeepContainer runs the scripts of the rpm in rpm's order on a host
// without rpm. The files come from the deb, which has the same.
func TestRPMScriptsKeepContainer(t *testing.T) {
	h := newPackageHost(t)
	script := func(name, left string) {
		t.Helper()
		text, err := os.ReadFile("../../packaging/rpm/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if out, code := h.tryWith("sh -s "+left, string(text)); code != 0 {
			t.Fatalf("%s %s exits %d: %s", name, left, code, out)
		}
	}
	unpack := func(version string) {
		t.Helper()
		h.run("dpkg --fsys-tarfile " + onHost + "/" + version + ".deb | tar -C / -x --exclude='./usr/share/doc*'")
	}
	h.userData("#cloud-config\n" + app())

	unpack("previous")
	script("post", "1")
	h.run("systemctl is-enabled dockhost.socket dockhost.service && dockhost setup --check && systemctl start dockhost")
	h.agentIs(previousVersion)
	h.ready("app")
	pid := h.pid("app")

	unpack("current")
	script("post", "2")
	script("preun", "1")
	script("postun", "1")
	h.agentIs(currentVersion)
	if got := h.pid("app"); got != pid {
		t.Errorf("pid of the container after the upgrade = %s, want %s", got, pid)
	}

	script("preun", "0")
	h.run("cd / && xargs rm -f <" + onHost + "/files")
	script("postun", "0")
	out, _ := h.try(`docker ps -aq; grep dockhost /etc/docker/daemon.json 2>/dev/null
		ls -d /run/dockhost /run/systemd/system/dockhost* /etc/systemd/system/*/dockhost* 2>/dev/null`)
	if out != "" {
		t.Errorf("the removal left %s", out)
	}
}
