//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// hog is a command that needs this much memory at once.
func hog(size string) string { return "dd if=/dev/zero of=/dev/null bs=" + size + " count=1" }

// forks is a command that runs this many processes at once.
func forks(n string) string {
	return "sh -c 'for i in $(seq " + n + "); do sleep 60 & done; kill $(jobs -p)'"
}

// TestUnitLimitsBindContainer sets limits on the unit and on the container: the
// lower one applies. A command below the limit succeeds, and one above it fails.
func TestUnitLimitsBindContainer(t *testing.T) {
	tests := []struct {
		name, controller string
		service          []string
		allowed, refused string
	}{
		{"MemoryMax", "memory", []string{"x-dockhost: {unit: {Service: {MemoryMax: 60M}}}"}, hog("20M"), hog("100M")},
		{"mem_limit within MemoryMax", "memory", []string{"mem_limit: 60m", "x-dockhost: {unit: {Service: {MemoryMax: 300M}}}"}, hog("20M"), hog("100M")},
		{"mem_limit above MemoryMax", "memory", []string{"mem_limit: 300m", "x-dockhost: {unit: {Service: {MemoryMax: 60M}}}"}, hog("20M"), hog("100M")},
		{"TasksMax", "pids", []string{"x-dockhost: {unit: {Service: {TasksMax: 60}}}"}, forks("5"), forks("100")},
		{"pids_limit within TasksMax", "pids", []string{"pids_limit: 40", "x-dockhost: {unit: {Service: {TasksMax: 500}}}"}, forks("5"), forks("100")},
		{"pids_limit above TasksMax", "pids", []string{"pids_limit: 500", "x-dockhost: {unit: {Service: {TasksMax: 60}}}"}, forks("5"), forks("100")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &host{t}
			h.controller(test.controller)
			h = newHost(t)
			h.assign(idling(map[string][]string{"limited": test.service}))
			h.ready("limited")
			// A test host may lack CAP_SYS_RESOURCE. systemd then cannot lower the supervisor's score,
			// and now and then the kernel kills the supervisor besides the process.
			score := h.output("cat /proc/$(systemctl show --value -p MainPID dockhost@limited)/oom_score_adj")
			if out, code := h.try("docker exec limited " + test.allowed); code != 0 {
				t.Errorf("%s exits %d, want 0: %s", test.allowed, code, out)
			}
			for tries := 3; ; tries-- {
				if out, code := h.try("docker exec limited " + test.refused); code == 0 {
					t.Errorf("%s succeeds above the limit: %s", test.refused, out)
				}
				// Only the process above the limit fails, not the container.
				state := h.property("dockhost@limited", "ActiveState")
				if state == "active" {
					break
				}
				if tries == 0 || score != "0" {
					t.Errorf("ActiveState = %s, want active", state)
					break
				}
				h.ready("limited")
			}
			h.wentClean("limited", "dockhost@limited.service")
		})
	}
}

// TestCPUQuotaIsEnforced checks that the kernel throttles the cgroup that has the
// quota.
func TestCPUQuotaIsEnforced(t *testing.T) {
	tests := []struct {
		name, where string
		service     []string
	}{
		{"CPUQuota", "", []string{"x-dockhost: {unit: {Service: {CPUQuota: 10%}}}"}},
		{"cpus within CPUQuota", "/container", []string{"cpus: 0.1", "x-dockhost: {unit: {Service: {CPUQuota: 150%}}}"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &host{t}
			tree := h.controller("cpu")
			h = newHost(t)
			h.assign(idling(map[string][]string{"limited": test.service}))
			h.ready("limited")
			throttled := "sed -n 's/^nr_throttled //p' " + tree + h.property("dockhost@limited", "ControlGroup") + test.where + "/cpu.stat"
			before := h.output(throttled)
			h.run("docker exec limited sh -c 'timeout 2 sh -c \"while :; do :; done\" || true'")
			if after := h.output(throttled); after == before || after == "" {
				t.Errorf("nr_throttled = %q after two busy seconds, want more than %q", after, before)
			}
		})
	}
}

// TestAllowedCPUsBindContainer checks which CPUs the kernel lets a container use.
func TestAllowedCPUsBindContainer(t *testing.T) {
	tests := []struct {
		name    string
		service []string
		v2      bool
	}{
		{"AllowedCPUs", []string{"x-dockhost: {unit: {Service: {AllowedCPUs: 0}}}"}, true},
		{"cpuset", []string{"cpuset: '0'"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &host{t}
			h.controller("cpuset")
			if test.v2 && !h.unified() {
				t.Skip("AllowedCPUs= needs cgroup v2")
			}
			if h.output("nproc") == "1" {
				t.Skip("the host has one CPU")
			}
			h = newHost(t)
			h.assign(idling(map[string][]string{"limited": test.service}))
			h.ready("limited")
			if got := strings.Fields(h.output("docker exec limited grep Cpus_allowed_list /proc/self/status")); len(got) != 2 || got[1] != "0" {
				t.Errorf("Cpus_allowed_list = %v, want only CPU 0", got)
			}
		})
	}
}

// TestIOWeightIsSetOnUnit checks that IOWeight= sets a weight on the unit's cgroup,
// which holds the container. The number depends on the kernel's kind of weight.
func TestIOWeightIsSetOnUnit(t *testing.T) {
	h := newHost(t)
	tree := h.controller("io")
	h.assign(idling(map[string][]string{"plain": nil, "weighed": {"x-dockhost: {unit: {Service: {IOWeight: 300}}}"}}))
	weights := map[string]string{}
	for _, name := range []string{"plain", "weighed"} {
		h.ready(name)
		cgroup := h.property("dockhost@"+name, "ControlGroup")
		weights[name] = h.output("cat " + tree + cgroup + "/{blkio,io}*weight 2>/dev/null || true")
		if at := h.cgroups(name); !h.unified() && !strings.Contains(at, "blkio:"+cgroup+"/container") {
			t.Errorf("cgroups of the container = %q, want one below %q", at, cgroup)
		}
	}
	if weights["weighed"] == weights["plain"] {
		t.Errorf("weight with IOWeight= = %q, want another than %q", weights["weighed"], weights["plain"])
	}
}
