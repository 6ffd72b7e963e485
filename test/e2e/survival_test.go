//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestContainerSurvivesIsolate isolates the target of the host. Rescue mode stops
// containers, and the agent starts them afterwards.
func TestContainerSurvivesIsolate(t *testing.T) {
	h := newHost(t)
	h.run("systemctl enable --quiet dockhost.socket dockhost.service")
	h.assign(app())
	before := h.ready("app")
	pid := h.pid("app")
	h.run("timeout 60 systemctl isolate multi-user.target")
	h.run("! systemctl list-jobs --no-legend 'dockhost*' | grep stop")
	if after := h.ready("app"); after.ID != before.ID || h.pid("app") != pid {
		t.Errorf("container after isolate = %s with PID %s, want %s with PID %s", after.ID, h.pid("app"), before.ID, pid)
	}

	h.run("systemctl --no-block isolate rescue.target")
	h.reaches("dockhost@app", "inactive")
	if result := h.property("dockhost@app", "Result"); result != "success" {
		t.Errorf("Result in rescue mode = %s, want success", result)
	}
	h.run("timeout 60 systemctl isolate multi-user.target")
	if after := h.ready("app"); after.ID == before.ID {
		t.Error("container is the one from before rescue mode")
	}
}

// TestRemovedContainerIsNotFailed removes a container that ignores its stop signal,
// and one that fails again and again. A container that stays assigned is failed
// after it was killed at its stop.
func TestRemovedContainerIsNotFailed(t *testing.T) {
	h := newHost(t)
	const stubborn = "\n      image: localhost:5000/app:1\n      command: [\"-ignore-sigterm\"]\n      stop_grace_period: 1s\n"
	const crashing = "    crashing:\n      image: localhost:5000/app:1\n      command: [\"-no-such-flag\"]\n      restart: \"no\"\n"
	h.assign("dockhost:\n  containers:\n    stays:" + stubborn + "    goes:" + stubborn + crashing + registries)
	h.ready("stays")
	h.ready("goes")
	h.reaches("dockhost@crashing", "failed")
	h.assign("dockhost:\n  containers:\n    stays:" + stubborn + registries)
	h.ready("stays")
	h.reaches("dockhost@goes", "inactive")
	if failed := h.output("systemctl list-units --no-legend --failed"); failed != "" {
		t.Errorf("failed units:\n%s", failed)
	}
	for unit, said := range map[string]string{"dockhost@goes": "did not end on its stop signal", "dockhost": "a unit that is not needed any more had failed"} {
		if journal := h.journal(unit); !strings.Contains(journal, said) {
			t.Errorf("the journal of %s lacks %q:\n%s", unit, said, journal)
		}
	}
	h.try("systemctl stop dockhost@stays")
	h.reaches("dockhost@stays", "failed")
}

// TestNeedrestartLeavesContainersAlone replaces a library in containers, which
// needrestart finds outdated in their units.
func TestNeedrestartLeavesContainersAlone(t *testing.T) {
	h := newHost(t)
	h.login()
	h.assign(strings.Replace(web, `ports: ["443:443"]`, "pid: host", 1))
	h.unit("own-web.service", service("/usr/bin/dockhost run --rm --name own --pid host localhost:5000/nginx:1.22"))
	h.start("own-web")
	h.ready("web")
	for _, name := range []string{"web", "own"} {
		h.run("docker exec " + name + ` sh -c 'f=/lib/x86_64-linux-gnu/libc.so.6; cp "$f" /tmp/libc; mv /tmp/libc "$f"'`)
	}
	const config, away = "/etc/needrestart/conf.d/dockhost.conf", "/root/needrestart.conf"
	h.run("mv " + config + " " + away)
	t.Cleanup(func() { h.try("mv " + away + " " + config) })
	for _, unit := range []string{"dockhost@web.service", "own-web.service"} {
		if out := h.run("needrestart -b -r l"); !strings.Contains(out, "SVC: "+unit+"\n") {
			t.Errorf("needrestart without the file does not list %s:\n%s", unit, out)
		}
	}
	h.run("mv " + away + " " + config)
	out := h.run("needrestart -r l")
	services, deferred, _ := strings.Cut(out, "Service restarts being deferred:")
	if strings.Contains(out, "dockhost@web") || strings.Contains(services, "own-web") || !strings.Contains(deferred, "own-web") {
		t.Errorf("needrestart lists the units of containers:\n%s", out)
	}
}

// TestRemovedFilesAreRestored removes and damages the files of this boot. The
// container keeps running, with its limits, and the status becomes good again.
func TestRemovedFilesAreRestored(t *testing.T) {
	h := newHost(t)
	h.assign(app("x-dockhost: {unit: {Service: {MemoryMax: 900M}}}", "secrets: [one]") + "  secrets: {one: {content: x}}\n")
	before := h.ready("app")
	pid := h.pid("app")
	const dropIn = "/run/systemd/system/dockhost@app.service.d/50-dockhost.conf"
	// Claims and the times of pulls come and go.
	const list = `find /run/dockhost -printf '%p %m %u %g\n' | grep -Ev '/images/|/pulled' | sort`
	modes := h.run(list)
	damages := []struct{ name, script string }{
		{"revert", "systemctl revert dockhost@app"},
		{"drop-in truncated", ": >" + dropIn + "; systemctl daemon-reload"},
		{"files removed", "rm /run/dockhost/*/app.json /run/dockhost/runtime/*.json /run/dockhost/logins/* /run/dockhost/files/app/*"},
		{"files damaged", "for f in /run/dockhost/*/app.json /run/dockhost/runtime/*.json /run/dockhost/logins/*; do echo x >$f; done"},
		{"directories removed", "rm -r /run/dockhost/*/ " + filepath.Dir(dropIn)},
		{"removed while it reloads", "rm -r /run/dockhost/*/; systemctl reload dockhost"},
		{"removed while it starts", "systemctl stop dockhost.service; rm -r /run/dockhost/*/ " + filepath.Dir(dropIn) + "; systemctl daemon-reload; systemctl start dockhost.service"},
	}
	for _, damage := range damages {
		h.subtest(damage.name, func(h *host) {
			h.run(damage.script)
			h.eventually("everything is restored", func() error {
				if got := h.run(list); got != modes {
					return fmt.Errorf("files = %s\nwant %s", got, modes)
				}
				if s, code := h.status(); code != 0 {
					return fmt.Errorf("status exits %d: %+v", code, s)
				}
				if limit := h.property("dockhost@app", "MemoryMax"); limit != "943718400" {
					return fmt.Errorf("MemoryMax = %s", limit)
				}
				return nil
			})
			if after := h.ready("app"); after.ID != before.ID || h.pid("app") != pid {
				h.Errorf("container = %s with PID %s, want %s with PID %s", after.ID, h.pid("app"), before.ID, pid)
			}
		})
	}
	h.run("docker restart -t 1 app >/dev/null") // it needs the placement and the secrets
	if after := h.ready("app"); after.ID != before.ID {
		t.Errorf("container after docker restart = %s, want %s", after.ID, before.ID)
	}
	// systemd refuses to start a unit whose declaration is not restored yet.
	continued := h.stopped(h.property("dockhost", "MainPID"))
	h.try("rm /run/dockhost/containers/app.json; systemctl restart dockhost@app")
	h.reaches("dockhost@app", "inactive")
	continued()
	h.ready("app")
}
