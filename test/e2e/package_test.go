//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	// packages is where `make test-packages` leaves two versions.
	packages        = "../../build/test-packages"
	previousVersion = "v0.0.1"
	currentVersion  = "v0.0.2"
	// onHost is where the host has them, as previous.deb and current.deb.
	onHost = "/root/packages"
)

// newPackageHost is newHost without the programs, as a host is that dockhost
// was never on. They are back when the test ends.
func newPackageHost(t *testing.T) *host {
	t.Helper()
	h := newHost(t)
	h.run("mkdir -p " + onHost)
	for _, version := range []string{"previous", "current"} {
		found, err := filepath.Glob(filepath.Join(packages, version, "dockhost_*.deb"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%d packages in %s/%s (run: make test-packages)", len(found), packages, version)
		}
		if out, err := dockerOutside("cp", found[0], hostName()+":"+onHost+"/"+version+".deb"); err != nil {
			t.Fatalf("copy %s: %v: %s", found[0], err, out)
		}
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

// dpkg installs one of the packages, over whichever is there.
func (h *host) dpkg(version string) {
	h.Helper()
	h.run("dpkg -i " + onHost + "/" + version + ".deb")
}

// tree lists all files where a package could leave any, less the caches and
// logs of others.
func (h *host) tree() []string {
	h.Helper()
	out := h.run(`find /etc /usr /opt /srv /var /run/systemd/system /run/dockhost 2>/dev/null \
		! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/var/lib/docker/*' ! -path '/var/lib/containerd/*' \
		! -path '/var/lib/dpkg/*' ! -path '/var/lib/systemd/*' ! -path '/var/lib/cloud/*' ! -path '/var/lib/docker-registry/*' \
		! -path '/var/tmp/*' ! -path '*/__pycache__*' | sort || true`)
	return strings.Fields(out)
}

// agentIs waits until the agent of this version answers.
func (h *host) agentIs(version string) {
	h.Helper()
	h.eventually("the agent is "+version, func() error {
		if s, _ := h.status(); s.Agent.Version != version {
			return fmt.Errorf("it is %q", s.Agent.Version)
		}
		return nil
	})
}

// TestPackageUpgradeKeepsContainer goes through the life of a package: what runs in a container is
// touched by nothing but the removal, and a purge leaves nothing.
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
			t.Errorf("install %s: the container's pid is %s, was %s", step.to, got, pid)
		}
		if got := h.property("dockhost@app", "MainPID"); got != supervisor {
			t.Errorf("install %s: the supervisor's pid is %s, was %s", step.to, got, supervisor)
		}
		h.run("docker exec app /app -check :8080")
	}
	h.run("systemctl restart dockhost@app")
	h.ready("app")

	h.run("dpkg -r dockhost")
	if out := h.output("docker ps -aq; systemctl list-units --no-legend 'dockhost*'"); out != "" {
		t.Errorf("after the removal there is still: %s", out)
	}
	if got := h.run("cat /etc/docker/daemon.json || true"); got != daemonJSON {
		t.Errorf("after the removal daemon.json is %s, was %s", got, daemonJSON)
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
			t.Errorf("the purge took %s away", path)
		}
	}
}

// TestPackageKeepsDisabledUnits has what an administrator disabled, or had disabled
// by a preset, stay disabled.
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

// isDisabled says that the agent neither runs nor would after a boot.
func (h *host) isDisabled() {
	h.Helper()
	for _, unit := range []string{"dockhost.service", "dockhost.socket"} {
		if out, _ := h.try("systemctl is-enabled " + unit); strings.TrimSpace(out) != "disabled" {
			h.Errorf("%s is %s, want disabled", unit, out)
		}
		if active := h.property(unit, "ActiveState"); active != "inactive" {
			h.Errorf("%s is %s, want inactive", unit, active)
		}
	}
}

// TestPackageRemovalStopsHandWrittenUnits has a container of "dockhost run" ended too:
// without the runtime Docker could not end it any more.
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
		t.Errorf("the removal says nothing of own.service: %s", out)
	}
	if state, left := h.property("own", "ActiveState"), h.output("docker ps -aq"); state != "inactive" || left != "" {
		t.Errorf("own.service is %s, and Docker has %q", state, left)
	}
}

// TestPackageInstallsInImageBuild installs, upgrades and purges where neither systemd nor
// Docker runs: in a copy of the host's file system, as an image build does.
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
