//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestGCEUserDataTakesEffectAtOnce changes the user data of a GCE instance: it
// takes effect at once, without a reload, a reboot or a poll.
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
	h.greets("second")
	h.ready("app")
	if now := h.property("dockhost.service", "MainPID"); now != agent {
		t.Errorf("MainPID of the agent = %s, want %s", now, agent)
	}
}

// greets waits until the container app has this GREETING in its environment.
func (h *host) greets(greeting string) {
	h.Helper()
	h.eventually("the container has GREETING="+greeting, func() error {
		if env, _ := h.try("docker inspect -f '{{.Config.Env}}' app"); !strings.Contains(env, "GREETING="+greeting) {
			return fmt.Errorf("environment = %s", env)
		}
		return nil
	})
}

// TestLastKnownGoodRunsWithoutMetadataService boots while the metadata service is
// down: the last known good assignment runs at once, and STATUS= says what the
// agent waits for. When the service is back, the agent reads its user data.
func TestLastKnownGoodRunsWithoutMetadataService(t *testing.T) {
	const address = "169.254.169.254"
	h := newHost(t)
	h.onCloud(address, map[string]string{"product_name": "OpenStack Nova"})
	h.serve("OpenStack", address)
	h.cloudUserData(app(`environment: {GREETING: "first"}`))
	h.takeOver()
	h.ready("app")

	// This leaves the state of a reboot.
	h.run("systemctl stop dockhost.service dockhost.socket 'dockhost@*.service' " + metadataUnit + `.service
		rm -rf /run/dockhost/containers/* /run/dockhost/state/* /run/dockhost/logins/* /run/systemd/system/dockhost@*.service.d
		systemctl daemon-reload`)
	h.run("systemctl start dockhost.socket dockhost.service")
	h.ready("app")
	h.eventually("the agent waits for the metadata service", func() error {
		const want = "waiting for the metadata service of OpenStack at " + address + ": connection refused"
		if text := h.property("dockhost.service", "StatusText"); !strings.Contains(text, want) {
			return fmt.Errorf("StatusText = %q, want %q", text, want)
		}
		return nil
	})

	h.cloudUserData(app(`environment: {GREETING: "second"}`))
	h.serve("OpenStack", address)
	h.greets("second")
	h.source("OpenStack")
	if text := h.property("dockhost.service", "StatusText"); strings.Contains(text, "waiting for the metadata") {
		t.Errorf("StatusText = %q, want no waiting", text)
	}
}
