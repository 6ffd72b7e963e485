package agent

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/supervisor/request"
)

// A shim of Docker's on a host, and the container that it is for.
type shim struct {
	id, runtime, cgroup, program, namespace, children, command string
	// known says that Docker has the container.
	known bool
}

// The agent ends the shims that run nothing and whose containers are gone, and no others.
func TestSweepShims(t *testing.T) {
	left := shim{
		runtime: "/usr/libexec/dockhost/dockhost-runtime", cgroup: "/system.slice/system-dockhost.slice/dockhost@web.service/container",
		program: "/usr/bin/containerd-shim-runc-v2", namespace: "moby",
	}
	tests := map[string]struct {
		change func(*shim)
		ends   bool
	}{
		"left":          {func(*shim) {}, true},
		"never ran, v1": {func(s *shim) { s.runtime, s.cgroup = "", "/dockhost/dockhost@web.service.slice/0123456789abcdef" }, true},
		"never ran, v2": {func(s *shim) {
			s.runtime, s.cgroup = "", "/dockhost/dockhost@web.service.slice:docker:0123456789abcdef"
		}, true},
		"of an own unit":    {func(s *shim) { s.cgroup = "/system.slice/mine.service/container" }, true},
		"Docker knows it":   {func(s *shim) { s.known = true }, false},
		"runs a process":    {func(s *shim) { s.children = "4711 " }, false},
		"another runtime":   {func(s *shim) { s.runtime = "runc" }, false},
		"not placed":        {func(s *shim) { s.cgroup = "/docker/0123" }, false},
		"not in a unit":     {func(s *shim) { s.cgroup = "/system.slice/container" }, false},
		"not Docker's":      {func(s *shim) { s.namespace = "k8s.io" }, false},
		"another program":   {func(s *shim) { s.program = "/usr/bin/ps" }, false},
		"cleans up":         {func(s *shim) { s.command = "delete" }, false},
		"starts":            {func(s *shim) { s.command = "start" }, false},
		"children unknown":  {func(s *shim) { s.children = "?" }, false},
		"of another bundle": {func(s *shim) { s.id = "other" }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := left
			test.change(&s)
			h := newTestHost(t)
			h.engine.containers = map[string]engine.Container{"strange": {Name: "strange"}}
			const id, pid = "0123456789abcdef", 28125
			h.leaveShim(pid, id, s)
			a := h.agent()
			var killed []int
			a.sweeper.shims.kill = func(pid int, still func() bool) error {
				if still() {
					killed = append(killed, pid)
				}
				return nil
			}
			if !a.sweeper.sweep(t.Context()) {
				t.Error("sweep() = false, want true")
			}
			if got := slices.Contains(killed, pid); got != test.ends || len(killed) > 1 {
				t.Errorf("killed %v, want it killed: %t", killed, test.ends)
			}
		})
	}
}

// leaveShim writes what the kernel and containerd show of a shim.
func (h *testHost) leaveShim(pid int, id string, s shim) {
	bundle := filepath.Join(bundleDirs()[0], id)
	if s.runtime != "" {
		h.write(filepath.Join(bundle, "runtime"), s.runtime)
	}
	h.write(filepath.Join(bundle, "config.json"), fmt.Sprintf(`{"ociVersion":"1.2.0","linux":{"cgroupsPath":%q}}`, s.cgroup))
	if s.id != "" {
		id = s.id
	}
	proc := fmt.Sprintf("/proc/%d", pid)
	args := []string{s.program, "-namespace", s.namespace, "-id", id, "-address", "/run/containerd/containerd.sock", s.command, ""}
	h.write(filepath.Join(proc, "cmdline"), strings.Join(args, "\x00"))
	if s.children != "?" {
		h.write(filepath.Join(proc, "task/28125/children"), "")
		h.write(filepath.Join(proc, "task/28126/children"), s.children)
	}
	if s.known {
		h.engine.containers[id] = engine.Container{Name: "web", Labels: map[string]string{request.LabelUnit: "mine.service"}}
	}
}
