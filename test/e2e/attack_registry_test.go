//go:build e2e

package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hostileRegistry is at an address that is not the host's own to Docker and to dockhost.
const hostileRegistry = "registry.test:5443"

// hostileImage returns the image of an attack. Registries that send a client elsewhere for a
// token have ports of their own.
func hostileImage(attack string) string {
	ports := map[string]string{"token-from-metadata": "5444", "token-from-loopback": "5445", "token-by-redirect": "5446", "token-from-socket": "5447"}
	return "registry.test:" + cmp.Or(ports[attack], "5443") + "/" + attack + ":1"
}

// startRegistry starts the hostile registry, and lets Docker trust it.
func (a *attacked) startRegistry() {
	a.Helper()
	const certificates = "/etc/docker/certs.d/registry.test:"
	a.Cleanup(func() { a.try("rm -rf " + certificates + "544?; ip addr del 169.254.169.254/32 dev lo") })
	a.run("for port in 5443 5444 5445 5446 5447; do cp -r " + certificates + "5000 " + certificates + "$port; done; ip addr replace 169.254.169.254/32 dev lo")
	a.hostile("registry")
	for address := range strings.FieldsSeq("192.0.2.1:5443 192.0.2.1:5447 169.254.169.254:80 127.0.0.1:8999 127.255.3.4:8999") {
		a.eventually("the registry listens at "+address, func() error { return a.listens(address) })
	}
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
// running with its image, the status says why, nobody else is asked, memory and disk stay as
// they are, and no other image is removed to make room.
func TestAttackRegistry(t *testing.T) {
	const most = 300 // MiB
	a := &attacked{host: newHost(t)}
	a.installHostile()
	a.smallDisk("1g") // where there is room enough, the agent asks no registry for sizes
	a.keepsHouse("images: all, min_age: 0s, keep_last: 1, high: 99%, low: 98%, interval: 24h, build_cache: off")
	a.startRegistry()
	for name := range strings.FieldsSeq(`
		redirect-to-metadata redirect-to-loopback redirect-to-other-loopback redirect-to-mapped redirect-to-localhost redirect-to-nowhere
		redirect-to-file redirect-to-itself token-from-metadata token-from-loopback token-by-redirect token-from-socket
		waits-for-years ugly-error long-error slow-body endless-header endless-manifest manifest-encoded
		config-of-exabytes config-of-64-mib config-below-nothing config-longer-than-said config-too-deep config-digest-with-path
		layer-of-exabytes layers-over-int64 20000-layers manifest-too-deep manifest-of-nulls index-of-20000
		layer-below-nothing layer-of-a-disk layer-twice 10000-layers-of-pebibytes`) {
		a.in(name, func(a *attacked) {
			a.startsAgain()
			since, disk := a.now(), a.usedOnSmallDisk()
			said := a.pullFails(name)
			if len(said) > 8<<10 || strings.ContainsAny(said, "\x1b\x07\u202e\u2066\r\x00") {
				a.Errorf("SUCCESS of the attack: the error has %d bytes: %.500q", len(said), said)
			}
			a.settles("docker")
			a.goesOn()
			a.asksNobody(since)
			if out, code := a.try("docker image inspect idle:1 >/dev/null"); code != 0 {
				a.Errorf("SUCCESS of the attack: the host has removed another image: %s", out)
			}
			agent, docker, grown := a.peakOf("dockhost"), a.peakOf("docker"), a.usedOnSmallDisk()-disk
			if agent > most || docker > most || grown > 100 {
				a.Errorf("SUCCESS of the attack: the agent had up to %d MiB, dockerd %d, and the disk has %d more", agent, docker, grown)
			}
			a.Logf("%.300q; the agent had up to %d MiB, dockerd %d; the disk has %d more", said, agent, docker, grown)
		})
	}
}

// startsAgain begins an attack with a small dockerd, the good container and another image,
// whatever the last attack got.
func (a *attacked) startsAgain() {
	a.Helper()
	if a.memoryOf("docker") > 200 {
		a.run("systemctl restart docker")
	}
	a.makes("10K", "idle:1")
	a.assign(good())
	if c := a.ready("app"); !strings.HasPrefix(c.Image, "localhost:5000/") {
		a.Fatalf("app runs %s", c.Image)
	}
	a.begins()
	a.run("for unit in dockhost docker; do echo 5 >/proc/$(systemctl show --value -p MainPID $unit)/clear_refs; done") // resets the peak
}

// pullFails assigns the image of an attack, and returns why it does not run.
func (a *attacked) pullFails(attack string) (said string) {
	a.Helper()
	image := hostileImage(attack)
	a.assign(strings.Replace(app(`ports: ["8080:8080"]`, "x-dockhost: {pull_stall_timeout: 2s}"), "localhost:5000/app:1", image, 1))
	a.within(3*time.Minute, "the pull has failed", func() error {
		c, err := a.container("app")
		switch {
		case err == nil && c.Image == image:
			a.Fatalf("SUCCESS of the attack: the host runs its image: %+v", c)
		case err != nil || c.Pending == nil || c.Pending.Image != image || c.Pending.Error == "":
			return fmt.Errorf("status = %+v, %+v, %w", c, c.Pending, err)
		}
		said = c.Pending.Error
		return nil
	})
	return said
}

// settles waits until the memory of a unit's main process does not grow any more: Docker may
// be at an answer of the registry after the pull has failed.
func (a *attacked) settles(unit string) {
	a.Helper()
	last := 0
	a.eventually(unit+" is done", func() error {
		now := a.memoryOf(unit)
		if grown := now - last; grown > 0 {
			last = now
			return fmt.Errorf("it has %d MiB, %d more than before", now, grown)
		}
		return nil
	})
}

// peakOf returns the most resident memory that a unit's main process has had since
// startsAgain, in MiB.
func (a *attacked) peakOf(unit string) int {
	a.Helper()
	return a.memory(unit, "VmHWM")
}

// usedOnSmallDisk returns how much of the disk of smallDisk is used, in MiB.
func (a *attacked) usedOnSmallDisk() int {
	a.Helper()
	used, err := strconv.Atoi(strings.TrimSpace(a.output("df -BM --output=used " + a.smallImages() + " | tail -n 1 | tr -d M")))
	if err != nil {
		a.Fatal(err)
	}
	return used
}

// TestAttackImages runs images whose configuration attacks. Each runs or fails by itself.
func TestAttackImages(t *testing.T) {
	a := underAttack(t)
	a.startRegistry()
	a.begins()
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
