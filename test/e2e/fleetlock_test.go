//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var airlock = flag.String("airlock", "", "a `directory` with the programs airlock and etcd, static or for the test host: use them instead of test/fleetlock")

const (
	lockAddress = "127.0.0.1:3333"
	// airlockConfig has the same group as test/fleetlock.
	airlockConfig = `
[status]
enabled = false
[service]
address = "127.0.0.1"
port = 3333
tls = false
[etcd3]
endpoints = ["http://127.0.0.1:2379"]
[lock]
default_group_name = "shop"
default_slots = 1
`
)

// startLockManager starts a lock manager on the host, whose group "shop" has one slot.
func (h *host) startLockManager() {
	h.Helper()
	if *airlock == "" {
		h.startProgram("fleetlock", h.program("../fleetlock"), "-listen "+lockAddress+" -group shop")
	} else {
		h.write("/etc/airlock/config.toml", airlockConfig)
		h.startProgram("etcd", filepath.Join(*airlock, "etcd"), "--data-dir=/run/etcd-test")
		h.startProgram("airlock", filepath.Join(*airlock, "airlock"), "serve -vv")
	}
	h.eventually("the lock manager gives a slot back", func() error {
		if status, _ := h.otherHost("steady-state"); status != "200" {
			return fmt.Errorf("steady-state = %s", status)
		}
		return nil
	})
}

// stopLockManager stops the lock manager.
func (h *host) stopLockManager() {
	h.Helper()
	h.try("systemctl stop test-fleetlock test-airlock test-etcd; rm -rf /run/etcd-test /etc/airlock")
}

// startProgram copies a program to the host, and runs it in a unit.
func (h *host) startProgram(name, source, arguments string) {
	h.Helper()
	binary, err := os.ReadFile(source)
	if err != nil {
		h.Fatal(err)
	}
	path := "/usr/local/bin/test-" + name
	if out, code := h.tryWith("cat >"+path+".new && chmod +x "+path+".new && mv "+path+".new "+path, string(binary)); code != 0 {
		h.Fatalf("install %s: %s", name, out)
	}
	h.run("systemd-run -q --collect --unit=test-" + name + " " + path + " " + arguments)
}

// otherHost makes a request of another host of the fleet. It returns the status and the
// body of the answer.
func (h *host) otherHost(operation string) (status, body string) {
	h.Helper()
	out, _ := h.try(`curl -sS -w '\n%{http_code}' -H 'fleet-lock-protocol: true' \
		-d '{"client_params": {"id": "other", "group": "shop"}}' http://` + lockAddress + "/v1/" + operation)
	at := strings.LastIndex(out, "\n")
	return out[at+1:], out[:max(at, 0)]
}

// fleetApp assigns the test application with a label and a lock of the fleet.
func (h *host) fleetApp(revision string) {
	h.Helper()
	h.assign(app("labels: {revision: "+revision+"}", "deploy: {update_config: {monitor: 4s}}", "healthcheck: {disable: true}",
		"x-dockhost: {update: {fleet_lock: {base_url: 'http://"+lockAddress+"', group: shop}}}"))
}

// updateIs waits until the update of app is in a state, for a reason.
func (h *host) updateIs(state, why string) {
	h.Helper()
	h.eventually("the update of app is "+state, func() error {
		c, err := h.container("app")
		if err != nil {
			return err
		}
		if c.Update == nil || c.Update.State != state || !strings.Contains(c.Update.Why, why) {
			return fmt.Errorf("update = %+v", c.Update)
		}
		return nil
	})
}

// runs checks which revision of the test application runs.
func (h *host) runs(revision string) {
	h.Helper()
	if label := h.output("docker inspect -f '{{.Config.Labels.revision}}' app"); label != revision {
		h.Errorf("revision %s runs, want %s", label, revision)
	}
}

// TestFleetLock updates a host whose fleet has one slot: while another host has the slot,
// and while the lock manager is away. The other host is played by the test.
func TestFleetLock(t *testing.T) {
	h := newHost(t)
	h.Cleanup(h.stopLockManager)
	h.startLockManager()
	h.fleetApp("one")
	h.updateIs("confirmed", "")

	if status, body := h.otherHost("pre-reboot"); status != "200" {
		t.Fatalf("pre-reboot of the other host = %s %s, want 200", status, body)
	}
	h.fleetApp("two")
	h.updateIs("waiting", `no free slot of group "shop" at http://`+lockAddress)
	if out, _ := h.try("dockhostctl status"); !strings.Contains(out, "no free slot") {
		t.Errorf("dockhostctl status does not say what the update waits for:\n%s", out)
	}
	h.runs("one")

	// The other host is done. Now the slot is this host's until its container is well.
	h.otherHost("steady-state")
	h.run("systemctl restart dockhost.service") // it asks at once, and not in half a minute
	h.updateIs("soaking", "")
	if status, body := h.otherHost("pre-reboot"); status != "500" || !strings.Contains(body, "all 1 semaphore slots currently locked") {
		t.Errorf("pre-reboot of the other host during the update = %s %s, want that all slots are locked", status, body)
	}
	h.updateIs("confirmed", "")
	h.runs("two")
	h.eventually("the slot is free again", func() error {
		if status, body := h.otherHost("pre-reboot"); status != "200" {
			return fmt.Errorf("pre-reboot of the other host = %s %s", status, body)
		}
		return nil
	})

	h.stopLockManager()
	h.fleetApp("three")
	h.updateIs("waiting", "connection refused")
	h.runs("two")
	h.startLockManager()
	h.run("systemctl restart dockhost.service")
	h.updateIs("confirmed", "")
	h.runs("three")
}
