//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// On GCE, user data that is edited in the console is there at once: without a
// reload, a reboot, or a poll.
func TestGCEUserDataTakesEffectAtOnce(t *testing.T) {
	const address = "169.254.169.254"
	h := newHost(t)
	h.onCloud(address, map[string]string{"product_name": "Google Compute Engine"})
	h.serve("GCE", address)
	h.cloudUserData(app(`environment: {GREETING: "first"}`))
	h.takeOver()
	h.ready("app")
	agent := h.property("dockhost.service", "MainPID")

	h.cloudUserData(app(`environment: {GREETING: "second"}`))
	h.eventually("the container is the new one", func() error {
		if env, _ := h.try("docker inspect -f '{{.Config.Env}}' app"); !strings.Contains(env, "GREETING=second") {
			return fmt.Errorf("its environment is %s", env)
		}
		return nil
	})
	h.ready("app")
	if now := h.property("dockhost.service", "MainPID"); now != agent {
		t.Errorf("the agent is process %s, want %s still", now, agent)
	}
}

// A boot while the metadata service is away starts what ran last, without
// waiting, and says what it waits for; when the service is back, its user data
// is taken over.
func TestLastKnownGoodRunsWithoutMetadataService(t *testing.T) {
	const address = "169.254.169.254"
	h := newHost(t)
	h.onCloud(address, map[string]string{"product_name": "OpenStack Nova"})
	h.serve("OpenStack", address)
	h.cloudUserData(app(`environment: {GREETING: "first"}`))
	h.takeOver()
	h.ready("app")

	// What a reboot leaves.
	h.run("systemctl stop dockhost.service dockhost.socket 'dockhost@*.service' " + metadataUnit + `.service
		rm -rf /run/dockhost/containers/* /run/dockhost/state/* /run/dockhost/logins/* /run/systemd/system/dockhost@*.service.d
		systemctl daemon-reload`)
	h.run("systemctl start dockhost.socket dockhost.service")
	h.ready("app")
	h.eventually("it says what it waits for", func() error {
		const want = "waiting for the metadata service of OpenStack at " + address + ": connection refused"
		if text := h.property("dockhost.service", "StatusText"); !strings.Contains(text, want) {
			return fmt.Errorf("STATUS=%s, want %s", text, want)
		}
		return nil
	})

	h.cloudUserData(app(`environment: {GREETING: "second"}`))
	h.serve("OpenStack", address)
	h.eventually("the container is the new one", func() error {
		if env, _ := h.try("docker inspect -f '{{.Config.Env}}' app"); !strings.Contains(env, "GREETING=second") {
			return fmt.Errorf("its environment is %s", env)
		}
		return nil
	})
	h.source("OpenStack")
	if text := h.property("dockhost.service", "StatusText"); strings.Contains(text, "waiting for the metadata") {
		t.Errorf("STATUS=%s, want that it waits no more", text)
	}
}
