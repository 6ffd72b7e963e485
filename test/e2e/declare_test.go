//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// loggedIn logs root's docker in to the registry until the test ends, and starts
// the agent's socket.
func (h *host) loggedIn() {
	h.Helper()
	const logout = "docker logout localhost:5000 >/dev/null; rm -rf /root/.docker"
	h.run("docker login -u deploy -p s3cret localhost:5000 >/dev/null 2>&1; systemctl start dockhost.socket")
	h.Cleanup(func() { h.run(logout) })
}

// declares runs dockhostctl run, which must succeed.
func (h *host) declares(args string) {
	h.Helper()
	if out, code := h.try("dockhostctl run " + args); code != 0 {
		h.Fatalf("dockhostctl run %s exits %d: %s", args, code, out)
	}
}

// forgotten waits until the host holds no trace of its only container.
func (h *host) forgotten(name string) {
	h.Helper()
	h.eventually("nothing of "+name+" is left", func() error {
		left := h.output("docker ps -aq; systemctl list-units --no-legend --all --state=active,activating,failed 'dockhost@*'; ls /run/dockhost/runtime;" +
			" find /run/dockhost /run/systemd/system /sys/fs/cgroup -name '*" + name + ".json' -o -name 'dockhost@" + name + "*'")
		if left != "" {
			return fmt.Errorf("left: %s", left)
		}
		return nil
	})
}

// TestDeclareRunsContainer declares, changes and removes a container on a host
// without user data.
func TestDeclareRunsContainer(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	if out := h.output("dockhostctl run --name web -p 8443:443 -e GREETING=hello localhost:5000/nginx:1.22"); out != "dockhost@web.service" {
		t.Errorf("dockhostctl run prints %q, want the unit's name", out)
	}
	// The command returns once the container is ready.
	c, err := h.container("web")
	if err != nil || !c.Ready || c.Origin != api.OriginLocal {
		t.Errorf("status = %+v, %v, want it ready and local", c, err)
	}
	if out, code := h.try("dockhostctl status"); code != 0 || !strings.Contains(out, "web (local)") {
		t.Errorf("status exits %d with %s, want 0 and web (local)", code, out)
	}
	h.eventually("it serves", func() error { return h.answers("https://localhost:8443/") })
	if got := h.run("cat /proc/" + h.pid("web") + "/cgroup"); !strings.Contains(got, h.property("dockhost@web", "ControlGroup")+"/container") {
		t.Errorf("cgroup of the container = %q, want its unit's", got)
	}

	// The same declaration again, before and after a restart of the agent, changes
	// nothing.
	pid := h.pid("web")
	h.declares("--name web -p 8443:443 -e GREETING=hello localhost:5000/nginx:1.22")
	h.run("systemctl restart dockhost")
	h.declares("--rm -d --name=web --publish 8443:443 --env GREETING=hello localhost:5000/nginx:1.22")
	h.run("systemctl reload dockhost")
	h.ready("web")
	if now := h.pid("web"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
	// A declaration starts a container that was stopped by hand.
	h.run("systemctl stop dockhost@web")
	h.declares("--name web -p 8443:443 -e GREETING=hello localhost:5000/nginx:1.22")
	h.run("systemctl is-active --quiet dockhost@web")

	// A changed declaration replaces the container, also on the same port. On a
	// terminal the command shows its progress.
	out := h.run("docker image rm -f localhost:5000/nginx:1.22-2 >/dev/null 2>&1 || true; " +
		"script -qec 'dockhostctl run --name web -p 8443:443 -p 8444:443 localhost:5000/nginx:1.22-2' /dev/null")
	if !strings.Contains(out, "web: pulling localhost:5000/nginx:1.22-2") || !strings.Contains(out, "dockhost@web.service") {
		t.Errorf("dockhostctl run prints %q on a terminal, want the pull and the unit", out)
	}
	if image := h.output("docker inspect -f '{{.Config.Image}}' web"); image != "localhost:5000/nginx:1.22-2" {
		t.Errorf("image = %s, want localhost:5000/nginx:1.22-2", image)
	}

	h.run("dockhostctl rm web")
	h.forgotten("web")
	if out, code := h.try("dockhostctl rm web"); code != 1 || !strings.Contains(out, `no such container: "web"`) {
		t.Errorf("a second rm exits %d and prints %q, want 1", code, out)
	}
	h.run("dockhostctl rm -f web")
	if out, code := h.try("dockhostctl status"); code != 0 {
		t.Errorf("status exits %d, want 0: %s", code, out)
	}
}

// TestDeclareSurvivesKilledAgent kills the agent at various moments of a
// declaration: the command succeeds, and one container runs as declared.
func TestDeclareSurvivesKilledAgent(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	h.declares("--name app -e RUN=0 -p 8080:8080 localhost:5000/app:1")
	for i, after := range []string{"0", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"} {
		run := fmt.Sprint(i + 1)
		out, code := h.try("{ sleep " + after + "; systemctl kill -s KILL dockhost; } & " +
			"dockhostctl run --name app -e RUN=" + run + " -p 8080:8080 localhost:5000/app:1; code=$?; wait; exit $code")
		if code != 0 {
			t.Errorf("agent killed after %s s: dockhostctl run exits %d, want 0: %s", after, code, out)
		}
		h.ready("app")
		if now := h.output("docker inspect -f '{{.Config.Env}}' app"); !strings.Contains(now, "RUN="+run) {
			t.Errorf("agent killed after %s s: environment = %s, want RUN=%s", after, now, run)
		}
	}
	if ids := strings.Fields(h.run("docker ps -aq")); len(ids) != 1 {
		t.Errorf("containers = %v, want one", ids)
	}
	if files := h.output("cd /var/lib/dockhost; find -type f ! -name images.json ! -name reserve ! -name events.jsonl | sort | xargs"); files != "./assignment.json ./updates/app.json" {
		t.Errorf("files in /var/lib/dockhost = %q, want assignment.json and updates/app.json", files)
	}
	if out, code := h.try("{ systemctl kill -s KILL dockhost; } & dockhostctl rm app; code=$?; wait; exit $code"); code != 0 {
		t.Errorf("rm exits %d, want 0: %s", code, out)
	}
	h.forgotten("app")
	h.run("systemctl restart dockhost")
	h.forgotten("app")
}

// TestDeclareReportsFailure declares containers that cannot run: the command
// prints the reason, the agent keeps trying, and the old container keeps running.
func TestDeclareReportsFailure(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	tests := []struct {
		name, args, problem string
	}{
		{"a missing image", "localhost:5000/app:none", "check the image's name and tag"},
		{"an exit before it is ready", "--sdnotify healthy --health-cmd false localhost:5000/app:1 -exit-after 500ms -exit-code 7", "7"},
		{"an exit just after the start", "localhost:5000/busybox false", "dockhost@app.service tries again"},
		{"an exit without an error", "localhost:5000/busybox true", "--restart no"},
		{"no health check", "--sdnotify healthy localhost:5000/busybox sleep 60", "healthcheck"},
		{"a port in use", "-p 5000:8080 localhost:5000/app:1", "port 5000/tcp is already in use"},
	}
	for _, test := range tests {
		t.Run(test.name+", a new container", func(t *testing.T) {
			h := &host{t}
			out, code := h.try("dockhostctl run --name app " + test.args)
			if code != 3 || !strings.Contains(out, test.problem) {
				t.Errorf("dockhostctl run exits %d and prints %q, want 3 and %q", code, out, test.problem)
			}
			h.run("dockhostctl rm app")
			h.forgotten("app")
		})
	}
	h.declares("--name app -p 8080:8080 localhost:5000/app:1")
	pid := h.pid("app")
	for _, test := range tests {
		if strings.Contains(test.name, "exit") {
			continue // this change replaces the container, because it starts
		}
		t.Run(test.name+", a change", func(t *testing.T) {
			h := &host{t}
			out, code := h.try("dockhostctl run --name app " + test.args)
			if code != 3 || !strings.Contains(out, "not replaced yet") || !strings.Contains(out, test.problem) {
				t.Errorf("dockhostctl run exits %d and prints %q, want 3, not replaced yet and %q", code, out, test.problem)
			}
			h.runsStill(pid)
		})
	}
	// The change is still pending after a restart of the agent. The old declaration
	// withdraws it.
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

// TestDeclareCanStopWaiting declares a container that never becomes ready:
// --no-block does not wait, and SIGINT ends only the waiting.
func TestDeclareCanStopWaiting(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	const never = "dockhostctl run --name app --sdnotify healthy --health-cmd false --health-interval 1s localhost:5000/app:1"
	h.declares(strings.TrimPrefix(strings.Replace(never, "--name", "--no-block --name", 1), "dockhostctl run "))
	h.eventually("the supervisor waits for the health check", func() error {
		if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "health") {
			return fmt.Errorf("StatusText = %q", text)
		}
		return nil
	})
	pid := h.pid("app")
	// A shell's background process would ignore SIGINT.
	h.run("systemd-run -q --unit waiter -p RemainAfterExit=yes -p StandardError=journal " + never)
	t.Cleanup(func() { h.try("systemctl stop waiter; systemctl reset-failed waiter") })
	h.eventually("the command waits", func() error {
		if out, code := h.try("ss -Hx state established src /run/dockhost/agent.sock | grep -q ."); code != 0 {
			return fmt.Errorf("the agent has no connection: %s", out)
		}
		return nil
	})
	h.run("systemctl kill -s INT waiter")
	h.eventually("the command exits", func() error {
		if status := h.property("waiter", "ExecMainStatus"); status != "130" {
			return fmt.Errorf("ExecMainStatus = %s", status)
		}
		return nil
	})
	if log := h.journal("waiter"); !strings.Contains(log, "no longer waiting for app") {
		t.Errorf("journal = %q, want the end of the waiting", log)
	}
	if now := h.pid("app"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
	h.run("systemctl stop dockhost.socket dockhost.service")
	for _, command := range []string{"run --name app localhost:5000/app:1", "rm app"} {
		if out, code := h.try("dockhostctl " + command); code != 4 || !strings.Contains(out, "systemctl status dockhost") {
			t.Errorf("dockhostctl %s exits %d and prints %q, want 4", command, code, out)
		}
	}
}

// TestUserDataWinsOverDeclaration declares and removes containers that the user
// data assigns: the user data wins.
func TestUserDataWinsOverDeclaration(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	h.assign(good())
	h.ready("app")
	pid := h.pid("app")
	for command, advice := range map[string]string{
		"run --name app localhost:5000/app:2": "change it there",
		"rm app":                              "take it out there",
		"rm -f app":                           "take it out there",
	} {
		if out, code := h.try("dockhostctl " + command); code != 1 || !strings.Contains(out, seed+"/user-data") || !strings.Contains(out, advice) {
			t.Errorf("dockhostctl %s exits %d and prints %q, want 1, the file and %q", command, code, out, advice)
		}
	}
	h.runsStill(pid)

	// User data replaces an earlier declaration of the same name.
	h.declares("--name web localhost:5000/app:1")
	h.assign(strings.Replace(good(), "    app:", "    web:", 1))
	h.eventually("the container is the user data's", func() error {
		c, err := h.container("web")
		if err != nil || c.Origin != api.OriginUserData || c.Pending != nil || !c.Ready {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	h.run("curl -fs localhost:8080/ >/dev/null")
	if s, code := h.status(); code != 3 || len(s.Source.Problems) != 1 || !strings.Contains(s.Source.Problems[0], "dockhostctl rm web") {
		t.Errorf("status exits %d with %+v, want 3 and dockhostctl rm web", code, s.Source)
	}
	pid = h.pid("web")
	h.run("dockhostctl rm web")
	if _, code := h.status(); code != 0 || h.pid("web") != pid {
		t.Errorf("status exits %d with pid %s, want 0 and %s", code, h.pid("web"), pid)
	}
}

// TestDeclareRefusesWrongFlags runs wrong command lines: the error names every
// problem, and nothing changes.
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
		{"--name app --restart sometimes --cgroup-parent /x --sdnotify maybe localhost:5000/app:1", []string{"--restart: cannot use", "--cgroup-parent", "--sdnotify"}},
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
				t.Errorf("dockhostctl run %s exits %d and prints %q, want 1 and %q", test.args, code, out, problem)
			}
		}
	}
	h.runsStill(pid)
	h.run("! ls /tmp/c /tmp/p 2>/dev/null")
}

// TestDeclareNeedsDockerGroup declares containers as users with and without the
// group docker. The journal names the user.
func TestDeclareNeedsDockerGroup(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	const args = " dockhostctl run --name app localhost:5000/app:1"
	if out, code := h.try("setpriv --reuid 4711 --regid nogroup --clear-groups" + args); code != 1 || !strings.Contains(out, "only root and members of the group docker") {
		t.Errorf("dockhostctl run without the group exits %d and prints %q, want 1 and who may", code, out)
	}
	h.run("HOME=/nonexistent setpriv --reuid 4711 --regid nogroup --groups docker" + args)
	h.ready("app")
	if log := h.output("journalctl --sync; journalctl --no-pager -b -o json -u dockhost | jq -r 'select(.BY == \"dockhostctl by 4711\").MESSAGE'"); !strings.HasPrefix(log, "container declared") {
		t.Errorf("journal entry with the user = %q, want a declaration", log)
	}
}

// TestDeclareOnFullDisk removes containers while the file system of dockhost's own
// files is full: that works. A new declaration is refused as a whole.
func TestDeclareOnFullDisk(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	h.run("systemctl stop dockhost.service; mount -t tmpfs -o size=512k tmpfs /var/lib/dockhost")
	h.Cleanup(func() { h.run("systemctl stop dockhost.socket dockhost.service; umount /var/lib/dockhost") })
	for _, name := range []string{"app", "two", "three"} {
		h.declares("--name " + name + " localhost:5000/app:1")
	}
	h.run("cat /dev/zero >/var/lib/dockhost/junk || true")
	if out, code := h.try("dockhostctl run --name four -e TEXT=" + strings.Repeat("x", 8000) + " localhost:5000/app:1"); code != 1 || !strings.Contains(out, "make room in /var/lib/dockhost") {
		t.Errorf("dockhostctl run on a full disk exits %d and prints %q, want 1 and what to do", code, out)
	}
	if units := h.output("systemctl list-units --no-legend --all 'dockhost@four*'"); units != "" {
		t.Errorf("units of the refused container = %q, want none", units)
	}
	for _, name := range []string{"three", "two", "app"} {
		h.run("cat /dev/zero >>/var/lib/dockhost/junk || true; dockhostctl rm " + name)
		if _, err := h.container(name); err == nil {
			t.Errorf("status shows %s after its removal", name)
		}
	}
	h.forgotten("app")
	h.run("systemctl restart dockhost")
	h.forgotten("app")
}

// TestDeclarationIsOnMountedDisk unmounts a file system from the agent's directory, and mounts
// one: a declaration is on the one that is mounted.
func TestDeclarationIsOnMountedDisk(t *testing.T) {
	h := newHost(t)
	h.login()
	const dir = "/var/lib/dockhost"
	h.Cleanup(func() { h.try("systemctl stop dockhost.socket dockhost.service; umount " + dir) })
	const declared = "; dockhostctl run --name app localhost:5000/app:1 && grep -q app:1 " + dir + "/assignment.json && dockhostctl rm app"
	h.run("mount -t tmpfs tmpfs " + dir + "; systemctl restart dockhost.service; umount -l " + dir + declared)
	h.run("mount -t tmpfs tmpfs " + dir + declared)
}
