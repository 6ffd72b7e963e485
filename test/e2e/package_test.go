//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	// packages is the directory in which `make test-packages` builds two versions.
	packages        = "../../build/test-packages"
	previousVersion = "v0.0.1"
	currentVersion  = "v0.0.2"
	// onHost is the host's directory with previous.deb and current.deb.
	onHost = "/root/packages"
)

// newPackageHost returns a host that has never had dockhost: it is newHost without
// the programs, which return when the test ends.
func newPackageHost(t *testing.T) *host {
	t.Helper()
	h := newHost(t)
	h.run("mkdir -p " + onHost)
	for _, version := range []string{"previous", "current"} {
		h.artifact(version, "dockhost_*.deb", onHost+"/"+version+".deb")
	}
	t.Cleanup(func() {
		h.try("dpkg -P dockhost; tar -C / -xf " + onHost + "/lab.tar && rm -rf " + onHost)
		h.try("dockhost-lab-install; systemctl start dockhost.socket")
	})
	h.run(`
		cd /
		for package in ` + onHost + `/*.deb; do dpkg --fsys-tarfile $package | tar -t; done |
			grep -v '/$' | sort -u | sed 's,^\./,,' >` + onHost + `/files
		tar -cf ` + onHost + `/lab.tar --ignore-failed-read -T ` + onHost + `/files 2>/dev/null
		systemctl disable --now --quiet dockhost.socket dockhost.service
		dockhost setup --remove
		xargs rm -f <` + onHost + `/files
		xargs dirname <` + onHost + `/files | sort -u | xargs rmdir -p --ignore-fail-on-non-empty 2>/dev/null || true
		rm -rf /etc/dockhost /var/lib/dockhost /run/dockhost /etc/docker/daemon.json.dockhost-backup
		rm -rf /run/systemd/system/dockhost@*.service.d
		rm -f /var/lib/cloud/handlers/dockhost.py
		systemctl daemon-reload; systemctl restart docker.service`)
	return h
}

// dpkg installs a version of the package over the installed one.
func (h *host) dpkg(version string) {
	h.Helper()
	h.run("dpkg -i " + onHost + "/" + version + ".deb")
}

// tree lists the files in all directories in which a package may leave some,
// without the caches, logs and data of other programs.
func (h *host) tree() []string {
	h.Helper()
	out := h.run(`find /etc /usr /opt /srv /var /run/systemd/system /run/dockhost 2>/dev/null \
		! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/var/lib/docker/*' ! -path '/var/lib/containerd/*' \
		! -path '/var/lib/dpkg/*' ! -path '/var/lib/systemd/*' ! -path '/var/lib/cloud/*' ! -path '/var/lib/docker-registry/*' \
		! -path '/var/tmp/*' ! -path '*/__pycache__*' | sort || true`)
	return strings.Fields(out)
}

// agentIs waits until the agent answers and has this version.
func (h *host) agentIs(version string) {
	h.Helper()
	h.eventually("the agent is "+version, func() error {
		if s, _ := h.status(); s.Agent.Version != version {
			return fmt.Errorf("version = %q", s.Agent.Version)
		}
		return nil
	})
}

// TestPackageUpgradeKeepsContainer installs, upgrades, downgrades, removes and
// purges the package: only the removal stops a container, and a purge leaves no
// files.
func TestPackageUpgradeKeepsContainer(t *testing.T) {
	h := newPackageHost(t)
	daemonJSON, before := h.run("cat /etc/docker/daemon.json || true"), h.tree()
	h.userData("#cloud-config\n" + app(`ports: ["8080:8080"]`))

	h.dpkg("previous")
	h.agentIs(previousVersion)
	h.run("systemctl is-enabled dockhost.socket dockhost.service && dockhost setup --check")
	h.ready("app")
	pid, supervisor := h.pid("app"), h.property("dockhost@app", "MainPID")
	h.write("/etc/dockhost/policy.yaml", "default: allow\n")

	for _, step := range []struct{ to, version string }{
		{"current", currentVersion}, {"previous", previousVersion}, {"current", currentVersion},
	} {
		h.dpkg(step.to)
		h.agentIs(step.version)
		if got := h.pid("app"); got != pid {
			t.Errorf("install %s: pid of the container = %s, want %s", step.to, got, pid)
		}
		if got := h.property("dockhost@app", "MainPID"); got != supervisor {
			t.Errorf("install %s: pid of the supervisor = %s, want %s", step.to, got, supervisor)
		}
		h.run("docker exec app /app -check :8080")
	}
	h.run("systemctl restart dockhost@app")
	h.ready("app")

	h.run("dpkg -r dockhost")
	if out := h.output("docker ps -aq; systemctl list-units --no-legend 'dockhost*'"); out != "" {
		t.Errorf("the removal left %s", out)
	}
	if got := h.run("cat /etc/docker/daemon.json || true"); got != daemonJSON {
		t.Errorf("daemon.json after the removal = %s, want %s", got, daemonJSON)
	}
	h.run("test -s /var/lib/dockhost/assignment.json -a -s /etc/dockhost/policy.yaml")

	h.dpkg("current")
	h.ready("app")

	h.run("dpkg -P dockhost")
	after := h.tree()
	for _, path := range after {
		if !slices.Contains(before, path) {
			t.Errorf("the purge left %s", path)
		}
	}
	for _, path := range before {
		if !slices.Contains(after, path) {
			t.Errorf("the purge removed %s, which is not the package's", path)
		}
	}
}

// TestPackageKeepsDisabledUnits installs and upgrades the package where a preset
// disables its units: they stay disabled.
func TestPackageKeepsDisabledUnits(t *testing.T) {
	h := newPackageHost(t)
	const preset = "/etc/systemd/system-preset/10-test.preset"
	h.write(preset, "disable dockhost.*\n")
	t.Cleanup(func() { h.try("rm -f " + preset) })
	h.dpkg("previous")
	h.isDisabled()
	h.run("rm " + preset)
	h.dpkg("current")
	h.isDisabled()
}

// isDisabled checks that the agent does not run, and would not after a boot.
func (h *host) isDisabled() {
	h.Helper()
	for _, unit := range []string{"dockhost.service", "dockhost.socket"} {
		if out, _ := h.try("systemctl is-enabled " + unit); strings.TrimSpace(out) != "disabled" {
			h.Errorf("systemctl is-enabled %s = %s, want disabled", unit, out)
		}
		if active := h.property(unit, "ActiveState"); active != "inactive" {
			h.Errorf("ActiveState of %s = %s, want inactive", unit, active)
		}
	}
}

// TestPackageRemovalStopsHandWrittenUnits removes the package while a unit of
// "dockhost run" is active: the removal stops it, because Docker cannot stop a
// container without its runtime.
func TestPackageRemovalStopsHandWrittenUnits(t *testing.T) {
	h := newPackageHost(t)
	h.dpkg("current")
	const unit = "/run/systemd/system/own.service"
	h.write(unit, "[Service]\nType=notify\nDelegate=yes\nKillMode=mixed\nRestart=always\nEnvironment=HOME=/root\n"+
		"ExecStart=/usr/bin/dockhost run --rm --name own localhost:5000/app:1\n")
	t.Cleanup(func() {
		h.try("systemctl stop own; rm -f " + unit + "; systemctl reset-failed own; systemctl daemon-reload")
	})
	h.run("docker login -u deploy -p s3cret localhost:5000 && systemctl daemon-reload && systemctl start own")
	t.Cleanup(func() { h.try("docker logout localhost:5000") })
	if out := h.run("dpkg -P dockhost 2>&1"); !strings.Contains(out, "stopping own.service") {
		t.Errorf("the removal prints %s, want stopping own.service in it", out)
	}
	if state, left := h.property("own", "ActiveState"), h.output("docker ps -aq"); state != "inactive" || left != "" {
		t.Errorf("own.service is %s with containers %q, want inactive and none", state, left)
	}
}

// TestPackageInstallsInImageBuild installs, upgrades and purges the package in a
// copy of the host's file system without systemd and Docker, as an image build
// does.
func TestPackageInstallsInImageBuild(t *testing.T) {
	h := newPackageHost(t)
	const image = "/tmp/image"
	t.Cleanup(func() { h.try("umount " + image + "/proc " + image + " " + image + ".work; rm -rf " + image + "*") })
	h.run(`
		mkdir -p ` + image + ` ` + image + `.work
		mount -t tmpfs tmpfs ` + image + `.work
		mkdir ` + image + `.work/upper ` + image + `.work/work
		mount -t overlay -o lowerdir=/,upperdir=` + image + `.work/upper,workdir=` + image + `.work/work image ` + image)
	in := func(command string) {
		h.Helper()
		h.run("chroot " + image + " " + command)
	}
	for _, proc := range []bool{false, true} {
		if proc {
			in("mount -t proc proc /proc")
		}
		for _, version := range []string{"previous", "current"} {
			in("dpkg -i " + onHost + "/" + version + ".deb")
		}
		in("systemctl is-enabled dockhost.socket dockhost.service")
		in("grep -q dockhost-runtime /etc/docker/daemon.json")
		in("test ! -e /run/dockhost")
		in("dpkg -P dockhost")
	}
	left, code := h.try("cd " + image + ".work/upper && " +
		"find . -name '*dockhost*' -type f ! -path './var/log/*' ! -path './var/lib/dpkg/*'")
	if code != 0 || left != "" {
		t.Errorf("the purge left %s", left)
	}
}
