//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// logged returns an error unless each of the lines is in the journal of the unit since
// its last start.
func (h *host) logged(unit string, lines ...string) error {
	h.Helper()
	log := h.said(unit)
	for _, line := range lines {
		if !slices.Contains(strings.Split(log, "\n"), line) {
			return fmt.Errorf("the unit logs %q, want the line %q", log, line)
		}
	}
	return nil
}

// TestSandboxOfUnit runs a unit with each of systemd's settings for a sandbox: the
// container works, or the unit fails at once and logs the line to write.
func TestSandboxOfUnit(t *testing.T) {
	const (
		works    = ""
		writable = "(write ReadWritePaths=/run/dockhost in its [Service] section)"
		group    = "(write SupplementaryGroups=docker in its [Service] section)"
		both     = "(write SupplementaryGroups=docker and ReadWritePaths=/run/dockhost in its [Service] section)"
	)
	h := newHost(t)
	h.login()
	h.run("docker pull -q localhost:5000/busybox; id deployer >/dev/null 2>&1 || useradd -G docker deployer")
	devices := works
	if !h.unified() {
		devices = "(remove PrivateDevices=, DevicePolicy=, DeviceAllow= and ProtectClock= from the unit)"
	}
	for _, test := range []struct{ settings, want string }{
		{"ProtectSystem=strict", writable},
		{"ReadOnlyPaths=/", writable},
		{"ReadOnlyPaths=/run", writable},
		{"DynamicUser=yes SupplementaryGroups=docker", writable},
		{"DynamicUser=yes", both},
		{"User=nobody", group},
		{"ProtectSystem=strict ReadWritePaths=/run/dockhost", works},
		{"DynamicUser=yes SupplementaryGroups=docker ReadWritePaths=/run/dockhost", works},
		{"User=deployer", works},
		{"ProtectSystem=full PrivateTmp=yes ProtectHome=yes", works},
		{"NoNewPrivileges=yes PrivateMounts=yes PrivateNetwork=yes", works},
		{"ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes ProtectHostname=yes", works},
		{"ProtectControlGroups=yes", works},
		{"ProtectProc=invisible ProcSubset=pid PrivateUsers=yes", works},
		{"RestrictNamespaces=yes RestrictAddressFamilies=AF_UNIX RestrictRealtime=yes RestrictSUIDSGID=yes", works},
		{"SystemCallFilter=@system-service MemoryDenyWriteExecute=yes LockPersonality=yes CapabilityBoundingSet=", works},
		{"PrivateDevices=yes", devices},
		{"DevicePolicy=closed", devices},
		{"ProtectClock=yes", devices},
	} {
		if test.settings == "ProtectClock=yes" && !h.unified() {
			continue // whether it limits devices depends on the clocks of the machine
		}
		run := "systemd-run -q --unit=sandbox --service-type=notify -p Delegate=yes -p KillMode=mixed"
		for setting := range strings.FieldsSeq(test.settings) {
			run += " -p " + setting
		}
		out, code := h.try("systemctl reset-failed sandbox 2>/dev/null; timeout 60 " + run + " dockhost run --rm --init --stop-timeout 1 --name sandbox localhost:5000/busybox sleep infinity")
		if test.want != works {
			if log := h.journal("sandbox"); code == 0 || !strings.Contains(log, test.want) {
				t.Errorf("%s: the start exits %d, and the unit logs %s%s, want %q", test.settings, code, out, log, test.want)
			}
		} else if code != 0 {
			t.Errorf("%s: the start exits %d: %s%s", test.settings, code, out, h.journal("sandbox"))
		} else if out, code := h.try("docker exec sandbox sh -c 'echo x >/dev/null' && systemctl stop sandbox"); code != 0 {
			t.Errorf("%s: a command in the container, or the stop, exits %d: %s", test.settings, code, out)
		}
		h.try("systemctl stop sandbox")
	}
	h.nothingLeft("sandbox.service")
}

// TestSandboxOfAssignedUnit gives an assigned container a unit with read-only file
// systems.
func TestSandboxOfAssignedUnit(t *testing.T) {
	h := newHost(t)
	h.assign(app("x-dockhost: {unit: {Service: {ProtectSystem: strict, ReadOnlyPaths: /run, PrivateTmp: true, ProtectHome: true}}}"))
	h.ready("app")
	if out, code := h.try("nsenter -m -t " + h.property("dockhost@app", "MainPID") + " touch /run/x"); code == 0 {
		t.Errorf("the supervisor can write to /run: %s", out)
	}
}

// TestLeastPrivilege holds the units to the figures of docs/security.md. The sandbox is
// that of the agent and the supervisor: the container has what Docker gives each one.
func TestLeastPrivilege(t *testing.T) {
	h := newHost(t)
	h.login()
	h.assign(app(""))
	h.ready("app")
	const confined = "NoNewPrivs:\t1\nSeccomp:\t2"
	for unit, most := range map[string]string{"dockhost.service": "35", "dockhost@app.service": "50"} {
		if out, code := h.try("systemd-analyze security --no-pager --threshold=" + most + " " + unit); code != 0 {
			t.Errorf("the exposure of %s is over %s (in tenths): %s", unit, most, out)
		}
		if got := h.output("grep -E '^(NoNewPrivs|Seccomp):' /proc/" + h.property(unit, "MainPID") + "/status"); got != confined {
			t.Errorf("the main process of %s has %q, want %q", unit, got, confined)
		}
	}
	// By the boot ID the agent recognizes supervisors. A test host has one of its own, by a
	// mount over the file, which a sandbox may hide.
	boot := h.output("cat /proc/sys/kernel/random/boot_id")
	if got := h.output("nsenter -m -t " + h.property("dockhost.service", "MainPID") + " cat /proc/sys/kernel/random/boot_id"); got != boot {
		t.Errorf("the agent sees the boot ID %s, want %s", got, boot)
	}
	const limits = "grep -E '^(CapBnd|NoNewPrivs|Seccomp|Seccomp_filters):' "
	want := h.output("docker run --rm localhost:5000/busybox " + limits + "/proc/1/status")
	if got := h.output(limits + "/proc/" + h.pid("app") + "/status"); got != want {
		t.Errorf("the container has the limits %q, want those of docker run, %q", got, want)
	}
}
