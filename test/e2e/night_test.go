//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// night is a way to break a host, what a person who is woken must see, and what mends it.
type night struct {
	name   string
	broken func(h *host)
	// cause and cure are in the first screen of status, or in that of doctor.
	cause, cure string
	// mend makes the container app ready again; nil if assigning it again does.
	mend func(h *host)
}

// nights are the twelve that matter most.
func nights() []night {
	forget := "docker rmi -f localhost:5000/app:1 >/dev/null 2>&1 || true"
	return []night{
		{
			name:   "a wrong password",
			broken: func(h *host) { h.run(forget); h.assign(strings.Replace(good(), "s3cret", "wrong", 1)) },
			cause:  "localhost:5000 refuses the login", cure: "docker login localhost:5000",
		},
		{
			name:   "DNS",
			broken: func(h *host) { h.assign(strings.Replace(good(), "localhost:5000/app:1", "nowhere.invalid/app:1", 1)) },
			cause:  "DNS does not find nowhere.invalid", cure: "/etc/resolv.conf",
		},
		{
			name: "a full disk",
			broken: func(h *host) {
				h.smallDisk("200m")
				h.run("fallocate -l $(($(df --output=avail -B1 /run/dockhost-e2e-disk | tail -n 1) - 2000000)) /run/dockhost-e2e-disk/junk")
				h.assign(good())
			},
			cause: "/run/dockhost-e2e-disk has", cure: "dockhostctl gc --dry-run",
			mend: func(h *host) { h.run("rm /run/dockhost-e2e-disk/junk") },
		},
		{
			name: "a failing health check",
			broken: func(h *host) {
				h.assign(shell("sleep infinity", `healthcheck: {test: ["CMD-SHELL", "echo no answer at 8080; exit 1"], interval: 500ms, retries: 1}`))
			},
			cause: "no answer at 8080", cure: "systemctl restart dockhost@app.service",
		},
		{
			name: "a port that is taken",
			broken: func(h *host) {
				h.run("systemd-run -q --unit port-taker dockhost-test-app -listen :8080")
				h.Cleanup(func() { h.try("systemctl stop port-taker") })
				h.assign(good())
			},
			cause: "port 8080/tcp is already in use", cure: "ss -lnp 'sport = :8080'",
			mend: func(h *host) { h.run("systemctl stop port-taker") },
		},
		{
			name:   "a missing runtime",
			broken: func(h *host) { h.run("dockhost setup --remove && systemctl restart docker"); h.assign(good()) },
			cause:  `runtime "dockhost" is not registered`, cure: "dockhost setup",
			mend: func(h *host) { h.run("dockhost setup") },
		},
		{
			name:   "a missing GPU",
			broken: func(h *host) { h.assign(app("gpus: all")) },
			cause:  "this host has no NVIDIA GPU", cure: "choose a machine with one, or remove gpus",
		},
		{
			name:   "broken user data",
			broken: func(h *host) { h.assign(strings.Replace(good(), "image:", "imgae:", 1)) },
			cause:  "user-data:5", cure: "image",
		},
		{
			name: "Docker is down",
			broken: func(h *host) {
				h.assign(good())
				h.ready("app")
				h.Cleanup(func() { h.try("systemctl start docker.socket docker.service") })
				h.run("systemctl stop docker.socket docker.service")
			},
			cause: "Docker does not answer", cure: "systemctl start docker.service",
			mend: func(h *host) { h.run("systemctl start docker.socket docker.service") },
		},
		{
			name: "an image for another CPU",
			broken: func(h *host) {
				h.Cleanup(func() { h.try("docker image rm -f " + foreign) })
				h.loadForeign()
				h.assign(strings.Replace(good(), "localhost:5000/app:1", foreign, 1))
			},
			cause: "is for " + foreignPlatform() + ", and this host is", cure: "use an image for",
		},
		{
			name: "no memory left",
			broken: func(h *host) {
				if h.output("docker info -f '{{.MemoryLimit}}'") != "true" {
					h.Skip("the host has no memory controller")
				}
				h.assign(app("mem_limit: 50m", "memswap_limit: 50m", `ports: ["8080:8080"]`, "restart: 'no'"))
				h.ready("app")
				h.run("curl -s -X POST 'localhost:8080/eat?mb=150' || true")
			},
			cause: "out of memory", cure: "raise mem_limit",
		},
		{
			name: "a masked unit",
			broken: func(h *host) {
				h.Cleanup(func() { h.try("systemctl unmask dockhost@app.service") })
				h.run("systemctl mask --now dockhost@app.service")
				h.assign(good())
			},
			cause: "dockhost@app.service is masked", cure: "systemctl unmask dockhost@app.service",
			mend: func(h *host) { h.run("systemctl unmask dockhost@app.service") },
		},
	}
}

// firstScreen is how many lines a person sees without scrolling.
const firstScreen = 24

// screens yields the first screens of status and of doctor.
func (h *host) screens(yield func(screen string) bool) {
	h.Helper()
	for _, command := range []string{"status", "doctor"} {
		out, _ := h.try(fmt.Sprintf("dockhostctl %s 2>&1 | head -n %d", command, firstScreen))
		if !yield(out) {
			return
		}
	}
}

// TestFirstScreenShowsCauseAndCure breaks the host in twelve ways. The first screen of
// status, or that of doctor, shows the cause and what to do, and not once it is mended.
func TestFirstScreenShowsCauseAndCure(t *testing.T) {
	for _, night := range nights() {
		t.Run(night.name, func(t *testing.T) {
			h := newHost(t)
			night.broken(h)
			h.eventually("a screen shows cause and cure", func() error {
				var screens []string
				for screen := range h.screens {
					screens = append(screens, screen)
					if strings.Contains(screen, night.cause) && strings.Contains(screen, night.cure) {
						return nil
					}
				}
				return fmt.Errorf("want %q and %q in one of:\n%s", night.cause, night.cure, strings.Join(screens, "\n"))
			})
			if _, code := h.try("dockhostctl doctor"); code != 3 {
				t.Errorf("dockhostctl doctor exits with %d, want 3", code)
			}
			if night.mend != nil {
				night.mend(h)
			}
			h.assign(good())
			h.ready("app")
			h.eventually("the cause is gone", func() error {
				for screen := range h.screens {
					if strings.Contains(screen, night.cause) {
						return fmt.Errorf("%q is in:\n%s", night.cause, screen)
					}
				}
				return nil
			})
		})
	}
}
