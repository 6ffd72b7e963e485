//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// loggedIn has root's docker logged in to the registry until the test ends, as
// who declares containers by hand has.
func (h *host) loggedIn() {
	h.Helper()
	const logout = "docker logout localhost:5000 >/dev/null; rm -rf /root/.docker"
	h.run("docker login -u deploy -p s3cret localhost:5000 >/dev/null 2>&1; systemctl start dockhost.socket")
	h.Cleanup(func() { h.run(logout) })
}

// declares is dockhostctl run of a command line that must succeed.
func (h *host) declares(args string) {
	h.Helper()
	if out, code := h.try("dockhostctl run " + args); code != 0 {
		h.Fatalf("dockhostctl run %s exits %d: %s", args, code, out)
	}
}

// forgotten waits until nothing of a container is left, the only one.
func (h *host) forgotten(name string) {
	h.Helper()
	h.eventually("all of "+name+" is gone", func() error {
		left := h.output("docker ps -aq; systemctl list-units --no-legend --all --state=active,activating,failed 'dockhost@*'; ls /run/dockhost/runtime;" +
			" find /run/dockhost /run/systemd/system /sys/fs/cgroup -name '*" + name + ".json' -o -name 'dockhost@" + name + "*'")
		if left != "" {
			return fmt.Errorf("left: %s", left)
		}
		return nil
	})
}

// The one-liner, on a host that no user data assigns anything to.
func TestDeclareRunsContainer(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	if out := h.output("dockhostctl run --name web -p 8443:443 -e GREETING=hello localhost:5000/nginx:1.22"); out != "dockhost@web.service" {
		t.Errorf("it prints %q, want the unit's name", out)
	}
	// It is ready when the command returns.
	c, err := h.container("web")
	if err != nil || !c.Ready || c.Origin != api.OriginLocal {
		t.Errorf("status = %+v, %v, want it ready and local", c, err)
	}
	if out, code := h.try("dockhostctl status"); code != 0 || !strings.Contains(out, "web (local)") {
		t.Errorf("status exits %d with %s, want 0 and web (local)", code, out)
	}
	h.eventually("it serves", func() error {
		if out, code := h.try("curl -fsk https://localhost:8443/"); code != 0 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	if at := h.run("cat /proc/" + h.pid("web") + "/cgroup"); !strings.Contains(at, h.property("dockhost@web", "ControlGroup")+"/container") {
		t.Errorf("the container lies in %q", at)
	}

	// Declared again as it is, by the same agent and by another, it is left alone.
	pid := h.pid("web")
	h.declares("--name web -p 8443:443 -e GREETING=hello localhost:5000/nginx:1.22")
	h.run("systemctl restart dockhost")
	h.declares("--rm -d --name=web --publish 8443:443 --env GREETING=hello localhost:5000/nginx:1.22")
	h.run("systemctl reload dockhost")
	h.ready("web")
	if now := h.pid("web"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
	// Stopped by hand, it is started.
	h.run("systemctl stop dockhost@web")
	h.declares("--name web -p 8443:443 -e GREETING=hello localhost:5000/nginx:1.22")
	h.run("systemctl is-active --quiet dockhost@web")

	// Changed, it is replaced, and its port may stay. People see what is done.
	out := h.run("docker image rm -f localhost:5000/nginx:1.22-2 >/dev/null 2>&1 || true; " +
		"script -qec 'dockhostctl run --name web -p 8443:443 -p 8444:443 localhost:5000/nginx:1.22-2' /dev/null")
	if !strings.Contains(out, "web: pulling localhost:5000/nginx:1.22-2") || !strings.Contains(out, "dockhost@web.service") {
		t.Errorf("on a terminal it prints %q", out)
	}
	if image := h.output("docker inspect -f '{{.Config.Image}}' web"); image != "localhost:5000/nginx:1.22-2" {
		t.Errorf("the image is %s", image)
	}

	h.run("dockhostctl rm web")
	h.forgotten("web")
	if out, code := h.try("dockhostctl rm web"); code != 1 || !strings.Contains(out, `no such container: "web"`) {
		t.Errorf("rm again exits %d and says %q, want 1", code, out)
	}
	h.run("dockhostctl rm -f web")
	if out, code := h.try("dockhostctl status"); code != 0 {
		t.Errorf("status exits %d: %s", code, out)
	}
}

// Whenever the agent is killed, the command succeeds, and what it declared is
// what runs, once.
func TestDeclareSurvivesKilledAgent(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	h.declares("--name app -e RUN=0 -p 8080:8080 localhost:5000/app:1")
	for i, after := range []string{"0", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"} {
		run := fmt.Sprint(i + 1)
		out, code := h.try("{ sleep " + after + "; systemctl kill -s KILL dockhost; } & " +
			"dockhostctl run --name app -e RUN=" + run + " -p 8080:8080 localhost:5000/app:1; code=$?; wait; exit $code")
		if code != 0 {
			t.Errorf("killed after %s s: it exits %d: %s", after, code, out)
		}
		h.ready("app")
		if now := h.output("docker inspect -f '{{.Config.Env}}' app"); !strings.Contains(now, "RUN="+run) {
			t.Errorf("killed after %s s: the environment is %s, want RUN=%s", after, now, run)
		}
	}
	if ids := strings.Fields(h.run("docker ps -aq")); len(ids) != 1 {
		t.Errorf("containers = %v, want one", ids)
	}
	if files := h.output("ls -A -I images.json /var/lib/dockhost"); files != "assignment.json" {
		t.Errorf("/var/lib/dockhost has %q", files)
	}
	if out, code := h.try("{ systemctl kill -s KILL dockhost; } & dockhostctl rm app; code=$?; wait; exit $code"); code != 0 {
		t.Errorf("rm exits %d: %s", code, out)
	}
	h.forgotten("app")
	h.run("systemctl restart dockhost")
	h.forgotten("app")
}

// What cannot be run is told, and tried on; the old one goes on meanwhile.
func TestDeclareReportsFailure(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	tests := []struct {
		name, args, problem string
	}{
		{"no such image", "localhost:5000/app:none", "check the image's name and tag"},
		{"ends before it is ready", "--sdnotify healthy --health-cmd false localhost:5000/app:1 -exit-after 500ms -exit-code 7", "7"},
		{"no health check", "--sdnotify healthy localhost:5000/busybox sleep 60", "healthcheck"},
		{"port taken", "-p 5000:8080 localhost:5000/app:1", "port 5000/tcp is already in use"},
	}
	for _, test := range tests {
		t.Run(test.name+", new", func(t *testing.T) {
			h := &host{t}
			out, code := h.try("dockhostctl run --name app " + test.args)
			if code != 1 || !strings.Contains(out, test.problem) {
				t.Errorf("it exits %d and says %q, want 1 and %q", code, out, test.problem)
			}
			h.run("dockhostctl rm app")
			h.forgotten("app")
		})
	}
	h.declares("--name app -p 8080:8080 localhost:5000/app:1")
	pid := h.pid("app")
	for _, test := range tests {
		if strings.Contains(test.name, "ends") {
			continue // what starts and fails is restarted
		}
		t.Run(test.name+", instead of another", func(t *testing.T) {
			h := &host{t}
			out, code := h.try("dockhostctl run --name app " + test.args)
			if code != 1 || !strings.Contains(out, "not replaced yet") || !strings.Contains(out, test.problem) {
				t.Errorf("it exits %d and says %q, want 1, not replaced yet and %q", code, out, test.problem)
			}
			h.runsStill(pid)
		})
	}
	// It is still wanted, also after a restart of the agent; what runs can be
	// wanted again.
	h.run("systemctl restart dockhost")
	h.eventually("the change is pending", func() error {
		if c, err := h.container("app"); err != nil || c.Pending == nil {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	h.declares("--name app -p 8080:8080 localhost:5000/app:1")
	h.ready("app")
	h.runsStill(pid)
}

// To wait can be left out, and be ended, which ends nothing else.
func TestDeclareCanStopWaiting(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	const never = "dockhostctl run --name app --sdnotify healthy --health-cmd false --health-interval 1s localhost:5000/app:1"
	h.declares(strings.TrimPrefix(strings.Replace(never, "--name", "--no-block --name", 1), "dockhostctl run "))
	waiting := func() error {
		if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "health") {
			return fmt.Errorf("StatusText = %q", text)
		}
		return nil
	}
	h.eventually("it is waited for", waiting)
	pid := h.pid("app")
	// A shell has what it starts in the background ignore SIGINT: systemd-run
	// does not.
	h.run("systemd-run -q --unit waiter -p RemainAfterExit=yes -p StandardError=journal " + never)
	t.Cleanup(func() { h.try("systemctl stop waiter; systemctl reset-failed waiter") })
	h.eventually("somebody waits", func() error {
		if out, code := h.try("ss -Hx state established src /run/dockhost/agent.sock | grep -q ."); code != 0 {
			return fmt.Errorf("nobody: %s", out)
		}
		return nil
	})
	h.run("systemctl kill -s INT waiter")
	h.eventually("it no longer waits", func() error {
		if status := h.property("waiter", "ExecMainStatus"); status != "130" {
			return fmt.Errorf("ExecMainStatus = %s", status)
		}
		return nil
	})
	if log := h.journal("waiter"); !strings.Contains(log, "no longer waiting for app") {
		t.Errorf("it says %q", log)
	}
	if now := h.pid("app"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
	h.run("systemctl stop dockhost.socket dockhost.service")
	for _, command := range []string{"run --name app localhost:5000/app:1", "rm app"} {
		if out, code := h.try("dockhostctl " + command); code != 4 || !strings.Contains(out, "systemctl status dockhost") {
			t.Errorf("dockhostctl %s exits %d and says %q, want 4", command, code, out)
		}
	}
}

// The user data's containers are the user data's.
func TestUserDataWinsOverDeclaration(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	h.assign(good())
	h.ready("app")
	pid := h.pid("app")
	for command, cure := range map[string]string{
		"run --name app localhost:5000/app:2": "change it there",
		"rm app":                              "take it out there",
		"rm -f app":                           "take it out there",
	} {
		if out, code := h.try("dockhostctl " + command); code != 1 || !strings.Contains(out, seed+"/user-data") || !strings.Contains(out, cure) {
			t.Errorf("dockhostctl %s exits %d and says %q, want 1, the file and %q", command, code, out, cure)
		}
	}
	h.runsStill(pid)

	// What was declared before the user data assigns it gives way.
	h.declares("--name web localhost:5000/app:1")
	h.assign(strings.Replace(good(), "    app:", "    web:", 1))
	h.eventually("the user data counts", func() error {
		c, err := h.container("web")
		if err != nil || c.Origin != api.OriginUserData || c.Pending != nil || !c.Ready {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	h.run("curl -fs localhost:8080/ >/dev/null")
	if s, code := h.status(); code != 3 || len(s.Source.Problems) != 1 || !strings.Contains(s.Source.Problems[0], "dockhostctl rm web") {
		t.Errorf("status exits %d with %+v, want 3 and what to do", code, s.Source)
	}
	pid = h.pid("web")
	h.run("dockhostctl rm web")
	if _, code := h.status(); code != 0 || h.pid("web") != pid {
		t.Errorf("status exits %d, pid = %s, want 0 and %s", code, h.pid("web"), pid)
	}
}

// What cannot be is refused, with everything that is wrong, and changes nothing.
func TestDeclareRefusesWrongFlags(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	h.declares("--name app -p 8080:8080 localhost:5000/app:1")
	pid := h.pid("app")
	tests := []struct {
		args     string
		problems []string
	}{
		{"", []string{"no image is named"}},
		{"localhost:5000/app:1", []string{"--name is missing"}},
		{"--name app --no-such-flag localhost:5000/app:1", []string{"--no-such-flag", "dockhostctl run --help"}},
		{"--name app --restart always --cgroup-parent /x --sdnotify maybe localhost:5000/app:1", []string{"--restart always", "--cgroup-parent", "--sdnotify"}},
		{
			"--name app --cidfile /tmp/c --pid-file /tmp/p --logs=false --cgroups memory --label dockhost.unit=x localhost:5000/app:1",
			[]string{"--cidfile", "--pid-file", "--logs=false", "--cgroups", "--label"},
		},
		{"--name a localhost:5000/app:1", []string{"--name"}},
		{"--name app -m lots localhost:5000/app:1", []string{"lots"}},
	}
	for _, test := range tests {
		out, code := h.try("dockhostctl run " + test.args)
		for _, problem := range test.problems {
			if code != 1 || !strings.Contains(out, problem) {
				t.Errorf("dockhostctl run %s exits %d and says %q, want 1 and %q", test.args, code, out, problem)
			}
		}
	}
	h.runsStill(pid)
	h.run("! ls /tmp/c /tmp/p 2>/dev/null")
}

// Who may speak to Docker may declare, and nobody else. The journal says who.
func TestDeclareNeedsDockerGroup(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	const args = " dockhostctl run --name app localhost:5000/app:1"
	if out, code := h.try("setpriv --reuid 4711 --regid nogroup --clear-groups" + args); code != 4 || !strings.Contains(out, "permission denied") {
		t.Errorf("for nobody it exits %d and says %q, want 4", code, out)
	}
	h.run("HOME=/nonexistent setpriv --reuid 4711 --regid nogroup --groups docker" + args)
	h.ready("app")
	if log := h.output("journalctl --no-pager -b -o json -u dockhost | jq -r 'select(.BY_UID == \"4711\").MESSAGE'"); !strings.HasPrefix(log, "container declared") {
		t.Errorf("the journal has %q of the user", log)
	}
}
