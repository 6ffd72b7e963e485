//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestRunFollowsHabits uses dockhost run as operators use other commands: in a job, a
// timer, a transient unit, a template, and a scope.
func TestRunFollowsHabits(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	job := strings.Replace(service("/usr/bin/dockhost run --rm --name %p localhost:5000/busybox echo done"), "Type=notify", "Type=oneshot", 1)
	h.subtest("a timer runs a job", func(h *host) {
		h.unit("job.service", job)
		h.unit("job.timer", "[Timer]\nOnActiveSec=0\nAccuracySec=1ms\n")
		h.run("systemctl start job.timer")
		h.eventually("the job has run", func() error {
			if h.property("job.service", "Result") != "success" || h.property("job.service", "ExecMainExitTimestampMonotonic") == "0" {
				return fmt.Errorf("job.service: %s", h.run("systemctl status job.service || true"))
			}
			return h.logged("job.service", "done")
		})
		h.nothingLeft("job.service")
	})
	h.subtest("a job fails as its container", func(h *host) {
		h.unit("job.service", strings.Replace(job, "echo done", "sh -c 'exit 3'", 1))
		if _, code := h.try("timeout 60 systemctl start job"); code == 0 || h.property("job.service", "ExecMainStatus") != "3" {
			h.Errorf("the start exits %d, ExecMainStatus = %s, want a failure with 3", code, h.property("job.service", "ExecMainStatus"))
		}
	})
	h.subtest("systemd-run", func(h *host) {
		out, code := h.try("timeout 60 systemd-run -q --pipe --wait -p MemoryMax=64M dockhost run --rm localhost:5000/busybox sh -c 'cat /proc/1/cgroup | head -n1; exit 4'")
		if code != 4 {
			h.Errorf("systemd-run exits %d, want 4: %s", code, out)
		}
	})
	h.subtest("a template", func(h *host) {
		h.unit("shop@.service", service("/usr/bin/dockhost run --rm --init --name %p-%i localhost:5000/busybox sleep infinity"))
		h.start("shop@1 shop@2")
		for _, instance := range []string{"1", "2"} {
			h.inUnit("shop-"+instance, "shop@"+instance+".service")
		}
		h.run("systemctl stop 'shop@*'")
		h.nothingLeft("shop@*.service")
	})
	h.subtest("no advice for others", func(h *host) {
		for _, command := range []string{
			"systemd-run -q --scope --unit=other dockhost run --rm localhost:5000/busybox true",
			"systemd-run -q --wait --pipe --unit=cron-e2e sh -c 'dockhost run --rm localhost:5000/busybox true; true'",
			"systemd-run -q --wait --pipe --unit=other -p ExecStartPre='dockhost run --rm localhost:5000/busybox true' true",
		} {
			since := h.now()
			out, code := h.try("timeout 60 " + command + "; code=$?; journalctl -q -o cat --since @" + since + " SYSLOG_IDENTIFIER=dockhost; exit $code")
			if code != 0 || strings.Contains(out, "Delegate=") {
				h.Errorf("%s exits %d and says %s, want 0 and no advice about Delegate=", command, code, out)
			}
		}
	})
}

// TestRunObeysDockerVariables sets the variables of the docker command: each is obeyed,
// or refused with a sentence.
func TestRunObeysDockerVariables(t *testing.T) {
	h := newHost(t)
	h.login()
	h.run(`docker pull -q localhost:5000/busybox
		docker context create local --docker host=unix:///run/docker.sock >/dev/null
		docker context create remote --docker host=ssh://root@other >/dev/null`)
	t.Cleanup(func() { h.try("docker context rm -f local remote") })
	for _, test := range []struct{ variables, want string }{
		{"DOCKER_CONTEXT=local", "hello"},
		{"DOCKER_CONTEXT=remote", `the context "remote" is Docker at ssh://root@other`},
		{"DOCKER_CONTEXT=none", `the context "none" does not exist`},
		{"DOCKER_CONTEXT=remote DOCKER_HOST=unix:///run/docker.sock", "hello"},
		{"DOCKER_HOST=ssh://root@other", `cannot use "ssh://root@other"`},
		{"DOCKER_HOST=tcp://127.0.0.1:9 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=/none", "/none"},
		{"DOCKER_HOST=tcp://127.0.0.1:9 DOCKER_TLS=1", "set DOCKER_TLS_VERIFY=1"},
		{"DOCKER_API_VERSION=1.41", "hello"},
	} {
		out, code := h.try("timeout 20 env " + test.variables + " dockhost run --rm localhost:5000/busybox echo hello")
		if !strings.Contains(out, test.want) || (code == 0) != (test.want == "hello") {
			t.Errorf("%s: dockhost run exits %d and prints %q, want %q", test.variables, code, out, test.want)
		}
	}
	out, code := h.try("docker context use remote 2>/dev/null; timeout 20 dockhost run --rm localhost:5000/busybox echo hello; code=$?; docker context use default; exit $code")
	if code != 0 || !strings.Contains(out, "hello") || !strings.Contains(out, `context "remote", which dockhost does not follow`) {
		t.Errorf("after docker context use, dockhost run exits %d and prints %q, want 0 and a hint", code, out)
	}
}

// TestMissingRulesAndNamesAreExplained flushes the firewall, and names a registry that
// DNS does not know: the errors say what to do.
func TestMissingRulesAndNamesAreExplained(t *testing.T) {
	h := newHost(t)
	h.login()
	h.run("docker pull -q localhost:5000/busybox")
	out, _ := h.try("timeout 3 dockhost run --rm none.invalid/web")
	if !strings.Contains(out, "DNS does not find the registry") || strings.Contains(out, "the login is right") {
		t.Errorf("a pull from an unknown registry says %s, want DNS, and no login", out)
	}
	t.Cleanup(h.restartDocker)
	h.run("iptables -t nat -F; iptables -t nat -X; iptables -F; iptables -X || true")
	out, code := h.try("dockhost run --rm -p 8088:80 localhost:5000/busybox true")
	if code != 125 || !strings.Contains(out, "restart Docker: systemctl restart docker") {
		t.Errorf("without Docker's rules, dockhost run exits %d and prints %s, want 125 and what to do", code, out)
	}
	h.restartDocker()
	if out, code := h.try("dockhost run --rm -p 8088:80 localhost:5000/busybox true"); code != 0 {
		t.Errorf("after the restart, dockhost run exits %d: %s", code, out)
	}
}
