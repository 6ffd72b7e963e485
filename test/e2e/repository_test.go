//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRepositoryRejectsTampering installs and upgrades by apt from a repository of
// `make repo`, and checks that apt rejects it after a change to its lists.
func TestRepositoryRejectsTampering(t *testing.T) {
	h := newPackageHost(t)
	repository := makeRepository(t, "previous", "current")
	const onHost = "/srv/dockhost-repository"
	t.Cleanup(func() { h.try("rm -rf " + onHost) })
	if out, err := dockerOutside("cp", repository, hostName()+":"+onHost); err != nil {
		t.Fatalf("copy the repository: %v: %s", err, out)
	}
	h.write(onHost+"/test.list", "deb [signed-by="+onHost+"/dockhost.gpg] file:"+onHost+" stable main\n")
	apt := "apt-get -q -y -o Dir::Etc::SourceList=" + onHost + "/test.list -o Dir::Etc::SourceParts=-" +
		" -o Dir::State::Lists=" + onHost + "/lists "
	h.run("mkdir -p " + onHost + "/lists/partial && chmod -R a+rX " + onHost + " && " + apt + "update")
	h.run(apt + "install dockhost=0.0.1-1")
	h.agentIs(previousVersion)
	h.run(apt + "upgrade")
	h.agentIs(currentVersion)

	h.run("rm -rf " + onHost + "/lists && mkdir -p " + onHost + "/lists/partial && " + apt + "update")
	h.run("rm -rf " + onHost + "/lists && mkdir -p " + onHost + "/lists/partial")
	lists := onHost + "/dists/stable/main/binary-*/Packages"
	h.run("sed -i 's/^Version: 0.0.2-1/Version: 0.0.3-1/' " + lists + " && rm " + lists + ".gz")
	if out, code := h.try(apt + "update -o APT::Update::Error-Mode=any"); code == 0 {
		t.Errorf("apt accepts a list that differs from the signed one: %s", out)
	}
}

// makeRepository builds a repository of packages, signed with a new key, and
// returns its directory.
func makeRepository(t *testing.T, versions ...string) string {
	t.Helper()
	home, out := t.TempDir(), t.TempDir()
	environ := append(os.Environ(), "GNUPGHOME="+home, "SIGN_KEY=test@example.com")
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = environ
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "test@example.com")
	for _, version := range versions {
		run("../../packaging/repo.sh", filepath.Join(packages, version), out)
	}
	_ = exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent").Run()
	return out
}
