//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestContainerRunsInItsUnit follows the steps of the README: user data assigns
// a container, which runs in its unit until the unit is stopped.
func TestContainerRunsInItsUnit(t *testing.T) {
	h := newHost(t)
	h.run("docker image rm -f localhost:5000/nginx:1.22 >/dev/null 2>&1 || true")
	h.assign(web)
	c := h.ready("web")
	if !strings.HasPrefix(c.Digest, "sha256:") || c.Health != "healthy" || c.ActiveState != "active" || c.LastError != nil {
		t.Errorf("status = %+v, want a digest, healthy, active and no error", c)
	}
	if s, code := h.status(); code != 0 || !s.Well || s.Source.Datasource != "NoCloud" || s.Source.InstanceID != "i-first" {
		t.Errorf("status exits %d with %+v, want 0, well, NoCloud and i-first", code, s.Source)
	}
	if body := h.run("curl -fsk https://localhost/"); !strings.Contains(body, "1.22") {
		t.Errorf("https://localhost/ = %q, want 1.22 in it", body)
	}
	if text := h.property("dockhost@web", "StatusText"); !strings.Contains(text, "running localhost:5000/nginx:1.22") {
		t.Errorf("StatusText = %q, want the image", text)
	}
	h.subtest("the unit's cgroup holds the container", checkContainerInCgroup)
	h.subtest("docker exec joins the same cgroup", checkExecInCgroup)
	h.subtest("systemctl cat shows the drop-in", checkDropIn)
	h.subtest("output reaches the journal under the container's name", checkOutputInJournal)
	h.subtest("restarting the agent does not touch the container", checkAgentRestart)
	h.subtest("daemon-reload does not touch the container", checkDaemonReload)
	h.subtest("systemctl stop sends nginx its own stop signal", checkStopSignal)
}

func checkContainerInCgroup(h *host) {
	cgroup := h.property("dockhost@web", "ControlGroup")
	if got := h.run("cat /proc/" + h.pid("web") + "/cgroup"); !strings.Contains(got, cgroup+"/container") {
		h.Errorf("cgroup of the container = %q, want it below %q", got, cgroup)
	}
	if tree := h.run("systemd-cgls --no-pager -u dockhost@web.service"); !strings.Contains(tree, "nginx: master process") {
		h.Errorf("systemd-cgls prints %q, want nginx in it", tree)
	}
	if out, _ := h.try("systemctl status --no-pager dockhost@web"); !strings.Contains(out, "nginx: worker process") {
		h.Errorf("systemctl status prints %q, want nginx in it", out)
	}
}

func checkExecInCgroup(h *host) {
	main := h.run("cat /proc/" + h.pid("web") + "/cgroup")
	h.run("docker exec -d web sleep 61")
	h.eventually("docker exec has started its process", func() error {
		pid, code := h.try("pgrep -xf 'sleep 61'")
		if code != 0 {
			return fmt.Errorf("no process")
		}
		if got := h.run("cat /proc/" + strings.TrimSpace(pid) + "/cgroup"); got != main {
			h.Errorf("cgroup of docker exec = %q, want the container's, %q", got, main)
		}
		return nil
	})
}

func checkDropIn(h *host) {
	if out := h.run("systemctl cat dockhost@web"); !strings.Contains(out, "50-dockhost.conf") {
		h.Errorf("systemctl cat prints %q, want 50-dockhost.conf in it", out)
	}
}

func checkOutputInJournal(h *host) {
	h.eventually("a request is logged", func() error {
		if out := h.run("journalctl --sync; journalctl --no-pager -o cat -u dockhost@web SYSLOG_IDENTIFIER=web"); !strings.Contains(out, "GET / HTTP/1.1") {
			return fmt.Errorf("journal = %q", out)
		}
		return nil
	})
}

func checkAgentRestart(h *host) {
	before := h.pid("web")
	h.run("systemctl restart dockhost")
	h.ready("web")
	if after := h.pid("web"); after != before {
		h.Errorf("pid = %s, want %s", after, before)
	}
}

func checkDaemonReload(h *host) {
	before, cgroup := h.pid("web"), h.run("cat /proc/"+h.pid("web")+"/cgroup")
	h.run("systemctl daemon-reload; systemctl set-property --runtime dockhost@web CPUWeight=200; systemctl daemon-reload")
	if after := h.run("cat /proc/" + before + "/cgroup"); after != cgroup || h.pid("web") != before {
		h.Errorf("pid = %s in %q, want %s in %q", h.pid("web"), after, before, cgroup)
	}
}

func checkStopSignal(h *host) {
	since := h.now()
	took := h.output("start=$(date +%s%N); systemctl stop dockhost@web; echo $((($(date +%s%N) - start) / 1000000))")
	h.Logf("stopped in %s ms", took)
	if signals := h.signals(since); !slices.Equal(signals, []string{"3"}) {
		h.Errorf("signals = %v, want one SIGQUIT (3)", signals)
	}
	if result := h.property("dockhost@web", "Result"); result != "success" {
		h.Errorf("Result = %s, want success", result)
	}
	for what, script := range map[string]string{
		"containers": "docker ps -aq",
		"placements": "ls /run/dockhost/runtime",
		"cgroups":    "find /sys/fs/cgroup -type d -name 'dockhost@web.service'",
	} {
		if left := h.output(script); left != "" {
			h.Errorf("%s left: %s", what, left)
		}
	}
}

// signals returns the numbers of the signals that Docker has sent since a time.
func (h *host) signals(since string) []string {
	h.Helper()
	return strings.Fields(h.run("docker events --since " + since + " --until $(date +%s.%N) --filter event=kill --format '{{.Actor.Attributes.signal}}'"))
}

// TestChangeRestartsOnlyWhatChanged changes the assignment step by step: only the
// changed container restarts, and an unassigned container stops.
func TestChangeRestartsOnlyWhatChanged(t *testing.T) {
	h := newHost(t)
	two := func(appImage, memory string) string {
		return strings.Replace(web, registries, fmt.Sprintf("    app:\n      image: localhost:5000/app:%s\n      ports: ['8080:8080']\n      x-dockhost: {unit: {Service: {MemoryMax: %s}}}\n", appImage, memory)+registries, 1)
	}
	h.assign(two("1", "200M"))
	h.ready("web")
	h.ready("app")
	webPid, appPid := h.pid("web"), h.pid("app")

	h.assign(two("1", "300M"))
	h.eventually("the new limit applies", func() error {
		if limit := h.property("dockhost@app", "MemoryMax"); limit != "314572800" {
			return fmt.Errorf("MemoryMax = %s", limit)
		}
		return nil
	})
	if h.pid("app") != appPid || h.pid("web") != webPid {
		t.Errorf("a change of the unit alone restarted a container")
	}

	h.assign(two("2", "300M"))
	h.eventually("the new image runs", func() error {
		if body, _ := h.try("curl -s localhost:8080/"); !strings.Contains(body, "2") {
			return fmt.Errorf("it answers %q", body)
		}
		return nil
	})
	if h.pid("web") != webPid {
		t.Errorf("web was restarted for a change of app")
	}

	h.assign(web)
	h.eventually("app has stopped", func() error {
		if out := h.output("docker ps -q -f name=app; systemctl list-units --no-legend 'dockhost@app*'; ls -d /run/systemd/system/dockhost@app* 2>/dev/null || true"); out != "" {
			return fmt.Errorf("left: %s", out)
		}
		return nil
	})
	if h.pid("web") != webPid {
		t.Errorf("web was restarted when app was unassigned")
	}
}

// TestServiceKeysReachDocker checks keys of a Compose service in the container,
// and that the container's memory limit lies within the unit's.
func TestServiceKeysReachDocker(t *testing.T) {
	h := newHost(t)
	h.run("printf 'FROM_FILE=one\\n' >/etc/app.env")
	h.assign(app(`ports: ["8080:8080"]`, `environment: {GREETING: "hello world"}`, "env_file: [/etc/app.env]", "mem_limit: 100m", "hostname: apphost",
		"read_only: true", "cap_drop: [ALL]", `tmpfs: [/tmp]`, "stop_signal: SIGINT", `volumes: ["data:/data", "/etc/hostname:/host-name:ro"]`,
		"x-dockhost: {unit: {Service: {MemoryMax: 200M}}}"))
	h.ready("app")
	for name, want := range map[string]string{"GREETING": "hello world", "FROM_FILE": "one"} {
		if got := h.output("curl -fs 'localhost:8080/env?name=" + name + "'"); got != want {
			t.Errorf("environment %s = %q, want %q", name, got, want)
		}
	}
	if got := h.output("docker inspect -f '{{.Config.Hostname}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.RestartPolicy.Name}}' app"); got != "apphost true [ALL] no" {
		t.Errorf("docker inspect prints %q", got)
	}
	if got := h.property("dockhost@app", "MemoryMax"); got != "209715200" {
		t.Errorf("MemoryMax = %s", got)
	}
	if h.output("docker info -f '{{.MemoryLimit}}'") != "true" {
		return // the host has no memory controller
	}
	cgroup := h.property("dockhost@app", "ControlGroup")
	for path, want := range map[string]string{cgroup: "209715200", cgroup + "/container": "104857600"} {
		if got := h.output("cat /sys/fs/cgroup/memory" + path + "/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup" + path + "/memory.max"); got != want {
			t.Errorf("limit of %s = %s, want %s", path, got, want)
		}
	}
}

// TestDependsOnOrdersStart checks that depends_on orders the start of two
// containers, and that a crash of one does not restart the other.
func TestDependsOnOrdersStart(t *testing.T) {
	h := newHost(t)
	h.assign(`dockhost:
  containers:
    front:
      image: localhost:5000/app:1
      depends_on: [back]
    back:
      image: localhost:5000/app:1
      command: ["-ready-after", "2s"]
      ports: ["8080:8080"]
      healthcheck: {test: ["CMD", "/app", "-check", "localhost:8080"], interval: 500ms}
      x-dockhost: {notify: healthy}
` + registries)
	h.ready("front")
	h.ready("back")
	front, back := h.output("docker inspect -f '{{.State.StartedAt}}' front"), h.output("docker inspect -f '{{.State.StartedAt}}' back")
	if front < back {
		t.Errorf("front started at %s, before back at %s", front, back)
	}
	pid := h.pid("front")
	h.run("curl -s -X POST 'localhost:8080/crash?code=3' || true")
	h.eventually("back was restarted", func() error {
		if c, err := h.container("back"); err != nil || c.Restarts == 0 || !c.Ready {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	if after := h.pid("front"); after != pid {
		t.Errorf("pid of front = %s after a crash of back, want %s", after, pid)
	}
}
