package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// minSystemd is the oldest version of systemd that dockhost works with; from
// noCgroupV1 on, systemd does not support cgroup v1.
const (
	minSystemd = 247
	noCgroupV1 = 258
)

func systemdChecks() []Check {
	const area = "systemd"
	return []Check{
		{ID: "systemd", Area: area, Title: "systemd is new enough", examine: checkSystemd},
		{ID: "cgroups", Area: area, Title: "the cgroup tree has all controllers", examine: checkCgroups},
		{ID: "delegation", Area: area, Title: "the units of containers own their cgroups", examine: checkDelegation},
		{ID: "ordering-cycles", Area: area, Title: "this boot had no ordering cycle", examine: checkOrdering},
	}
}

func checkSystemd(ctx context.Context, h *host) []Finding {
	out, err := h.Command(ctx, "systemctl", "--version")
	if err != nil {
		return fail("systemd does not answer: "+err.Error(), "boot this host with systemd")
	}
	words := strings.Fields(out) // systemd 257 (257.7-1)
	if len(words) < 2 {
		return skip("systemctl --version says nothing")
	}
	version, err := strconv.Atoi(words[1])
	if err == nil && version < minSystemd {
		return fail(fmt.Sprintf("systemd %d is too old", version), fmt.Sprintf("use a distribution with systemd %d or later", minSystemd))
	}
	return ok("systemd " + words[1])
}

func checkCgroups(_ context.Context, h *host) []Finding {
	controllers, err := h.read("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		hybrid := "v1"
		if h.exists("/sys/fs/cgroup/unified/cgroup.procs") {
			hybrid = "v1 (hybrid)"
		}
		if !h.exists("/sys/fs/cgroup/memory") {
			return fail("cgroup "+hybrid+" without the controller memory, so no memory limit has an effect", "remove cgroup_disable=memory from the kernel's command line, and reboot")
		}
		return ok("cgroup " + hybrid + fmt.Sprintf("; systemd %d and later need v2", noCgroupV1))
	}
	var missing []string
	for _, controller := range []string{"cpu", "memory", "pids"} {
		if !strings.Contains(" "+strings.TrimSpace(controllers)+" ", " "+controller+" ") {
			missing = append(missing, controller)
		}
	}
	if len(missing) > 0 {
		return fail("cgroup v2 without the controller "+strings.Join(missing, ", ")+", so its limits have no effect", "remove cgroup_disable= and systemd.unified_cgroup_hierarchy= from the kernel's command line, and reboot")
	}
	return ok("cgroup v2")
}

func checkDelegation(ctx context.Context, h *host) []Finding {
	s, _ := h.status() // without containers, the template itself is asked
	units := []string{"dockhost@doctor.service"}
	for i := range s.Containers {
		units = append(units, s.Containers[i].Unit)
	}
	var findings []Finding
	for _, unit := range units {
		properties, err := h.properties(ctx, unit, "LoadState", "Delegate", "DevicePolicy", "DeviceAllow", "KillMode")
		switch {
		case err != nil:
			return cannotAsk("whether cgroups are delegated", err)
		case properties["LoadState"] == "not-found":
			return fail("systemd does not know the unit dockhost@.service", "install the package dockhost again, then: systemctl daemon-reload")
		case properties["LoadState"] != "loaded":
			continue
		case properties["Delegate"] != "yes":
			findings = append(findings, fail(unit+" does not own its cgroup: a drop-in sets Delegate=no", "systemctl revert "+unit)...)
		case properties["KillMode"] != "mixed":
			findings = append(findings, warn(unit+" has KillMode="+properties["KillMode"]+": a stop ends processes without the container's stop signal", "systemctl revert "+unit)...)
		case properties["DevicePolicy"] == "closed" || properties["DevicePolicy"] == "strict" || properties["DeviceAllow"] != "":
			findings = append(findings, warn(unit+" limits devices (DevicePolicy= or DeviceAllow=), also those of its container", "systemctl cat "+unit)...)
		}
	}
	if len(findings) > 0 {
		return findings
	}
	return ok("the units of containers own their cgroups")
}

func checkOrdering(ctx context.Context, h *host) []Finding {
	lines, err := h.journal(ctx, "ordering cycle", "_PID=1")
	if err != nil {
		return cannotAsk("whether there was an ordering cycle", err)
	}
	var deleted []string
	for _, line := range lines {
		if strings.Contains(line, "deleted to break ordering cycle") {
			deleted = append(deleted, line)
		}
	}
	switch {
	case len(deleted) > 0:
		return fail("systemd has left out a job at boot: "+deleted[len(deleted)-1], "remove an After= or Before= of that cycle; to see it: journalctl -b _PID=1 --grep 'ordering cycle'")
	case len(lines) > 0:
		return warn(lines[len(lines)-1], "to see the cycle: journalctl -b _PID=1 --grep 'ordering cycle'")
	}
	return ok("there was no ordering cycle in this boot")
}

// journalLines bounds what a check reads of the journal.
const journalLines = "100"

// journal returns the last lines of this boot that match a pattern.
func (h *host) journal(ctx context.Context, pattern string, matches ...string) ([]string, error) {
	args := append([]string{"--quiet", "--no-pager", "--boot", "--output=cat", "--lines=" + journalLines, "--grep=" + pattern}, matches...)
	out, err := h.Command(ctx, "journalctl", args...)
	if err != nil {
		return nil, err
	}
	if out = strings.TrimSpace(out); out == "" {
		return nil, nil
	}
	return strings.Split(out, "\n"), nil
}
