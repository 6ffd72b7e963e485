//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// good assigns the container that must keep running.
func good() string { return app(`ports: ["8080:8080"]`) }

// runsStill checks that the container app still has this PID, and is ready.
func (h *host) runsStill(pid string) {
	h.Helper()
	if now := h.pid("app"); now != pid {
		h.Errorf("pid of app = %s, want %s", now, pid)
	}
	if c, err := h.container("app"); err != nil || !c.Ready {
		h.Errorf("status of app = %+v, %v, want ready", c, err)
	}
}

// TestWrongUserDataIsRefusedWhole assigns user data with errors: the journal and
// the status name each error and its position, and nothing changes.
func TestWrongUserDataIsRefusedWhole(t *testing.T) {
	tests := []struct {
		name, userData string
		problems       []string
	}{
		{"invalid YAML", "#cloud-config\ndockhost:\n  containers: [\n", []string{"user-data:"}},
		{
			"an unknown key", "#cloud-config\n" + app("imagee: nginx"),
			[]string{"user-data:6:7 containers.app.imagee"},
		},
		{
			"two errors", "#cloud-config\n" + app("mem_limit: lots", "enviroment: {A: b}"), //nolint:misspell // the key must be wrong
			[]string{"user-data:6:", "user-data:7:7 containers.app.enviroment"},
		},
		{
			"an invalid name", "#cloud-config\n" + strings.Replace(good(), "    app:", "    'my app':", 1),
			[]string{"user-data:4:5 containers", "my app"},
		},
	}
	h := newHost(t)
	h.assign(good())
	h.ready("app")
	pid := h.pid("app")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &host{t}
			h.run("journalctl --rotate && journalctl --vacuum-time=1s >/dev/null 2>&1 || true")
			h.userData(test.userData)
			h.takeOver()
			h.eventually("the status shows the problems", func() error {
				s, code := h.status()
				all := strings.Join(s.Source.Problems, "\n")
				if code != 3 || !s.Source.LastKnownGood {
					return fmt.Errorf("status exits %d with %+v", code, s.Source)
				}
				for _, problem := range test.problems {
					if !strings.Contains(all, problem) {
						return fmt.Errorf("problems = %q, want %q", all, problem)
					}
				}
				return nil
			})
			shown, _ := h.try("dockhostctl status")
			log := h.journal("dockhost")
			for _, problem := range test.problems {
				if !strings.Contains(shown, problem) || !strings.Contains(log, problem) {
					t.Errorf("status and journal lack %q:\n%s\n%s", problem, shown, log)
				}
			}
			h.runsStill(pid)
		})
	}
	h.assign(good())
	h.eventually("the status is well again", func() error {
		if s, code := h.status(); code != 0 {
			return fmt.Errorf("status exits %d with %+v", code, s)
		}
		return nil
	})
	h.runsStill(pid)
}

// TestFailedChangeKeepsContainerRunning makes changes that fail: the container
// keeps running, the status names the reason, and the change takes effect once
// the cause is gone.
func TestFailedChangeKeepsContainerRunning(t *testing.T) {
	to2 := strings.Replace(good(), "app:1", "app:2", 1)
	tests := []struct {
		name          string
		before, after string
		section       string
		problems      []string
		// succeeds is whether the change takes effect in the end.
		succeeds bool
	}{
		{
			name:     "an image that does not exist",
			section:  strings.Replace(good(), "app:1", "app:none", 1),
			problems: []string{"localhost:5000/app:none", "check the image's name and tag"},
		},
		{
			name:     "a wrong registry password",
			section:  strings.Replace(to2, "s3cret", "wrong", 1),
			problems: []string{"localhost:5000/app:2", `as "deploy"`, "the login is right"},
		},
		{
			name:     "a port that is taken",
			before:   "systemd-run -q --unit port-taker dockhost-test-app -listen :9090",
			after:    "systemctl stop port-taker",
			section:  strings.Replace(good(), "8080:8080", "9090:8080", 1),
			problems: []string{"port 9090/tcp is already in use"},
			succeeds: true,
		},
		{
			name:     "a registry that is down",
			before:   "systemctl stop docker-registry",
			after:    "systemctl start docker-registry",
			section:  to2,
			problems: []string{"localhost:5000/app:2", "refused"},
			succeeds: true,
		},
		{
			name:     "a pull that stalls",
			before:   "systemd-run -q --unit staller dockhost-test-app stall -listen 127.0.0.1:5001 -upstream https://localhost:5000 -ca /etc/docker/certs.d/localhost:5000/ca.crt -after 100kB",
			after:    "systemctl stop staller",
			section:  strings.NewReplacer("localhost:5000", "127.0.0.1:5001", "app:1", "app:big").Replace(app(`ports: ["8080:8080"]`, "x-dockhost: {pull_stall_timeout: 2s}")),
			problems: []string{"no byte arrived for 2s"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.run("docker image rm -f localhost:5000/app:2 >/dev/null 2>&1 || true")
			h.assign(good())
			h.ready("app")
			pid := h.pid("app")
			if test.before != "" {
				h.run(test.before)
				t.Cleanup(func() { h.try(test.after) })
			}
			h.assign(test.section)
			h.eventually("the status shows the reason", func() error {
				c, err := h.container("app")
				if err != nil || c.Pending == nil {
					return fmt.Errorf("status = %+v, %w", c, err)
				}
				for _, problem := range test.problems {
					if !strings.Contains(c.Pending.Error, problem) {
						return fmt.Errorf("pending error = %q, want %q", c.Pending.Error, problem)
					}
				}
				return nil
			})
			if _, code := h.status(); code != 3 {
				t.Errorf("status exits %d, want 3", code)
			}
			if log := h.journal("dockhost"); !strings.Contains(log, test.problems[0]) {
				t.Errorf("the journal lacks %q: %s", test.problems[0], log)
			}
			h.runsStill(pid)
			if !test.succeeds {
				return
			}
			h.run(test.after)
			h.eventually("the change takes effect", func() error {
				c, err := h.container("app")
				if err != nil || c.Pending != nil || !c.Ready {
					return fmt.Errorf("status = %+v, %w", c, err)
				}
				return nil
			})
			if h.pid("app") == pid {
				t.Errorf("the container was not replaced")
			}
		})
	}
}

// TestFailedFirstStartIsRetried has the first start fail: the unit keeps trying,
// and its error names the reason.
func TestFailedFirstStartIsRetried(t *testing.T) {
	tests := []struct {
		name          string
		before, after string
		section       string
		problem       string
	}{
		{name: "an image that does not exist", section: strings.Replace(good(), "app:1", "app:none", 1), problem: "not found"},
		{name: "a wrong registry password", section: strings.Replace(good(), "s3cret", "wrong", 1), problem: `as "deploy" at localhost:5000`},
		{
			name:    "a port that is taken",
			before:  "systemd-run -q --unit port-taker dockhost-test-app -listen :8080",
			after:   "systemctl stop port-taker",
			section: good(), problem: "port 8080/tcp is already in use",
		},
		{
			name:   "a runtime that is not registered",
			before: "dockhost setup --remove && systemctl restart docker",
			after:  "dockhost setup", section: good(), problem: "run: dockhost setup",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.run("docker image rm -f localhost:5000/app:1 >/dev/null 2>&1 || true")
			if test.before != "" {
				h.run(test.before)
				t.Cleanup(func() { h.try(test.after) })
			}
			h.assign(test.section)
			h.eventually("the status shows the reason", func() error {
				c, err := h.container("app")
				if err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, test.problem) {
					return fmt.Errorf("status = %+v (%+v), %w, want %q", c, c.LastError, err, test.problem)
				}
				return nil
			})
			if log := h.journal("dockhost@app"); !strings.Contains(log, test.problem) {
				t.Errorf("the journal lacks %q: %s", test.problem, log)
			}
			if test.after == "" {
				return
			}
			h.run(test.after)
			if c := h.ready("app"); c.LastError != nil {
				t.Errorf("last error of a ready container = %+v, want none", c.LastError)
			}
		})
	}
}

// TestCachedImageStartsWithoutRegistry starts the image that the host has while
// the registry is down. The status says that the image may be old.
func TestCachedImageStartsWithoutRegistry(t *testing.T) {
	h := newHost(t)
	section := app("pull_policy: always")
	h.assign(section)
	if c := h.ready("app"); c.Cached {
		t.Errorf("status = %+v, want an image that was just pulled", c)
	}
	h.run("systemctl stop docker-registry && systemctl restart dockhost@app")
	c := h.ready("app")
	if !c.Cached {
		t.Errorf("status = %+v, want a cached image", c)
	}
	if out, code := h.try("dockhostctl status"); code != 3 || !strings.Contains(out, "cached image") {
		t.Errorf("status exits %d and prints %q, want 3 and the cached image", code, out)
	}
}

// TestFullDiskKeepsContainerRunning pulls an image that does not fit on the disk.
func TestFullDiskKeepsContainerRunning(t *testing.T) {
	h := newHost(t)
	h.smallDisk("150m")
	h.assign(good())
	h.ready("app")
	pid := h.pid("app")
	h.assign(strings.Replace(good(), "app:1", "app:big", 1))
	h.eventually("the status shows the reason", func() error {
		c, err := h.container("app")
		if err != nil || c.Pending == nil || !strings.Contains(c.Pending.Error, "do not fit") || !strings.Contains(c.Pending.Error, "see: dockhostctl gc --dry-run") {
			return fmt.Errorf("status = %+v (%+v), %w", c, c.Pending, err)
		}
		return nil
	})
	h.runsStill(pid)
}
