//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// hostileRegistry is at an address that is not the host's own to Docker and to dockhost.
const hostileRegistry = "registry.test:5443"

// startRegistry starts the hostile registry, and lets Docker trust it.
func (a *attacked) startRegistry() {
	a.Helper()
	const certificates = "/etc/docker/certs.d/" + hostileRegistry
	a.Cleanup(func() { a.try("rm -rf " + certificates + "; ip addr del 169.254.169.254/32 dev lo") })
	a.run("cp -r /etc/docker/certs.d/registry.test:5000 " + certificates + "; ip addr replace 169.254.169.254/32 dev lo")
	a.hostile("registry")
	a.eventually("the registry listens", func() error { return a.listens("192.0.2.1:5443") })
}

// asksNobody checks that neither dockhost nor Docker has asked an address of the host since,
// where the attack was.
func (a *attacked) asksNobody(since string) {
	a.Helper()
	for line := range strings.SplitSeq(a.hostileSaid(since), "\n") {
		if strings.HasPrefix(line, "canary ") {
			a.Errorf("SUCCESS of the attack: %s", line)
		}
	}
}

// TestAttackRegistry assigns images of a hostile registry to a container that runs. It keeps
// running with its image, the status says why, nobody else is asked, and no other image is
// removed to make room.
func TestAttackRegistry(t *testing.T) {
	a := &attacked{host: newHost(t)}
	a.installHostile()
	a.smallDisk("1g") // where there is room enough, the agent asks no registry for sizes
	a.keepsHouse("images: all, min_age: 0s, keep_last: 1, high: 99%, low: 98%, interval: 24h, build_cache: off")
	a.startRegistry()
	a.makes("10K", "idle:1")
	a.assign(good())
	a.ready("app")
	a.begins()
	for name := range strings.FieldsSeq(`
		redirect-to-metadata redirect-to-loopback redirect-to-other-loopback redirect-to-mapped redirect-to-localhost redirect-to-nowhere
		redirect-to-file redirect-to-itself token-from-metadata token-from-loopback token-by-redirect
		waits-for-years ugly-error long-error slow-body endless-header endless-manifest manifest-encoded
		config-of-exabytes config-of-64-mib config-below-nothing config-longer-than-said config-too-deep config-digest-with-path
		layer-of-exabytes layers-over-int64 20000-layers manifest-too-deep manifest-of-nulls index-of-20000`) {
		a.in(name, func(a *attacked) {
			since := a.now()
			image := hostileRegistry + "/" + name + ":1"
			a.assign(strings.Replace(app(`ports: ["8080:8080"]`, "x-dockhost: {pull_stall_timeout: 2s}"), "localhost:5000/app:1", image, 1))
			said := ""
			a.eventually("the pull has failed", func() error {
				c, err := a.container("app")
				if err != nil || c.Pending == nil || c.Pending.Error == "" || !strings.Contains(c.Pending.Image+c.Pending.Error, name) {
					return fmt.Errorf("status = %+v, %+v, %w", c, c.Pending, err)
				}
				said = c.Pending.Error
				return nil
			})
			if len(said) > 8<<10 || strings.ContainsAny(said, "\x1b\x07\u202e\u2066\r\x00") {
				a.Errorf("SUCCESS of the attack: the error has %d bytes: %.500q", len(said), said)
			}
			a.goesOn()
			a.asksNobody(since)
			if out, code := a.try("docker image inspect idle:1 >/dev/null"); code != 0 {
				a.Errorf("SUCCESS of the attack: the host has removed another image: %s", out)
				a.makes("10K", "idle:1")
			}
			a.Logf("%.300q; the agent has %d MiB, dockerd %d", said, a.memoryOf("dockhost"), a.memoryOf("docker"))
		})
	}
}

// TestAttackImages runs images whose configuration attacks. Each runs or fails by itself.
func TestAttackImages(t *testing.T) {
	a := underAttack(t)
	a.startRegistry()
	for name := range strings.FieldsSeq(`100000-variables 100000-labels 60000-ports 1000-volumes forged-labels ugly-strings endless-check
		false-signal user-of-the-host volume-of-proc`) {
		a.in(name, func(a *attacked) {
			a.Cleanup(func() { a.try("dockhostctl rm --volumes evil") })
			out, code := a.try("timeout 40 dockhostctl run --name evil --stop-timeout 1 --restart no " + hostileRegistry + "/" + name + ":1")
			if strings.ContainsAny(out, "\x1b\x07\u202e\u2066\r\x00") {
				a.Errorf("SUCCESS of the attack: the output is %.500q", out)
			}
			a.goesOn()
			if shown, _ := a.try("dockhostctl status; dockhostctl status --json; systemctl status --no-pager dockhost@evil"); len(shown) > 256<<10 || strings.ContainsAny(shown, "\x1b\x07\u202e\u2066\x00") {
				a.Errorf("SUCCESS of the attack: the status has %d bytes: %.500q", len(shown), shown)
			}
			if size := a.memoryOfEvil(); size > 150 {
				a.Errorf("SUCCESS of the attack: the supervisor has %d MiB", size)
			}
			a.othersStart()
			a.Logf("dockhostctl run exits %d: %.200q; the agent has %d MiB", code, out, a.memoryOf("dockhost"))
		})
	}
	a.eventually("nothing of them is left", func() error {
		if after := a.trace(); after != a.before {
			return errors.New(after)
		}
		return nil
	})
}

// memoryOfEvil returns the resident memory of the supervisor of the container evil in MiB, 0
// if it has none.
func (a *attacked) memoryOfEvil() int {
	a.Helper()
	if a.property("dockhost@evil", "MainPID") == "0" {
		return 0
	}
	return a.memoryOf("dockhost@evil")
}

// othersStart starts another container, and returns once it is ready.
func (a *attacked) othersStart() {
	a.Helper()
	if out, code := a.try("timeout 60 dockhostctl run --name bystander --stop-timeout 1 localhost:5000/app:1 && dockhostctl rm bystander"); code != 0 {
		a.Errorf("SUCCESS of the attack: another container's start exits %d: %s", code, out)
	}
}
