//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestContainerRunsInItsUnit is the whole path, as the README has it.
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
		t.Errorf("https://localhost/ says %q", body)
	}
	if text := h.property("dockhost@web", "StatusText"); !strings.Contains(text, "running localhost:5000/nginx:1.22") {
		t.Errorf("StatusText = %q", text)
	}

	t.Run("the container lies below the unit", func(t *testing.T) {
		h := &host{t}
		cgroup := h.property("dockhost@web", "ControlGroup")
		if at := h.run("cat /proc/" + h.pid("web") + "/cgroup"); !strings.Contains(at, cgroup+"/container") {
			t.Errorf("the container lies in %q, want below %q", at, cgroup)
		}
		if tree := h.run("systemd-cgls --no-pager -u dockhost@web.service"); !strings.Contains(tree, "nginx: master process") {
			t.Errorf("systemd-cgls shows %q", tree)
		}
		if shown, _ := h.try("systemctl status --no-pager dockhost@web"); !strings.Contains(shown, "nginx: worker process") {
			t.Errorf("systemctl status shows %q", shown)
		}
	})
	t.Run("docker exec joins the same cgroup", func(t *testing.T) {
		h := &host{t}
		main := h.run("cat /proc/" + h.pid("web") + "/cgroup")
		h.run("docker exec -d web sleep 61")
		h.eventually("the exec runs", func() error {
			pid, code := h.try("pgrep -xf 'sleep 61'")
			if code != 0 {
				return fmt.Errorf("no process")
			}
			if at := h.run("cat /proc/" + strings.TrimSpace(pid) + "/cgroup"); at != main {
				t.Errorf("docker exec lies in %q, the container in %q", at, main)
			}
			return nil
		})
	})
	t.Run("the drop-in shows in systemctl cat", func(t *testing.T) {
		h := &host{t}
		if cat := h.run("systemctl cat dockhost@web"); !strings.Contains(cat, "50-dockhost.conf") {
			t.Errorf("systemctl cat shows %q", cat)
		}
	})
	t.Run("output goes to the journal under the container's name", func(t *testing.T) {
		h := &host{t}
		h.eventually("a request is logged", func() error {
			if out := h.run("journalctl --no-pager -o cat -u dockhost@web SYSLOG_IDENTIFIER=web"); !strings.Contains(out, "GET / HTTP/1.1") {
				return fmt.Errorf("journal has %q", out)
			}
			return nil
		})
	})
	t.Run("restarting the agent leaves the container alone", func(t *testing.T) {
		h := &host{t}
		before := h.pid("web")
		h.run("systemctl restart dockhost")
		h.ready("web")
		if after := h.pid("web"); after != before {
			t.Errorf("pid = %s, want %s", after, before)
		}
	})
	t.Run("daemon-reload leaves the container alone", func(t *testing.T) {
		h := &host{t}
		before, cgroup := h.pid("web"), h.run("cat /proc/"+h.pid("web")+"/cgroup")
		h.run("systemctl daemon-reload; systemctl set-property --runtime dockhost@web CPUWeight=200; systemctl daemon-reload")
		if after := h.run("cat /proc/" + before + "/cgroup"); after != cgroup || h.pid("web") != before {
			t.Errorf("the container moved to %q from %q", after, cgroup)
		}
	})
	t.Run("systemctl stop ends nginx by its own signal", func(t *testing.T) {
		h := &host{t}
		since := h.output("date +%s.%N")
		took := h.output("start=$(date +%s%N); systemctl stop dockhost@web; echo $((($(date +%s%N) - start) / 1000000))")
		t.Logf("stopped in %s ms", took)
		signals := strings.Fields(h.run("docker events --since " + since + " --until $(date +%s.%N) --filter event=kill --format '{{.Actor.Attributes.signal}}'"))
		if len(signals) != 1 || signals[0] != "3" {
			t.Errorf("signals = %v, want one SIGQUIT (3)", signals)
		}
		if result := h.property("dockhost@web", "Result"); result != "success" {
			t.Errorf("Result = %s, want success", result)
		}
		if left := h.output("docker ps -aq"); left != "" {
			t.Errorf("containers left: %s", left)
		}
		if left := h.output("ls /run/dockhost/runtime"); left != "" {
			t.Errorf("placements left: %s", left)
		}
		if left := h.output("find /sys/fs/cgroup -type d -name 'dockhost@web.service'"); left != "" {
			t.Errorf("cgroups left: %s", left)
		}
	})
}

// A supervisor that is killed takes the container along, and systemd brings
// both back.
func TestKilledSupervisorIsReplaced(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	before := h.pid("web")
	h.run("kill -9 " + h.property("dockhost@web", "MainPID"))
	h.eventually("the old container is gone", func() error {
		if _, code := h.try("kill -0 " + before); code == 0 {
			return fmt.Errorf("process %s lives", before)
		}
		return nil
	})
	c := h.ready("web")
	if after := h.pid("web"); after == before || c.Restarts != 1 {
		t.Errorf("pid = %s, restarts = %d, want another pid than %s and 1 restart", after, c.Restarts, before)
	}
	if ids := strings.Fields(h.run("docker ps -aq")); len(ids) != 1 {
		t.Errorf("containers = %v, want one", ids)
	}
	if files := strings.Fields(h.run("ls /run/dockhost/runtime")); len(files) != 1 {
		t.Errorf("placements = %v, want one", files)
	}
}

// The agent may be killed at any moment; the next one goes on.
func TestContainerSurvivesKilledAgent(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	before := h.pid("web")
	h.run("systemctl kill -s KILL dockhost")
	h.eventually("another agent answers", func() error {
		if s, _ := h.status(); !s.Agent.Reachable {
			return fmt.Errorf("%s", s.Agent.Error)
		}
		return nil
	})
	h.ready("web")
	if after := h.pid("web"); after != before {
		t.Errorf("pid = %s, want %s", after, before)
	}
}

func TestUnitEndsAsItsContainer(t *testing.T) {
	tests := []struct {
		name, end, status, result, active string
	}{
		{"its own code", "curl -s -X POST 'localhost:8080/crash?code=7' || true", "7", "exit-code", "failed"},
		{"killed by a signal", "kill -9 $(docker inspect -f '{{.State.Pid}}' app)", "137", "exit-code", "failed"},
		{"docker stop by an operator", "docker stop app >/dev/null", "0", "success", "inactive"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.assign(app(`ports: ["8080:8080"]`, "restart: 'no'"))
			h.ready("app")
			h.run(test.end)
			h.eventually("the unit ends", func() error {
				if state := h.property("dockhost@app", "ActiveState"); state != test.active {
					return fmt.Errorf("it is %s", state)
				}
				return nil
			})
			if test.active != "failed" {
				return // systemd forgets a unit that ended well
			}
			if status, result := h.property("dockhost@app", "ExecMainStatus"), h.property("dockhost@app", "Result"); status != test.status || result != test.result {
				t.Errorf("ExecMainStatus = %s, Result = %s, want %s, %s", status, result, test.status, test.result)
			}
			if c, err := h.container("app"); err != nil || c.LastError == nil || c.Ready {
				t.Errorf("status = %+v, %v, want the error that it ended with", c, err)
			}
		})
	}
}

// A container that ignores its stop signal is killed when its time is up.
func TestStopKillsAfterGracePeriod(t *testing.T) {
	h := newHost(t)
	h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: 1s"))
	h.ready("app")
	h.try("systemctl stop dockhost@app")
	if left := h.output("docker ps -aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
	if status := h.property("dockhost@app", "ExecMainStatus"); status != "137" {
		t.Errorf("ExecMainStatus = %s, want 137", status)
	}
}

// Only what changed is restarted; what is no longer assigned is stopped.
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
	h.eventually("the new limit is in force", func() error {
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
			return fmt.Errorf("it says %q", body)
		}
		return nil
	})
	if h.pid("web") != webPid {
		t.Errorf("web was restarted for a change of app")
	}

	h.assign(web)
	h.eventually("app is stopped", func() error {
		if out := h.output("docker ps -q -f name=app; systemctl list-units --no-legend 'dockhost@app*'; ls -d /run/systemd/system/dockhost@app* 2>/dev/null || true"); out != "" {
			return fmt.Errorf("left: %s", out)
		}
		return nil
	})
	if h.pid("web") != webPid {
		t.Errorf("web was restarted when app was taken away")
	}
}

// Started behind systemd's back, a container would run outside of its unit.
func TestDockerStartIsRefused(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	// As a power cut leaves it: the container is there, the unit is not.
	h.run("systemctl stop dockhost.socket dockhost")
	h.run("systemctl kill -s KILL --kill-who=main dockhost@web; systemctl stop dockhost@web")
	h.run("docker inspect web >/dev/null")
	for _, placement := range []string{"kept", "lost"} {
		out, code := h.try("docker start web")
		if code == 0 || !strings.Contains(out, "dockhost@web.service") {
			t.Errorf("with the placement %s, docker start exits %d and says %q, want the unit named", placement, code, out)
		}
		h.run("rm -f /run/dockhost/runtime/*")
	}
	h.run("systemctl start dockhost")
	h.ready("web")
}

// Containers that dockhost does not manage are run as ever, also by its
// runtime.
func TestOtherContainersRunUnchanged(t *testing.T) {
	h := newHost(t)
	h.run("docker login -u deploy -p s3cret localhost:5000 >/dev/null 2>&1; docker pull -q localhost:5000/busybox >/dev/null; docker logout localhost:5000 >/dev/null")
	for _, runtime := range []string{"runc", "dockhost"} {
		if out := h.output("docker run --rm --runtime " + runtime + " localhost:5000/busybox echo hello"); out != "hello" {
			t.Errorf("with runtime %s it says %q", runtime, out)
		}
	}
}

// After a reboot the container is back, also when the registry is down.
func TestContainerReturnsAfterReboot(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	h.run("systemctl enable --quiet dockhost.socket dockhost.service; systemctl disable --quiet docker-registry")
	t.Cleanup(func() { h.run("systemctl enable --quiet docker-registry") })
	boot := h.output("cat /proc/1/stat | cut -d' ' -f22")
	reboot(t)
	h.eventually("the host is up again", func() error {
		out, code := h.try("cat /proc/1/stat | cut -d' ' -f22; systemctl is-system-running --wait")
		if strings.HasPrefix(out, boot+"\n") || code > 1 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	h.ready("web")
	h.run("! systemctl is-active --quiet docker-registry")
	if body := h.run("curl -fsk https://localhost/"); !strings.Contains(body, "1.22") {
		t.Errorf("https://localhost/ says %q", body)
	}
}

// A clone of the machine must not run what its original was assigned.
func TestCloneForgetsItsOriginal(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	h.run("systemctl stop dockhost")
	h.write(seed+"/meta-data", "instance-id: i-second\n")
	h.write(seed+"/user-data", "#cloud-config\ndockhost: [\n")
	h.run("systemctl start dockhost")
	s, code := h.status()
	if code != 3 || s.Source.LastKnownGood || len(s.Source.Problems) == 0 {
		t.Errorf("status exits %d with %+v, want 3, no last known good and the problem", code, s.Source)
	}
	h.run("! grep -q nginx /var/lib/dockhost/assignment.json")
}

// With the metadata gone, the last known good runs, and status says so.
func TestLastKnownGoodRunsWithoutUserData(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	h.run("systemctl stop dockhost dockhost@web; rm -r " + seed + "; systemctl start dockhost")
	h.ready("web")
	if s, code := h.status(); code != 3 || !s.Source.LastKnownGood {
		t.Errorf("status exits %d with %+v, want 3 and last known good", code, s.Source)
	}
}

// Without the agent, status says what systemd and Docker know.
func TestStatusWorksWithoutAgent(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	h.run("systemctl stop dockhost.socket dockhost.service")
	s, code := h.status()
	if code != 4 || s.Agent.Reachable || len(s.Containers) != 1 || !s.Containers[0].Ready || s.Containers[0].Health != "healthy" {
		t.Errorf("status exits %d with %+v, want 4 and a ready container", code, s)
	}
	if out, code := h.try("dockhostctl status"); code != 4 || !strings.Contains(out, "unreachable") || !strings.Contains(out, "web") {
		t.Errorf("status exits %d with %q", code, out)
	}
}

func TestSetupRegistersRuntime(t *testing.T) {
	h := newHost(t)
	h.run("dockhost setup --check && dockhost setup && dockhost setup --check")
	if out := h.run("docker info -f '{{json .Runtimes}}'"); !strings.Contains(out, "dockhost-runtime") {
		t.Errorf("docker has runtimes %s", out)
	}
	h.run("dockhost setup --remove")
	if out, code := h.try("dockhost setup --check"); code != 1 || !strings.Contains(out, "dockhost setup") {
		t.Errorf("setup --check exits %d and says %q, want 1 and the cure", code, out)
	}
	h.run("dockhost setup")
	before := h.run("cat /etc/docker/daemon.json")
	t.Cleanup(func() { h.write("/etc/docker/daemon.json", before) })
	h.write("/etc/docker/daemon.json", "{\n  \"debug\": tru\n}\n")
	out, code := h.try("dockhost setup")
	if code != 1 || !strings.Contains(out, "daemon.json:2:") {
		t.Errorf("setup exits %d and says %q, want 1 and the position", code, out)
	}
	if after := h.run("cat /etc/docker/daemon.json"); after != "{\n  \"debug\": tru\n}\n" {
		t.Errorf("a daemon.json that does not parse became %q", after)
	}
}

// The keys of a service reach Docker, and limits nest in the unit's.
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
		t.Errorf("docker made it %q", got)
	}
	if got := h.property("dockhost@app", "MemoryMax"); got != "209715200" {
		t.Errorf("MemoryMax = %s", got)
	}
	if h.output("docker info -f '{{.MemoryLimit}}'") != "true" {
		return // the host has no memory controller to limit it with
	}
	cgroup := h.property("dockhost@app", "ControlGroup")
	for path, want := range map[string]string{cgroup: "209715200", cgroup + "/container": "104857600"} {
		if got := h.output("cat /sys/fs/cgroup/memory" + path + "/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup" + path + "/memory.max"); got != want {
			t.Errorf("the limit of %s is %s, want %s", path, got, want)
		}
	}
}

// Secrets are in no log, status, command line or file that others may read.
func TestSecretsAreHidden(t *testing.T) {
	h := newHost(t)
	const canary = "canary-4711"
	good := app(`ports: ["8080:8080"]`, "environment: {TOKEN: "+canary+"}")
	h.assign(good)
	h.ready("app")
	// A password that is refused, and a mistake beside a secret.
	h.assign(strings.NewReplacer("s3cret", canary, "app:1", "app:none").Replace(good))
	h.eventually("the pull has failed", func() error {
		if c, err := h.container("app"); err != nil || c.Pending == nil || c.Pending.Error == "" {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	h.assign(good + "    nonsense: " + canary + "\n")
	h.eventually("the mistake is refused", func() error {
		if s, _ := h.status(); len(s.Source.Problems) == 0 {
			return errors.New("no problem is known")
		}
		return nil
	})
	h.hides(canary)
}

// hides fails the test where a secret of the container app is in a log, a
// status, a command line or a file that others may read.
func (h *host) hides(secret string) {
	h.Helper()
	places := []string{
		"journalctl --no-pager -b -o json -u dockhost -u 'dockhost@*'", "dockhostctl status", "dockhostctl status --json",
		"systemctl status --no-pager -l dockhost dockhost@app", "systemctl cat dockhost@app", "systemctl show dockhost@app", "ps -ef",
	}
	for _, place := range places {
		if out, _ := h.try(place); strings.Contains(out, secret) {
			h.Errorf("%s shows the secret", place)
		}
	}
	files := h.output("grep -rls " + secret + " /run/dockhost /var/lib/dockhost /run/systemd | xargs stat -c '%a %U %n'")
	for file := range strings.SplitSeq(files, "\n") {
		if !strings.HasPrefix(file, "600 root ") {
			h.Errorf("the secret lies in a file that others may read: %s", file)
		}
	}
}

func reboot(t *testing.T) {
	t.Helper()
	start := time.Now()
	endSessions()
	if out, err := dockerOutside("restart", "--time", "60", hostName()); err != nil {
		t.Fatalf("restart the host: %v: %s", err, out)
	}
	t.Logf("restarted in %s", time.Since(start).Round(time.Second))
}

// A unit that nothing assigns is not started, and so never restarted.
func TestUnassignedUnitDoesNotStart(t *testing.T) {
	h := newHost(t)
	if _, code := h.try("systemctl start dockhost@typo"); code == 0 {
		t.Errorf("systemctl start dockhost@typo succeeded")
	}
	if state := h.property("dockhost@typo", "ActiveState"); state != "inactive" {
		t.Errorf("ActiveState = %s, want inactive", state)
	}
}

// A job that did its work is done: neither the agent nor systemd repeats it,
// and nothing is wrong with it.
func TestFinishedJobIsNotRepeated(t *testing.T) {
	h := newHost(t)
	h.assign(app(`command: ["-exit-after", "500ms", "-exit-code", "0"]`, "restart: 'no'"))
	finished := func() error {
		if c, err := h.container("app"); err != nil || !c.Finished {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	}
	h.eventually("the job is done", finished)
	if _, code := h.status(); code != 0 {
		t.Errorf("status exits %d, want 0", code)
	}
	since := h.output("date +%s.%N")
	h.run("systemctl restart dockhost")
	h.eventually("the agent has looked", finished)
	if ids := h.output("docker events --since " + since + " --until $(date +%s.%N) --filter event=create --format '{{.ID}}'"); ids != "" {
		t.Errorf("the job ran again: %s", ids)
	}
}

// A restart of Docker takes the containers along, without live-restore, and
// they come back with it. Stopped, it is left stopped.
func TestContainerReturnsWithDocker(t *testing.T) {
	h := newHost(t)
	h.assign(app("restart: on-failure"))
	h.ready("app")
	before := h.pid("app")
	h.run("systemctl restart docker")
	h.eventually("the container is back", func() error {
		if after, code := h.try("docker inspect -f '{{.State.Pid}}' app"); code != 0 || strings.TrimSpace(after) == before {
			return fmt.Errorf("%s", after)
		}
		return nil
	})
	h.ready("app")

	h.run("systemctl stop docker.service docker.socket")
	h.eventually("the unit waits", func() error {
		if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "waiting for Docker") {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
	h.run("! systemctl is-active --quiet docker.service")
	h.run("systemctl start docker.service")
	h.ready("app")
}

// With live-restore a container outlives a restart of Docker, and its end is
// still learnt.
func TestContainerSurvivesDockerRestart(t *testing.T) {
	h := newHost(t)
	h.configureDocker("live-restore", "true")
	h.assign(app(`ports: ["8080:8080"]`, "restart: 'no'"))
	h.ready("app")
	pid := h.pid("app")
	h.run("systemctl restart docker")
	h.ready("app")
	if after := h.pid("app"); after != pid {
		t.Errorf("pid = %s, want %s", after, pid)
	}
	h.run("docker exec app /app -check localhost:8080")
	h.run("curl -s -X POST 'localhost:8080/crash?code=9' || true")
	h.eventually("the unit ends", func() error {
		if status := h.property("dockhost@app", "ExecMainStatus"); status != "9" {
			return fmt.Errorf("ExecMainStatus = %s", status)
		}
		return nil
	})
}

// depends_on orders the start, and does not tie the fates.
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
		t.Errorf("front has pid %s, want %s: a crash of back is none of front's", after, pid)
	}
}
