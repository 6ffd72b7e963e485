//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCureEndsTheWait mends what containers fail for. Their units would wait for ten
// minutes; the agent starts them at once.
func TestCureEndsTheWait(t *testing.T) {
	h := newHost(t)
	const ours = "/srv/cure"
	h.Cleanup(func() {
		h.try("systemctl stop dockhost.service dockhost.socket 'dockhost@*' holder; systemctl reset-failed holder; rm -rf " + ours + "; docker network rm cure-e2e")
	})
	h.run("mkdir -p " + ours + "; systemd-run -q --unit holder systemd-socket-activate -l 127.0.0.1:8091 cat;")
	h.login()
	h.run("docker pull -q localhost:5000/busybox; docker run -d --name holder -p 127.0.0.1:8092:80 localhost:5000/busybox sleep 600")
	container := func(name string, keys ...string) string {
		text := "    " + name + ":\n      image: localhost:5000/busybox\n      command: [sleep, '600']\n      stop_grace_period: 1s\n" +
			"      x-dockhost: {unit: {Service: {RestartSec: 10min}}}\n"
		for _, key := range keys {
			text += "      " + key + "\n"
		}
		return text
	}
	failing := []string{"env", "secret", "directory", "program", "proxy", "network", "name"}
	h.assign("dockhost:\n  containers:\n" +
		container("env", "env_file: "+ours+"/env") +
		container("secret", "secrets: [pw]") +
		container("directory", "volumes: [{type: bind, source: "+ours+"/data, target: /data, bind: {create_host_path: false}}]") +
		container("program", "ports: ['127.0.0.1:8091:80']") +
		container("proxy", "ports: ['127.0.0.1:8092:80']") +
		container("network", "networks: [outer]") +
		container("name", "container_name: holder") +
		"  secrets: {pw: {file: " + ours + "/secret}}\n  networks: {outer: {external: true, name: cure-e2e}}\n" + registries)
	h.eventually("all have failed", func() error {
		for _, name := range failing {
			if c, err := h.container(name); err != nil || c.LastError == nil || c.SubState != "auto-restart" {
				return fmt.Errorf("%s: %+v, %w", name, c, err)
			}
		}
		return nil
	})
	h.run("echo A=b >" + ours + "/env; echo word >" + ours + "/secret; mkdir " + ours + "/data; systemctl stop holder; docker rm -f holder; docker network create cure-e2e")
	for _, name := range failing {
		h.ready(name)
	}
	if restarts := h.property("dockhost@env", "NRestarts"); restarts != "0" {
		t.Errorf("NRestarts = %s, want 0: the delay begins again", restarts)
	}

	// A unit that someone has stopped stays so.
	h.run("rm " + ours + "/env; systemctl restart --no-block dockhost@env")
	h.failsAgain("env")
	h.run("systemctl stop dockhost@env; echo A=b >" + ours + "/env; rmdir " + ours + "/data; systemctl restart --no-block dockhost@directory")
	h.failsAgain("directory")
	h.run("mkdir " + ours + "/data")
	h.ready("directory")
	if state := h.property("dockhost@env", "ActiveState"); state != "inactive" {
		t.Errorf("ActiveState of the stopped unit = %s, want inactive", state)
	}
}

// TestRoomEndsTheWait makes room on Docker's disk, which was too full for a container. Its
// unit would wait for ten minutes; the agent starts it at once.
func TestRoomEndsTheWait(t *testing.T) {
	h := newHost(t)
	h.smallDisk("140m")
	h.keepsHouse("images: off")
	h.login()
	h.run("docker pull -q localhost:5000/busybox")
	fillers := []string{"filler:1", "filler:2", "filler:3", "filler:4"}
	h.makes("20M", fillers...)
	h.run("dd if=/dev/zero of=/run/dockhost-e2e-disk/spare bs=1M count=1 2>/dev/null; dd if=/dev/zero of=/run/dockhost-e2e-disk/full bs=4k 2>/dev/null || true")
	h.assign("dockhost:\n  containers:\n    app:\n      image: localhost:5000/busybox\n      command: [sleep, '600']\n      stop_grace_period: 1s\n" +
		"      x-dockhost: {unit: {Service: {RestartSec: 10min}}}\n" + registries)
	h.eventually("the disk is too full", func() error {
		c, err := h.container("app")
		if err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, "no space left") || c.SubState != "auto-restart" {
			return fmt.Errorf("%+v, %w", c, err)
		}
		return nil
	})
	// Room that is made before the agent has looked at the disk is no change for it.
	const patience = 5 * time.Second
	removed := time.Time{}
	h.eventually("the container is ready", func() error {
		c, err := h.container("app")
		if err == nil && !c.Ready {
			err = fmt.Errorf("%+v", c)
		}
		if err != nil && len(fillers) > 0 && time.Since(removed) > patience {
			h.run("rm -f /run/dockhost-e2e-disk/spare; docker rmi " + fillers[0]) // Docker needs some room for that
			fillers, removed = fillers[1:], time.Now()
		}
		return err
	})
}

// failsAgain waits until the unit of a container has failed, and will be restarted.
func (h *host) failsAgain(name string) {
	h.Helper()
	h.eventually(name+" has failed", func() error {
		if state := h.property("dockhost@"+name, "SubState"); state != "auto-restart" {
			return fmt.Errorf("SubState = %s", state)
		}
		return nil
	})
}

// TestCuredPullIsTriedAgain corrects a login, and mends the network, while pulls wait
// for their next try.
func TestCuredPullIsTriedAgain(t *testing.T) {
	h := newHost(t)
	const address = "198.51.100.7/32"
	hosts := strings.TrimSpace(h.run("cat /etc/hosts"))
	h.Cleanup(func() {
		h.write("/run/hosts", hosts+"\n")
		h.try("rm -rf /root/.docker; ip address del " + address + " dev eth0; cat /run/hosts >/etc/hosts")
	})
	h.run("docker rmi -f localhost:5000/app:1 localhost:5000/busybox registry.test:5000/busybox >/dev/null 2>&1 || true")
	h.run("sed '/registry.test/d' /etc/hosts >/run/hosts && cat /run/hosts >/etc/hosts")
	h.eventually("Docker has read the hosts again, which it does after some seconds", func() error {
		if out, _ := h.try("docker pull -q registry.test:5000/none"); !strings.Contains(out, "lookup registry.test") {
			return errors.New(out)
		}
		return nil
	})
	h.assign("dockhost:\n  containers:\n    app: {image: 'localhost:5000/app:1'}\n" +
		"    far: {image: 'registry.test:5000/busybox', command: [sleep, '600'], stop_grace_period: 1s}\n  registries:\n    registry.test:5000: {username: deploy, password: s3cret}\n")
	h.waitsLong("app")
	h.run("docker login -u deploy -p s3cret localhost:5000 >/dev/null 2>&1")
	h.ready("app")
	// far had the same file among its cures.
	h.waitsLong("far")
	h.run("echo 192.0.2.1 registry.test >>/etc/hosts; ip address add " + address + " dev eth0")
	h.ready("far")
	log := h.output("journalctl --sync; journalctl --no-pager -o json -u dockhost -b | jq -r 'select(.WHAT != null) | .WHAT + \" \" + .CHANGED'")
	for _, want := range []string{"unit app file", "unit far network"} {
		if !strings.Contains(log, want) {
			t.Errorf("the agent has tried again %q, want %q, too", log, want)
		}
	}
}

// waitsLong waits until the next pull of a container's image is so far away that
// another cause must be behind an earlier one.
func (h *host) waitsLong(name string) {
	h.Helper()
	const long = 12 * time.Second
	h.eventually(name+" waits long for its next try", func() error {
		text, _ := h.try("jq -r .next_try /run/dockhost/state/" + name + "*")
		next, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(text))
		if left := time.Until(next); err != nil || left < long {
			return fmt.Errorf("the next try is %q, %w, want it at least %s away", text, err, long)
		}
		return nil
	})
}
