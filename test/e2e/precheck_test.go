//go:build e2e

package e2e

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// foreign is an image for a platform that the host is not.
const foreign = "localhost:5000/app:foreign"

// foreignPlatform returns a platform that no test host has.
func foreignPlatform() string {
	if runtime.GOARCH == "arm64" {
		return "linux/amd64"
	}
	return "linux/arm64"
}

// loadForeign loads the foreign image. Docker 20.10 cannot import an image for
// another architecture, so this makes an archive of it.
func (h *host) loadForeign() {
	h.Helper()
	_, architecture, _ := strings.Cut(foreignPlatform(), "/")
	h.run(`d=$(mktemp -d) && cd $d && touch empty && tar -cf layer.tar empty && sum=$(sha256sum layer.tar | cut -d" " -f1)
		echo '{"architecture":"` + architecture + `","os":"linux","config":{"Cmd":["/empty"]},"rootfs":{"type":"layers","diff_ids":["sha256:'$sum'"]}}' >config.json
		echo '[{"Config":"config.json","RepoTags":["` + foreign + `"],"Layers":["layer.tar"]}]' >manifest.json
		tar -c manifest.json config.json layer.tar | docker load && rm -r $d`)
}

// TestMissingNeedsKeepContainerRunning changes a container to one that the host
// cannot run: the old one keeps running, the status says why, and the change takes
// effect once the cause is gone.
func TestMissingNeedsKeepContainerRunning(t *testing.T) {
	to2 := func(keys ...string) string {
		return strings.Replace(app(append(keys, `ports: ["8080:8080"]`)...), "app:1", "app:2", 1)
	}
	const file, secret, device, directory = "/srv/precheck/env", "/srv/precheck/secret", "/dev/precheck", "/srv/precheck/data"
	tests := []struct {
		name, section, problem, cure string
	}{
		{
			"an image for another platform", strings.Replace(good(), "localhost:5000/app:1", foreign, 1),
			fmt.Sprintf("image %q is for %s, and this host is linux/%s", foreign, foreignPlatform(), runtime.GOARCH),
			"docker tag localhost:5000/app:1 " + foreign,
		},
		{"a missing env file", to2("env_file: " + file), file, "echo A=b >" + file},
		{
			"a missing file of a secret", to2("secrets: [pw]") + "  secrets: {pw: {file: " + secret + "}}\n",
			"the file for /run/secrets/pw in the container: open " + secret, "echo word >" + secret,
		},
		{"a missing device", to2("devices: [" + device + "]"), "the host has no device \"" + device, "mknod " + device + " c 1 3"},
		{
			"a missing directory", to2("volumes: [{type: bind, source: " + directory + ", target: /data, bind: {create_host_path: false}}]"),
			"the host has no \"" + directory, "mkdir " + directory,
		},
		{
			"an unknown runtime", to2("runtime: precheck"), `runtime "precheck" is neither registered with Docker nor a program in PATH`,
			"ln -sf $(command -v runc) /usr/local/sbin/precheck",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			t.Cleanup(func() {
				// First: a container is removed by its own runtime.
				h.try("systemctl stop dockhost.service dockhost.socket 'dockhost@*'")
				h.try("rm -rf /srv/precheck " + device + " /usr/local/sbin/precheck; docker image rm -f " + foreign)
			})
			h.run("mkdir -p /srv/precheck")
			h.assign(good())
			h.ready("app")
			h.loadForeign()
			pid := h.pid("app")
			h.assign(test.section)
			h.eventually("the status shows the reason", func() error {
				c, err := h.container("app")
				if err != nil || c.Pending == nil || !strings.Contains(c.Pending.Error, test.problem) {
					return fmt.Errorf("status = %+v (%+v), %w, want %q", c, c.Pending, err, test.problem)
				}
				return nil
			})
			h.runsStill(pid)
			h.run(test.cure)
			h.eventually("the container is replaced", func() error {
				if now, code := h.try("docker inspect -f '{{.State.Pid}}' app"); code != 0 || strings.TrimSpace(now) == pid {
					return fmt.Errorf("pid = %s", now)
				}
				return nil
			})
			h.ready("app")
		})
	}
}

// TestForeignImageNamesPlatforms starts an image for another platform first: the
// error of the unit names both platforms.
func TestForeignImageNamesPlatforms(t *testing.T) {
	h := newHost(t)
	t.Cleanup(func() { h.try("docker image rm -f " + foreign) })
	h.loadForeign()
	h.assign(strings.Replace(good(), "localhost:5000/app:1", foreign, 1))
	problem := fmt.Sprintf("is for %s, and this host is linux/%s", foreignPlatform(), runtime.GOARCH)
	h.eventually("the status shows the reason", func() error {
		c, err := h.container("app")
		if err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, problem) {
			return fmt.Errorf("status = %+v (%+v), %w, want %q", c, c.LastError, err, problem)
		}
		return nil
	})
}
