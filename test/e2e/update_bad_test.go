//go:build e2e

package e2e

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// TestBadUpdateComesBack moves the tag to each kind of bad image: what ran before runs
// again, and is there although images were removed meanwhile.
func TestBadUpdateComesBack(t *testing.T) {
	h := newShop(t)
	// Docker may take a second to tell that a container has ended.
	slow := strings.Replace(shop("pause_after: 100", "mem_limit: 64m", "restart: unless-stopped",
		`healthcheck: {test: ["CMD-SHELL", "! test -e /sick"], interval: 500ms, retries: 2}`), "monitor: 2s", "monitor: 5s", 1)
	h.assign(slow)
	h.confirmed()
	before := h.output("docker inspect -f '{{.Image}}' shop")
	_, architecture, _ := strings.Cut(foreignPlatform(), "/")
	tests := []struct {
		image   string
		code    int
		outcome string
		why     []string
		output  string
	}{
		{"exits", 5, api.OutcomeRolledBack, []string{"container ended with exit code 3"}, "cannot read the configuration"},
		{"exits-later", 5, api.OutcomeRolledBack, []string{"container ended with exit code 7"}, ""},
		{"never-ready", 5, api.OutcomeRolledBack, []string{"ready"}, ""},
		{"sick", 5, api.OutcomeRolledBack, []string{"health check fails"}, ""},
		{"greedy", 5, api.OutcomeRolledBack, []string{"out of memory"}, ""},
		{"loses-child", 5, api.OutcomeRolledBack, []string{"out of memory"}, ""},
		{"missing", 5, api.OutcomeRolledBack, []string{"/no/such/program"}, ""},
		{"foreign", 6, api.OutcomeRefused, []string{"linux/" + runtime.GOARCH, "linux/" + architecture}, ""},
	}
	for _, test := range tests {
		h.subtest(test.image, func(h *host) {
			if (test.image == "greedy" || test.image == "loses-child") && h.output("docker info -f '{{.MemoryLimit}}'") != "true" {
				h.Skip("the host has no memory controller")
			}
			pid := h.pid("shop")
			h.moves(test.image)
			out := h.updates("update shop", test.code, test.why...)
			h.servesVersion("1")
			h.ready("shop")
			if now := h.output("docker inspect -f '{{.Image}}' shop"); now != before {
				h.Errorf("image = %s, want %s", now, before)
			}
			if _, code := h.status(); code != 3 {
				h.Errorf("status exits %d, want 3", code)
			}
			if test.outcome == api.OutcomeRefused {
				if h.pid("shop") != pid {
					h.Errorf("the container was stopped")
				}
				return
			}
			last := h.past()[0]
			if last.Outcome != test.outcome || last.To.Digest != h.digest(test.image) || !strings.Contains(strings.Join(last.Output, "\n"), test.output) {
				h.Errorf("history = %+v, want %s with %q", last, test.outcome, test.output)
			}
			shown, _ := h.try("dockhostctl history; dockhostctl history --json; dockhostctl status; dockhostctl status --json")
			if out += shown; strings.Contains(out, "hunter2") {
				h.Errorf("a secret is shown: %s", out)
			}
			h.updates("update shop", 6, "quarantined")
		})
	}
	h.moves("2")
	h.updates("update shop", 0, "confirmed")
	h.servesVersion("2")
	if _, code := h.status(); code != 0 {
		t.Errorf("status exits %d, want 0", code)
	}
}

// TestImageBeforeSurvivesCleaning removes unused images while an update soaks, which then
// fails, without the registry.
func TestImageBeforeSurvivesCleaning(t *testing.T) {
	h := newShop(t)
	h.write("/etc/dockhost/dockhost.yaml", "housekeeping: {images: all, min_age: 0s, max_age: 1ns, keep_last: 1, high: 2%, low: 1%, interval: 24h, build_cache: off}\n")
	slow := strings.Replace(shop(""), "monitor: 2s", "monitor: 5m", 1)
	h.assign(shop(""))
	h.confirmed()
	before := h.output("docker inspect -f '{{.Image}}' shop")
	h.assign(slow)
	h.ready("shop")
	h.moves("2")
	h.updates("update shop --no-block", 0)
	h.showsState(api.StateSoaking, "observed until")
	h.run("systemctl stop docker-registry; docker image prune -f; dockhostctl gc || [ $? = 3 ]")
	h.run("curl -fsS -X POST 'http://localhost:8080/crash?code=9'")
	h.showsState(api.OutcomeRolledBack, "container ended with exit code 9")
	h.servesVersion("1")
	if now := h.output("docker inspect -f '{{.Image}}' shop"); now != before {
		t.Errorf("image = %s, want %s", now, before)
	}
}

// TestFaultOfHostRollsNothingBack restarts Docker, and removes and kills the container,
// while an update soaks. The new image is not to blame, and keeps running.
func TestFaultOfHostRollsNothingBack(t *testing.T) {
	h := newShop(t)
	slow := strings.Replace(shop(""), "monitor: 2s", "monitor: 5m", 1)
	h.assign(shop(""))
	h.confirmed()
	h.assign(slow)
	h.ready("shop")
	h.moves("2")
	h.updates("update shop --no-block", 0)
	h.showsState(api.StateSoaking, "observed until")
	for _, fault := range []string{"systemctl restart docker.service", "docker rm -f shop", "docker kill shop"} {
		before := h.output("docker inspect -f '{{.Id}}' shop")
		h.run(fault)
		h.eventually("the container is there again after: "+fault, func() error {
			c, err := h.container("shop")
			if err == nil && (!c.Ready || c.ID == before) {
				err = fmt.Errorf("status = %+v", c)
			}
			return err
		})
		h.servesVersion("2")
	}
	h.showsState(api.StateSoaking, "observed until")
	h.run("curl -fsS -X POST 'http://localhost:8080/crash?code=9'")
	h.showsState(api.OutcomeRolledBack, "container ended with exit code 9")
}
